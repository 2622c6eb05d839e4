// Addresses that user mode passed: checked against one of the two halves, copied with fault fix-up, never followed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace kernel {

class Thread;

// Copies between the kernel and the personality half of the calling thread. Without spinlocks held: a page may have to be brought in.
// Errors: bad_pointer where the range is not within the half, wraps, or is not mapped for the access. A copy that fails may have moved a part.
base::Result<void> copy_from_user(Thread& caller, void* to, std::uint64_t address, std::size_t length);
base::Result<void> copy_to_user(Thread& caller, std::uint64_t address, const void* from, std::size_t length);

// Brings the range in for writing, without a change. Errors: bad_pointer.
base::Result<void> check_writable(Thread& caller, std::uint64_t address, std::size_t length);

// The address of one T in the personality half.
template <class T>
class UserPointer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    explicit UserPointer(std::uint64_t address) : address_(address) {}
    std::uint64_t address() const { return address_; }

    base::Result<T> read(Thread& caller) const {
        T value;
        TRY(copy_from_user(caller, &value, address_, sizeof(T)));
        return value;
    }
    base::Result<void> write(Thread& caller, const T& value) const { return copy_to_user(caller, address_, &value, sizeof(T)); }

private:
    std::uint64_t address_;
};

// A range of bytes in the personality half.
struct UserBytes {
    std::uint64_t address;
    std::uint64_t length;
};

} // namespace kernel
