// The object that every program finds through AT_SYSINFO_EHDR (man 7 vdso): clocks without a system call. It runs as part of the guest, with no more rights
// than the guest: it reads the clock page, which lies one page below the object (linux/exec/vdso.hpp), and asks the personality for what is not there.
#include "lib/native/clock_page.hpp"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));

namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr long call_clock_gettime = 228, call_clock_getres = 229;

struct TimeSpec {
    std::int64_t seconds, nanoseconds;
};
struct TimeZone {
    std::int32_t minutes_west, daylight_saving;
};

const abi::ClockPage& page() { return *reinterpret_cast<const abi::ClockPage*>(__ehdr_start - abi::page_size); }

long system_call(long number, std::uint64_t first, void* second) {
    long result;
    asm volatile("syscall" : "=a"(result) : "0"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
    return result;
}

enum class Source { realtime, monotonic, elsewhere };

// CLOCK_REALTIME 0, MONOTONIC 1, MONOTONIC_RAW 4, REALTIME_COARSE 5, MONOTONIC_COARSE 6, BOOTTIME 7, TAI 11; those of processes and threads are counted by the kernel.
Source source_of(int clock) {
    constexpr unsigned realtime = 1u << 0 | 1u << 5 | 1u << 11, monotonic = 1u << 1 | 1u << 4 | 1u << 6 | 1u << 7;
    if (clock < 0 || clock > 11)
        return Source::elsewhere;
    if ((realtime >> clock & 1) != 0)
        return Source::realtime;
    return (monotonic >> clock & 1) != 0 ? Source::monotonic : Source::elsewhere;
}

} // namespace

extern "C" {

__attribute__((visibility("default"))) int __vdso_clock_gettime(int clock, TimeSpec* time) {
    const Source source = source_of(clock);
    if (source == Source::elsewhere)
        return static_cast<int>(system_call(call_clock_gettime, static_cast<std::uint64_t>(clock), time));
    const std::uint64_t now = source == Source::realtime ? native::realtime_of(page()) : native::monotonic_of(page());
    time->seconds = static_cast<std::int64_t>(now / second);
    time->nanoseconds = static_cast<std::int64_t>(now % second);
    return 0;
}

__attribute__((visibility("default"))) int __vdso_clock_getres(int clock, TimeSpec* resolution) {
    if (source_of(clock) == Source::elsewhere)
        return static_cast<int>(system_call(call_clock_getres, static_cast<std::uint64_t>(clock), resolution));
    if (resolution != nullptr)
        *resolution = {0, 1};
    return 0;
}

__attribute__((visibility("default"))) int __vdso_gettimeofday(TimeSpec* time, TimeZone* zone) {
    if (time != nullptr) {
        const std::uint64_t now = native::realtime_of(page());
        *time = {static_cast<std::int64_t>(now / second), static_cast<std::int64_t>(now % second / 1000)};
    }
    if (zone != nullptr)
        *zone = {0, 0};
    return 0;
}

__attribute__((visibility("default"))) std::int64_t __vdso_time(std::int64_t* time) {
    const auto now = static_cast<std::int64_t>(native::realtime_of(page()) / second);
    if (time != nullptr)
        *time = now;
    return now;
}

} // extern "C"
