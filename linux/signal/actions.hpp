// What a process does with each signal (struct kernel_sigaction of x86_64).
#pragma once
#include "lib/base/ref.hpp"
#include "linux/signal/signal_set.hpp"

#include <array>

namespace personality {

struct SignalAction {
    std::uint64_t handler = 0; // 0 default, 1 ignore
    std::uint64_t flags = 0;
    std::uint64_t restorer = 0;
    SignalSet mask = 0;
};
static_assert(sizeof(SignalAction) == 32);

inline constexpr std::uint64_t handler_default = 0, handler_ignore = 1;

namespace action_flag {
inline constexpr std::uint64_t no_child_stop = 1, no_child_wait = 2, info = 4, unsupported = 0x400, restorer = 0x04000000, on_stack = 0x08000000,
                               restart = 0x10000000, no_defer = 0x40000000, reset_handler = 0x80000000;
}

// Shared by the threads of a process (and by clone(CLONE_SIGHAND)). Sandbox lock.
struct SignalActions : base::RefCounted<SignalActions> {
    std::array<SignalAction, signal_number::last> actions;
    SignalAction& of(int number) { return actions[static_cast<unsigned>(number - 1) & 63]; }
    bool ignored(int number) const {
        const SignalAction& action = actions[static_cast<unsigned>(number - 1) & 63];
        return action.handler == handler_ignore || (action.handler == handler_default && default_action(number) == DefaultAction::ignore);
    }
};

} // namespace personality
