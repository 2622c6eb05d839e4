// The guest's memory, as the personality reaches it. Only the assembly routines behind these functions touch it.
//
// Sandbox lock NOT held: a failing access asks the memory map of the calling task to resolve the fault (stack growth, a file that grew), which takes the lock.
// Every datum is fetched once: what was copied in is checked and used, never read again.
#pragma once
#include "linux/core/errno.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace personality {

// Errors of all: EFAULT. Nothing is said about how much was copied then, but for the `partial` forms.
LinuxResult<void> copy_in(std::span<std::byte> to, std::uint64_t from);
LinuxResult<void> copy_out(std::uint64_t to, std::span<const std::byte> from);
LinuxResult<void> clear_user(std::uint64_t address, std::uint64_t length);
// Bytes that were copied before a fault; EFAULT only where not one byte was. As Linux' read and write do it.
LinuxResult<std::size_t> copy_in_partial(std::span<std::byte> to, std::uint64_t from);
LinuxResult<std::size_t> copy_out_partial(std::uint64_t to, std::span<const std::byte> from);
// A NUL-terminated string: its length without the NUL, which is copied too. ENAMETOOLONG where it does not fit.
LinuxResult<std::size_t> copy_string(std::span<char> to, std::uint64_t from);
// True where [address, address + length) lies in the guest half. Says nothing about mappings.
bool user_range(std::uint64_t address, std::uint64_t length);

// The address of a T, or of an array of them, in guest memory.
template <class T> class UserPtr {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    constexpr UserPtr() = default;
    constexpr explicit UserPtr(std::uint64_t address) : address_(address) {}
    constexpr std::uint64_t address() const { return address_; }
    constexpr explicit operator bool() const { return address_ != 0; }
    constexpr UserPtr operator+(std::uint64_t count) const { return UserPtr(address_ + count * sizeof(T)); }

    LinuxResult<T> read() const {
        T value;
        if (auto copied = copy_in(std::as_writable_bytes(std::span<T>(&value, 1)), address_); !copied)
            return fail(copied.error());
        return value;
    }
    LinuxResult<void> write(const T& value) const { return copy_out(address_, std::as_bytes(std::span<const T>(&value, 1))); }
    LinuxResult<void> read(std::span<T> to) const { return copy_in(std::as_writable_bytes(to), address_); }
    LinuxResult<void> write(std::span<const T> from) const { return copy_out(address_, std::as_bytes(from)); }

private:
    std::uint64_t address_ = 0;
};

} // namespace personality
