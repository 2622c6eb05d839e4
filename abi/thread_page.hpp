// The page that the kernel and one thread share: long IPC messages, and the guest state of restricted mode.
#pragma once
#include "abi/types.hpp"

namespace abi {

inline constexpr std::size_t message_register_words = 8;
inline constexpr std::size_t message_page_words = 48;
inline constexpr std::size_t message_words = message_register_words + message_page_words;
inline constexpr std::size_t message_handles = 4;

// The tag of a message: bits 0-7 words in all (0..56), bits 8-10 handles (0..4), bits 32-63 the message's number, free for the protocol.
constexpr std::uint64_t make_tag(std::uint32_t message, std::size_t words, std::size_t handles) {
    return (std::uint64_t{message} << 32) | (handles << 8) | words;
}
constexpr std::size_t tag_words(std::uint64_t tag) { return tag & 0xff; }
constexpr std::size_t tag_handles(std::uint64_t tag) { return (tag >> 8) & 7; }
constexpr std::uint32_t tag_message(std::uint64_t tag) { return static_cast<std::uint32_t>(tag >> 32); }

// Words 8 and up of a message, and its capabilities. Sending moves nothing out of the sender: each handle must carry `transfer`, the receiver gets a
// new slot under the same lease with the rights in `handle_rights` (a subset, 0 = the same rights). Receiving fills `handles` with the new slots.
struct MessageArea {
    std::uint64_t words[message_page_words];
    Handle handles[message_handles];
    Rights handle_rights[message_handles];
};

// Why restricted_enter came back.
enum class ExitReason : std::uint32_t {
    syscall = 1,   // the guest executed SYSCALL; registers hold its arguments, rip is behind the instruction
    exception = 2, // a fault that the kernel could not resolve; vector, error_code, fault_address
    kick = 3,      // thread_kick; also when the kick came before the entry
    no_memory = 4, // a fault could not be resolved because the quota is exhausted; fault_address
};

// General registers of the guest, in the layout that the entry assembly uses.
struct GuestRegisters {
    std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    std::uint64_t rip, rflags;
    std::uint64_t fs_base, gs_base;
};

// A change of the guest half, done by restricted_enter before the guest goes on: as space_map / space_unmap / space_protect.
struct MapOperation {
    enum class Kind : std::uint32_t { map = 1, unmap = 2, protect = 3 };
    Kind kind;
    std::uint32_t flags; // protection | map_flag
    std::uint64_t address;
    std::uint64_t length;
    Handle memory; // no_handle: anonymous
    std::uint64_t offset;
};
inline constexpr std::size_t map_operations = 8;

struct RestrictedState {
    GuestRegisters registers;
    ExitReason reason;
    std::uint32_t vector;
    std::uint64_t error_code;
    std::uint64_t fault_address;
    std::uint32_t operation_count;  // in: how many of `operations` to do
    std::uint32_t operations_done;  // out, where there were any
    std::int32_t operation_error;   // out, where there were any: 0, or the negative Error of the first that failed (the guest then was not entered)
    std::uint32_t asleep;           // out: 1 while a fast call of the guest waits
    MapOperation operations[map_operations];
};

// Calls of the guest that the kernel answers by itself, with rax alone changed (rcx and r11 as by any SYSCALL): the personality does not hear of them. index[number] of a call below
// `fast_calls` says what it gets: nothing of this kind (0), values[index % constant_values], or one of FastCall. What is not plain sailing goes to the personality after all.
// The personality may change the table at any time; for other threads, from their next call on.
inline constexpr std::size_t fast_calls = 512;
inline constexpr std::size_t constant_values = 16;
enum class FastCall : std::uint8_t {
    yield = 0x80, // thread_yield; the guest gets 0
    futex = 0x81, // as FutexCall says
};
// How a guest's futex call says what it wants: address in rdi, operation in esi, expected word or number of wake-ups in edx (less than 1 counts as 1), no deadline where r10 is 0,
// bits in r9d for the second kind of wait. The words are private ones. An operation of 0 is never asked for.
struct FutexCall {
    std::uint32_t wait;
    std::uint32_t wait_for_bits[2];
    std::uint32_t wake;
    std::int64_t changed; // what a wait gets whose word holds another value
};
struct FastCalls {
    std::uint8_t index[fast_calls];
    std::uint64_t values[constant_values];
    FutexCall futex;
};

// Allocated and pinned by the kernel, mapped into the owner's personality half at thread creation.
struct ThreadPage {
    MessageArea message;
    std::uint64_t reserved[70];
    RestrictedState restricted;
    FastCalls fast_calls;
};
static_assert(sizeof(MessageArea) == 48 * 8 + 4 * 8 + 4 * 4);
static_assert(offsetof(ThreadPage, restricted) == 992);
static_assert(sizeof(ThreadPage) <= page_size);

} // namespace abi
