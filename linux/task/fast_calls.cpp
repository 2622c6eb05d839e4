#include "linux/task/fast_calls.hpp"

namespace personality {

void refresh_fast_calls(Task& task) {
    if (task.page == nullptr)
        return; // it has not run yet
    const Credentials& who = task.credentials;
    const struct {
        unsigned call;
        std::uint64_t value;
    } constants[] = {
        {39, static_cast<std::uint64_t>(task.process().pid)}, // getpid
        {102, who.user},
        {104, who.group},
        {107, who.effective_user},
        {108, who.effective_group},
        {186, static_cast<std::uint64_t>(task.tid)}, // gettid
    };
    static_assert(sizeof constants / sizeof *constants < abi::constant_values);
    abi::FastCalls& page = task.page->fast_calls;
    std::uint8_t place = 0;
    for (const auto& [call, value] : constants) {
        page.values[++place] = value;
        page.index[call] = place;
    }
    constexpr std::uint32_t wait = 0, wake = 1, wait_for_bits = 9, private_word = 128, realtime = 256; // linux/futex.h
    page.futex = {.wait = wait | private_word,
                  .wait_for_bits = {wait_for_bits | private_word, wait_for_bits | private_word | realtime},
                  .wake = wake | private_word,
                  .changed = -static_cast<std::int64_t>(Errno::EAGAIN)};
    page.index[24] = static_cast<std::uint8_t>(abi::FastCall::yield);  // sched_yield
    page.index[202] = static_cast<std::uint8_t>(abi::FastCall::futex); // futex
}

} // namespace personality
