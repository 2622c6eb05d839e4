#include "kernel/core/log.hpp"

#include <atomic>
#include <utility>

#include "kernel/arch/clock.hpp"
#include "kernel/arch/console.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/console_feed.hpp"
#include "kernel/core/display.hpp"
#include "kernel/core/log_ring.hpp"
#include "kernel/core/preempt.hpp"
#include "lib/base/rate_limit.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constinit SpinLock lock{LockRank::log};
constinit LogRing ring BASE_GUARDED_BY(lock);
constinit base::RateLimit limit BASE_GUARDED_BY(lock){32, 4};
constinit std::uint64_t left_out BASE_GUARDED_BY(lock) = 0; // lines above the limit

// Taken by trying alone: a device may be slow.
constinit SpinLock console_lock{LockRank::console};
constinit ConsoleFeed feed BASE_GUARDED_BY(console_lock);
constinit std::atomic<std::uint64_t> shown = 0; // the feed's, for whoever waits for it

// How often a device that takes nothing is tried: for some tenths of a second, without a pause or after longer and longer ones.
constexpr unsigned tries_on_end = 200'000, tries_with_pauses = 64;

// Shows the next few characters. False where that is to be tried again later.
bool show_step(unsigned patience) {
    if (!console_lock.try_lock()) return false;
    ConsoleFeed::Part part;
    std::uint64_t end;
    {
        const LockGuard guard(lock);
        part = feed.next(ring);
        end = ring.end();
    }
    const std::size_t taken = arch::console_write(part.text());
    for (const char character : part.text().substr(0, taken)) display::put(character);
    const bool moved = part.length == 0 || feed.took(part, taken, patience, end);
    shown.store(feed.shown(), std::memory_order_release);
    console_lock.unlock();
    return moved;
}
bool is_shown(std::uint64_t end) { return shown.load(std::memory_order_acquire) >= end; }

// False where there is nothing to draw, or another processor is at it.
bool draw_step() {
    if (!console_lock.try_lock()) return false;
    const bool more = display::draw_step();
    console_lock.unlock();
    return more;
}

// Where nobody else is to run: at boot.
void show_at_once(std::uint64_t end) {
    while (!is_shown(end))
        if (!show_step(tries_on_end)) arch::relax();
    while (draw_step()) {
    }
}

// By a thread without locks.
void show_in_steps(std::uint64_t end) {
    for (unsigned attempt = 0; !is_shown(end);) {
        if (show_step(tries_with_pauses)) {
            attempt = 0;
            preemption_point();
        } else {
            wait_for_turn(attempt++);
        }
    }
    // Others may write on meanwhile.
    for (unsigned steps = 0; steps < display::most_steps && draw_step(); ++steps) preemption_point();
}

// One piece of the log. Gives its end.
std::uint64_t append(std::string_view text) {
    const LockGuard guard(lock);
    for (const char character : text)
        ring.put(character == '\n' || (character >= ' ' && character != 0x7f) || static_cast<unsigned char>(character) >= 0x80 ? character : '?');
    return ring.end();
}

std::uint64_t append_line(const char* format, const std::uint64_t* arguments, unsigned count) {
    char line[256];
    const std::size_t length = format_message(std::span(line, sizeof line - 1), format, arguments, count);
    line[length] = '\n';
    return append({line, length + 1});
}

std::size_t digits(char (&buffer)[24], std::uint64_t value, unsigned base) {
    std::size_t length = 0;
    do {
        buffer[length++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    return length;
}

} // namespace

std::size_t format_message(std::span<char> to, const char* format, const std::uint64_t* arguments, unsigned count) {
    std::size_t used = 0;
    unsigned next = 0;
    const auto add = [&](char character) {
        if (used < to.size())
            to[used++] = character;
    };
    for (; *format != 0; ++format) {
        if (*format != '%') {
            add(*format);
            continue;
        }
        const char kind = *++format;
        if (kind == 0)
            break;
        const std::uint64_t value = next < count ? arguments[next++] : 0;
        if (kind == 's') {
            for (const char* text = reinterpret_cast<const char*>(value); text != nullptr && *text != 0; ++text)
                add(*text);
        } else {
            char buffer[24];
            for (std::size_t i = digits(buffer, value, kind == 'x' ? 16 : 10); i > 0; --i)
                add(buffer[i - 1]);
        }
    }
    return used;
}

void log_message(const char* format, const std::uint64_t* arguments, unsigned count) { show_at_once(append_line(format, arguments, count)); }

void log_message_at_most(const char* format, const std::uint64_t* arguments, unsigned count) {
    const std::uint64_t now = arch::monotonic_nanoseconds();
    const bool servers = caller_goes_first(); // who programs take no lines from
    std::uint64_t before;
    {
        const LockGuard guard(lock);
        if (!servers && !limit.take(now) && !base::weakened(base::Weakness::log_limit)) {
            ++left_out;
            return;
        }
        before = std::exchange(left_out, 0);
    }
    if (before != 0)
        (void)append_line("%u lines left out", &before, 1);
    show_in_steps(append_line(format, arguments, count));
}

void log_text(std::string_view text) { show_in_steps(append(text)); }

std::size_t log_copy(std::uint64_t& position, std::span<char> to) {
    const LockGuard guard(lock);
    return ring.copy(position, to);
}

void log_show_rest() BASE_NO_THREAD_SAFETY_ANALYSIS {
    for (ConsoleFeed::Part part = feed.next(ring); part.length != 0; part = feed.next(ring)) {
        for (const char character : part.text()) arch::console_put(character);
        (void)feed.took(part, part.length, 1, ring.end());
    }
}

} // namespace kernel
