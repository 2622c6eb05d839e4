#include "kernel/core/log.hpp"

#include "kernel/arch/console.hpp"
#include "kernel/core/display.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel {

namespace {

constexpr std::size_t ring_bytes = 256 * 1024;
constinit SpinLock lock{LockRank::log}; // the order of lines on the console too
constinit char ring[ring_bytes] BASE_GUARDED_BY(lock) = {};
constinit std::uint64_t written BASE_GUARDED_BY(lock) = 0;

void put(char character) BASE_REQUIRES(lock) {
    ring[written++ % ring_bytes] = character;
    arch::console_put(character);
    display::put(character);
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

void log_message(const char* format, const std::uint64_t* arguments, unsigned count) {
    char line[256];
    const std::size_t length = format_message(std::span(line, sizeof line - 1), format, arguments, count);
    line[length] = '\n';
    const LockGuard guard(lock);
    for (std::size_t i = 0; i <= length; ++i)
        put(line[i]);
}

void log_text(std::string_view text) {
    const LockGuard guard(lock);
    for (const char character : text)
        put(character == '\n' || (character >= ' ' && character != 0x7f) || static_cast<unsigned char>(character) >= 0x80 ? character : '?');
}

std::size_t log_copy(std::uint64_t& position, std::span<std::byte> to) {
    const LockGuard guard(lock);
    if (written > ring_bytes && position < written - ring_bytes)
        position = written - ring_bytes;
    std::size_t length = 0;
    while (length < to.size() && position + length < written) {
        to[length] = static_cast<std::byte>(ring[(position + length) % ring_bytes]);
        ++length;
    }
    return length;
}

} // namespace kernel
