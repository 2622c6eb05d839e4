// What a system call handler gets and gives.
#pragma once
#include "lib/base/result.hpp"
#include "linux/core/errno.hpp"
#include "linux/core/lock.hpp"
#include "linux/memory/user_memory.hpp"

#include <cstdint>

namespace personality {

class Task;

// The six argument registers, as the program filled them.
class CallArguments {
public:
    constexpr CallArguments(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e, std::uint64_t f) : words_{a, b, c, d, e, f} {}

    constexpr std::uint64_t operator[](unsigned index) const { return words_[index & 7]; }
    constexpr std::uint64_t word(unsigned index) const { return words_[index & 7]; }
    constexpr std::int64_t offset(unsigned index) const { return static_cast<std::int64_t>(words_[index & 7]); }
    constexpr std::uint32_t u32(unsigned index) const { return static_cast<std::uint32_t>(words_[index & 7]); }
    constexpr std::int32_t i32(unsigned index) const { return static_cast<std::int32_t>(words_[index & 7]); }
    template <class T> constexpr UserPtr<T> pointer(unsigned index) const { return UserPtr<T>(words_[index & 7]); }

private:
    std::uint64_t words_[8] = {};
};

// Runs on the calling task's own native thread (its stack is 64 KiB), without the sandbox lock. The value goes to rax; an error as its negative number.
// ERESTARTSYS and its kin are resolved by the signal code behind the call.
using CallHandler = LinuxResult<std::uint64_t> (*)(Task& task, const CallArguments& arguments);

} // namespace personality
