// Copies between the kernel and an address of user mode in the root that is loaded.
#pragma once
#include <cstdint>

extern "C" {
std::uint32_t copy_user(void* to, const void* from, std::uint64_t length);
extern const char copy_user_begin[], copy_user_end[], copy_user_landing[];
}

namespace kernel::arch {

// 0, or 1 where a page fault ended it: a part may have been copied. The address is checked by the caller, interrupts are off.
using ::copy_user;
// The same for three words; true where that was done.
[[gnu::always_inline]] inline bool store_user(std::uint64_t to, std::uint64_t first, std::uint64_t second, std::uint64_t third) {
    bool done;
    register std::uint64_t address asm("r8") = to;
    asm volatile("call store_user" : "=@ccz"(done), "+a"(first) : "r"(address), "d"(second), "c"(third) : "memory");
    return done;
}

} // namespace kernel::arch
