// The kernel's calls: the generated stubs (native::call), and what C++ wants to say about some of them.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "native/kernel_stubs.hpp"

namespace native {

inline std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

[[noreturn]] inline void exit_process(std::uint64_t status) {
    for (;;)
        (void)call::process_exit(status);
}

// Operations of thread_control.
namespace thread_operation {
inline constexpr std::uint32_t stop = 1;
inline constexpr std::uint32_t suspend = 2;
inline constexpr std::uint32_t resume = 3;
} // namespace thread_operation

// Flags of futex_wait and futex_wake.
namespace futex_flag {
inline constexpr std::uint32_t guest = 1u << 0;  // the address is in the guest half of the attached space
inline constexpr std::uint32_t shared = 1u << 1; // the word is in a shared Memory
} // namespace futex_flag
inline constexpr std::uint32_t any_futex_bits = 0xffffffff;

inline base::Result<void> futex_wait(const void* word, std::uint32_t expected, abi::Deadline deadline = abi::never) {
    return call::futex_wait(address_of(word), expected, deadline, 0, any_futex_bits);
}
inline void futex_wake(const void* word, std::uint32_t count) { (void)call::futex_wake(address_of(word), count, 0, 0, 0, any_futex_bits); }

// Key of port_bind that unbinds.
inline constexpr std::uint64_t unbind_key = UINT64_MAX;

// A second slot with the same object. `rights` 0: the same.
inline base::Result<abi::Handle> duplicate(abi::Handle handle, abi::Rights rights = 0, std::uint64_t badge = 0, abi::Handle lease = abi::no_handle) {
    return call::handle_duplicate(handle, rights, badge, lease);
}

} // namespace native
