#include "linux/task/constant_calls.hpp"

namespace personality {

void refresh_constant_calls(Task& task) {
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
    abi::ConstantCalls& page = task.page->constants;
    std::uint8_t place = 0;
    for (const auto& [call, value] : constants) {
        page.values[++place] = value;
        page.index[call] = place;
    }
}

} // namespace personality
