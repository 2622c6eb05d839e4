// The end of the node: an invariant of the kernel does not hold. Never the answer to anything that a user does.
#pragma once
#include <cstddef>
#include <cstdint>

// What the compiler lays into guarded stack frames.
extern "C" std::uint64_t __stack_chk_guard;

namespace kernel {

// Prints the reason (%u decimal, %x hexadecimal, %s text; all integers are 64 bits), the place and a backtrace on the console, stops the other CPUs and halts.
[[noreturn]] void panic_message(const char* format, const std::uint64_t* arguments, unsigned count);

template <class... T> [[noreturn]] void panic(const char* format, T... arguments) {
    const std::uint64_t list[sizeof...(T) + 1] = {(std::uint64_t)arguments...};
    panic_message(format, list, sizeof...(T));
}

} // namespace kernel
