// Character devices: null, zero, full, random, urandom, and the controlling terminal.
#pragma once
#include "linux/fs/dentry.hpp"

namespace personality {

namespace device_number {
inline constexpr std::uint64_t null = make_device(1, 3), zero = make_device(1, 5), full = make_device(1, 7), random = make_device(1, 8),
                               urandom = make_device(1, 9), tty = make_device(5, 0), console = make_device(5, 1), ptmx = make_device(5, 2);
}

// Errors: ENXIO (nothing has this number, or no controlling terminal).
LinuxResult<base::Ref<File>> open_device(const Location& location, std::uint32_t flags);

// Random bytes from the sandbox' generator. Sandbox lock.
void random_bytes(std::span<std::byte> to);

// A new open file description of the terminal of the calling task's session, or null. Set by the process part.
using TerminalFinder = base::Ref<File> (*)();
void set_terminal_finder(TerminalFinder finder);

} // namespace personality
