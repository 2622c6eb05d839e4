// Types, rights and errors that the kernel and every program share.
#pragma once
#include <cstddef>
#include <cstdint>

namespace abi {

// A handle names a slot of the calling process: low 32 bits the index, high 32 bits the slot's generation. 0 is never valid.
using Handle = std::uint64_t;
inline constexpr Handle no_handle = 0;
// In place of a slot: the Reply of the call that the calling thread took by ipc_reply_receive. ipc_reply, ipc_reply_receive and handle_close know it.
inline constexpr Handle current_reply = UINT64_MAX;

// Absolute nanoseconds of the monotonic clock. `never` waits without limit, `poll` does not wait.
using Deadline = std::uint64_t;
inline constexpr Deadline never = UINT64_MAX;
inline constexpr Deadline poll = 0;

inline constexpr std::uint64_t page_size = 4096;

// Every call returns 0 or one of these, negated, in rax.
enum class Error : std::int32_t {
    bad_handle = 1,        // no such slot, or closed
    wrong_kind = 2,        // the handle names another kind of object
    missing_right = 3,     // the handle lacks a right that the call needs
    revoked = 4,           // the capability's lease was revoked
    bad_argument = 5,      // a value is out of its range
    bad_pointer = 6,       // an address outside the interval that the call allows, or not mapped
    no_memory = 7,         // the quota that would be charged is exhausted
    no_slots = 8,          // the process' handle table is full
    exists = 9,            // something is there already
    not_found = 10,
    bad_state = 11,        // the object is not in a state that allows this
    timed_out = 12,        // the deadline passed
    canceled = 13,         // the wait was kicked
    peer_closed = 14,      // the other side is gone
    would_block = 15,
    too_large = 16,
    unknown_call = 17,
    not_supported = 18,
    changed = 19,          // futex: the word did not hold the expected value
    denied = 20,           // a server's policy says no
    broken = 21,           // data that fails its check (digest, format)
    io = 22,               // a device failed
    overflow = 23,
};

enum class ObjectKind : std::uint8_t {
    none = 0,
    quota = 1,
    lease = 2,
    process = 3,
    thread = 4,
    space = 5,
    memory = 6,
    endpoint = 7,
    reply = 8,
    notification = 9,
    port = 10,
    budget = 11,
    irq = 12,
    io_space = 13,
    io_port = 14,
    device = 15,
    audit_log = 16,
    pager = 17,
    count = 18,
};

// Rights of a capability. They only ever shrink.
using Rights = std::uint32_t;
namespace right {
inline constexpr Rights duplicate = 1u << 0;
inline constexpr Rights transfer = 1u << 1;
inline constexpr Rights inspect = 1u << 2;
inline constexpr Rights read = 1u << 3;         // Memory, Device, AuditLog
inline constexpr Rights write = 1u << 4;        // Memory, Device, AuditLog
inline constexpr Rights execute = 1u << 5;      // Memory
inline constexpr Rights map = 1u << 6;          // Memory, Space, IoSpace
inline constexpr Rights send = 1u << 7;         // Endpoint, Notification (signal)
inline constexpr Rights receive = 1u << 8;      // Endpoint, Notification (wait), Port
inline constexpr Rights start = 1u << 9;        // Thread, Process
inline constexpr Rights stop = 1u << 10;        // Thread, Process
inline constexpr Rights suspend = 1u << 11;     // Thread
inline constexpr Rights resume = 1u << 12;      // Thread
inline constexpr Rights acknowledge = 1u << 13; // Irq
inline constexpr Rights bind = 1u << 14;        // Irq, Notification, Endpoint (to a Port)
inline constexpr Rights charge = 1u << 15;      // Quota, Budget: create objects that are charged to it
inline constexpr Rights control = 1u << 16;     // Quota, Budget, Lease, Process, IoSpace, Memory: configure, destroy, revoke, grant into, map for a device, resize and seal
inline constexpr Rights all = (1u << 17) - 1;
} // namespace right

// Protection of a mapping.
using Protection = std::uint32_t;
namespace protection {
inline constexpr Protection none = 0;
inline constexpr Protection read = 1u << 0;
inline constexpr Protection write = 1u << 1;
inline constexpr Protection execute = 1u << 2;
} // namespace protection

// Flags of space_map, in the same word as the protection.
namespace map_flag {
inline constexpr std::uint32_t copy_on_write = 1u << 8; // private copy of a Memory's pages; else they are shared
inline constexpr std::uint32_t replace = 1u << 9;       // what is mapped in the range goes; else `exists`
inline constexpr std::uint32_t populate = 1u << 10;     // anonymous: allocate the frames at once
} // namespace map_flag

namespace memory_flag {
inline constexpr std::uint32_t contiguous = 1u << 0; // one physical run, allocated at once, for devices
inline constexpr std::uint32_t populate = 1u << 1;   // allocate all frames at once
} // namespace memory_flag

} // namespace abi
