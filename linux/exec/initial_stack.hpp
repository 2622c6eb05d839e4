// The stack that a new program finds: argument count, pointers to arguments and environment, the auxiliary vector, and the texts above them
// (System V ABI for x86_64, 3.4.1).
#pragma once
#include "linux/core/errno.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace personality {

struct AuxiliaryEntry {
    std::uint64_t type, value;
};

// Numbers of the auxiliary vector (Linux: include/uapi/linux/auxvec.h).
namespace auxiliary {
inline constexpr std::uint64_t end = 0, ignore = 1, program_headers = 3, program_header_size = 4, program_header_count = 5, page_size = 6, base = 7, flags = 8, entry = 9, uid = 11,
                               euid = 12, gid = 13, egid = 14, platform = 15, hardware = 16, clock_ticks = 17, secure = 23, random = 25, hardware2 = 26, executable = 31,
                               vdso = 33, minimum_signal_stack = 51;
}

// Lays the texts and vectors out below `top` (16-aligned). Two steps: measure, then write into a buffer that is copied to the guest.
class InitialStack {
public:
    // Texts without their NULs. The spans must live as long as this object. `executable` is the path for AT_EXECFN. Values of platform, random and
    // executable in `vector` are filled in here; its end is added.
    InitialStack(std::uint64_t top, std::span<const std::string_view> arguments, std::span<const std::string_view> environment, std::span<AuxiliaryEntry> vector,
                 std::string_view executable);

    // Bytes from the stack pointer to `top`.
    std::size_t size() const { return top_ - pointer_; }
    std::uint64_t pointer() const { return pointer_; } // 16-aligned

    // Fills `buffer` (of size() bytes). `random`: 16 bytes for AT_RANDOM.
    void write(std::span<std::byte> buffer, std::span<const std::byte, 16> random) const;

    std::uint64_t argument_start() const { return arguments_start_; }
    std::uint64_t argument_end() const { return environment_start_; }
    std::uint64_t environment_end() const { return executable_address_; }
    std::uint64_t auxiliary_start() const { return pointer_ + 8 * (1 + arguments_.size() + 1 + environment_.size() + 1); }

private:
    std::uint64_t top_;
    std::span<const std::string_view> arguments_, environment_;
    std::span<AuxiliaryEntry> vector_;
    std::string_view executable_;
    std::uint64_t executable_address_, environment_start_, arguments_start_, random_address_, platform_address_, pointer_;
};

} // namespace personality
