// ioctl requests that files of this folder know (asm-generic/ioctls.h, linux/sockios.h).
//
// The call copies what a known request reads and writes between the guest and a buffer of its own; a File's ioctl gets the address of that buffer. For a
// request whose argument is a plain number it gets the number.
#pragma once
#include <cstddef>
#include <cstdint>

namespace personality {

namespace ioctl_request {
inline constexpr std::uint32_t get_terminal = 0x5401, set_terminal = 0x5402, set_terminal_drain = 0x5403, set_terminal_flush = 0x5404, drain = 0x5409, flush = 0x540b,
                               set_controlling = 0x540e, get_foreground = 0x540f, set_foreground = 0x5410, output_queue = 0x5411, get_window = 0x5413,
                               set_window = 0x5414, bytes_readable = 0x541b, set_nonblocking = 0x5421, give_up_terminal = 0x5422, get_session = 0x5429,
                               get_pty_number = 0x80045430, lock_pty = 0x40045431, clear_close_on_exec = 0x5450, set_close_on_exec = 0x5451,
                               set_async = 0x5452;
inline constexpr std::uint32_t interface_list = 0x8912, interface_name = 0x8910, interface_flags = 0x8913, interface_address = 0x8915,
                               interface_broadcast = 0x8919, interface_netmask = 0x891b, interface_metric = 0x891d, interface_mtu = 0x8921,
                               interface_hardware = 0x8927, interface_index = 0x8933, interface_queue = 0x8942;
} // namespace ioctl_request

struct IoctlShape {
    std::uint16_t in;  // bytes read from the guest
    std::uint16_t out; // bytes written back on success
};
inline constexpr std::size_t ioctl_buffer_bytes = 64;

// Zero for requests without a pointer, and for unknown ones.
constexpr IoctlShape ioctl_shape(std::uint32_t request) {
    using namespace ioctl_request;
    switch (request) {
    case get_terminal: return {0, 36};
    case set_terminal: case set_terminal_drain: case set_terminal_flush: return {36, 0};
    case get_window: return {0, 8};
    case set_window: return {8, 0};
    case get_foreground: case output_queue: case bytes_readable: case get_session: case get_pty_number: return {0, 4};
    case set_foreground: case set_nonblocking: case lock_pty: case set_async: return {4, 0};
    case interface_name: case interface_flags: case interface_address: case interface_broadcast: case interface_netmask: case interface_metric:
    case interface_mtu: case interface_hardware: case interface_index: case interface_queue:
        return {40, 40};
    case interface_list: return {16, 16};
    default: return {0, 0};
    }
}

template <class T> T* ioctl_argument(std::uint64_t argument) { return reinterpret_cast<T*>(argument); }

} // namespace personality
