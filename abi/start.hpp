// What a native program finds when it starts: its handles by name, and its arguments.
#pragma once
#include "abi/types.hpp"

namespace abi {

inline constexpr std::uint32_t start_magic = 0x54534d54; // "TMST"
inline constexpr std::size_t start_name_bytes = 32;

struct StartHandle {
    char name[start_name_bytes]; // NUL-padded, at most 31 bytes
    Handle handle;
};

// Read-only in the started process. `handles` follows at once; then `argument_bytes` bytes of arguments (NUL-terminated strings, or a TLV record list,
// as the program's own documentation says).
struct StartInfo {
    std::uint32_t magic;
    std::uint32_t size; // bytes of everything
    std::uint32_t handle_count;
    std::uint32_t argument_bytes;

    const StartHandle* handles() const { return reinterpret_cast<const StartHandle*>(this + 1); }
    const char* arguments() const { return reinterpret_cast<const char*>(handles() + handle_count); }
};

inline constexpr std::uint64_t personality_base = 0xffff'8000'0000'0000;
inline constexpr std::uint64_t personality_end = 0xffff'8080'0000'0000;
inline constexpr std::uint64_t guest_end = 0x0000'7fff'ffff'f000;
inline constexpr std::uint64_t program_base = 0xffff'8000'0020'0000;  // where native programs are linked
inline constexpr std::uint64_t heap_base = 0xffff'8010'0000'0000;     // free for the program's own mappings, up to stack_base
inline constexpr std::uint64_t stack_base = 0xffff'8070'0000'0000;    // native stacks, 64 KiB each, aligned, a guard page at their low end
inline constexpr std::uint64_t thread_pages_base = 0xffff'807f'0000'0000; // the kernel puts ThreadPages here and up
inline constexpr std::uint64_t stack_size = 64 * 1024;

// The clock page: mapped read-only by everyone. Monotonic nanoseconds = ((tsc - tsc_base) * multiplier >> shift) + base_nanoseconds.
// `sequence` is odd while a writer is at work.
struct ClockPage {
    std::uint64_t tsc_base;
    std::uint64_t base_nanoseconds;
    std::uint64_t multiplier; // with a 128-bit product
    std::uint32_t shift;
    std::uint32_t reserved;
    std::uint64_t tsc_hertz;
    std::uint64_t padding[3];
    // Written by the time server alone.
    std::uint64_t sequence;
    std::uint64_t realtime_offset; // nanoseconds since 1970 at monotonic 0
};
static_assert(offsetof(ClockPage, sequence) == 64);

} // namespace abi
