// The kernel's Memory objects as files use them. On the build machine a test double stands behind the same functions (kernel_memory_host.cpp).
#pragma once
#include "abi/types.hpp"
#include "linux/core/errno.hpp"

#include <cstddef>
#include <span>

namespace personality::kernel_memory {

// A Memory of `size` bytes (rounded up to pages), charged to the sandbox. Errors: ENOMEM, ENOSPC is the caller's to say, EFBIG.
LinuxResult<abi::Handle> create(std::uint64_t size);
LinuxResult<void> resize(abi::Handle memory, std::uint64_t size);
LinuxResult<void> read(abi::Handle memory, std::uint64_t offset, std::span<std::byte> to);
LinuxResult<void> write(abi::Handle memory, std::uint64_t offset, std::span<const std::byte> from);
// Size in bytes; `frames` is how many pages of it exist.
LinuxResult<std::uint64_t> size(abi::Handle memory, std::uint64_t& frames);
LinuxResult<void> seal(abi::Handle memory);
LinuxResult<abi::Handle> duplicate(abi::Handle memory);
void close(abi::Handle memory);

} // namespace personality::kernel_memory
