// siginfo_t of x86_64 (asm-generic/siginfo.h), and si_code values.
#pragma once
#include <cstddef>
#include <cstdint>

namespace personality {

namespace signal_code {
inline constexpr std::int32_t user = 0, kernel = 0x80, queue = -1, timer = -2, message = -3, tkill = -6;
inline constexpr std::int32_t ill_illopn = 2, fpe_intdiv = 1, fpe_fltinv = 7, segv_maperr = 1, segv_accerr = 2, bus_adraln = 1, bus_adrerr = 2, trap_brkpt = 1,
                              trap_trace = 2;
inline constexpr std::int32_t cld_exited = 1, cld_killed = 2, cld_dumped = 3, cld_stopped = 5, cld_continued = 6;
inline constexpr std::int32_t poll_in = 1;
} // namespace signal_code

// The part of siginfo_t that has meaning; the guest's struct is 128 bytes, the rest zero.
struct SignalInfo {
    std::int32_t number = 0;
    std::int32_t error = 0;
    std::int32_t code = 0;
    std::int32_t padding = 0;
    union {
        struct {
            std::int32_t pid;
            std::uint32_t uid;
            std::uint64_t value; // of sigqueue
        } sender;
        struct {
            std::int32_t pid;
            std::uint32_t uid;
            std::int32_t status;
            std::int32_t padding;
            std::int64_t user_time, system_time; // in clock ticks
        } child;
        struct {
            std::int32_t id;
            std::int32_t overrun;
            std::uint64_t value;
            std::int32_t system_private;
        } timer;
        struct {
            std::uint64_t address;
            std::int16_t address_lsb;
        } fault;
        struct {
            std::int64_t band;
            std::int32_t descriptor;
        } poll;
        std::uint64_t words[4] = {};
    };
};
static_assert(sizeof(SignalInfo) == 48 && offsetof(SignalInfo, sender) == 16);
inline constexpr std::size_t signal_info_bytes = 128;

} // namespace personality
