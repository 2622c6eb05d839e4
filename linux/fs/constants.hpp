// Numbers of the Linux interface for files (asm-generic/fcntl.h, linux/stat.h, linux/fs.h, asm-generic/poll.h), as constants of this tree.
#pragma once
#include <cstddef>
#include <cstdint>

namespace personality {

namespace open_flag {
inline constexpr std::uint32_t read_only = 0, write_only = 1, read_write = 2, access_mode = 3;
inline constexpr std::uint32_t create = 0100, exclusive = 0200, no_terminal = 0400, truncate = 01000, append = 02000, nonblock = 04000;
inline constexpr std::uint32_t data_sync = 010000, async = 020000, direct = 040000, large_file = 0100000, directory = 0200000;
inline constexpr std::uint32_t no_follow = 0400000, no_access_time = 01000000, close_on_exec = 02000000, sync = 04010000, path = 010000000;
inline constexpr std::uint32_t temporary = 020000000 | directory;
// What fcntl F_SETFL may change, and what F_GETFL shows.
inline constexpr std::uint32_t settable = append | nonblock | async | direct | no_access_time;
} // namespace open_flag

namespace mode {
inline constexpr std::uint32_t type_mask = 0170000, socket = 0140000, symlink = 0120000, regular = 0100000, block = 0060000, directory = 0040000,
                               character = 0020000, fifo = 0010000;
inline constexpr std::uint32_t set_user = 04000, set_group = 02000, sticky = 01000, permissions = 07777;
} // namespace mode

// d_type of a directory entry is the type bits of the mode shifted down.
constexpr std::uint8_t directory_entry_type(std::uint32_t file_mode) { return static_cast<std::uint8_t>((file_mode & mode::type_mask) >> 12); }

namespace at {
inline constexpr std::int32_t current_directory = -100;
inline constexpr std::uint32_t symlink_nofollow = 0x100, effective_access = 0x200, remove_directory = 0x200, symlink_follow = 0x400, no_automount = 0x800,
                               empty_path = 0x1000, statx_sync_type = 0x6000;
} // namespace at

namespace poll_event {
inline constexpr std::uint32_t in = 0x1, priority = 0x2, out = 0x4, error = 0x8, hang_up = 0x10, invalid = 0x20, read_normal = 0x40, read_band = 0x80,
                               write_normal = 0x100, write_band = 0x200, message = 0x400, read_hang_up = 0x2000;
inline constexpr std::uint32_t readable = in | read_normal, writable = out | write_normal;
inline constexpr std::uint32_t exclusive = 1u << 28, wake_up = 1u << 29, one_shot = 1u << 30, edge_triggered = 1u << 31;
} // namespace poll_event

namespace seal { // F_SEAL_*
inline constexpr std::uint32_t seal = 1, shrink = 2, grow = 4, write = 8, future_write = 16, all = 31;
}

inline constexpr int seek_set = 0, seek_current = 1, seek_end = 2, seek_data = 3, seek_hole = 4;
inline constexpr std::size_t path_max = 4096; // with the NUL
inline constexpr std::size_t name_max = 255;
inline constexpr unsigned symlink_limit = 40;
inline constexpr std::uint64_t max_file_size = 0x7fff'ffff'ffff'f000;

constexpr std::uint64_t make_device(std::uint32_t major, std::uint32_t minor) {
    return (std::uint64_t{major & 0xfff} << 8) | (minor & 0xff) | (std::uint64_t{minor & ~0xffu} << 12) | (std::uint64_t{major & ~0xfffu} << 32);
}
constexpr std::uint32_t device_major(std::uint64_t device) { return ((device >> 8) & 0xfff) | static_cast<std::uint32_t>((device >> 32) & ~0xfffull); }
constexpr std::uint32_t device_minor(std::uint64_t device) { return (device & 0xff) | static_cast<std::uint32_t>((device >> 12) & ~0xffull); }

} // namespace personality
