#include "linux/core/wait.hpp"

namespace personality {

void WaitQueue::wake(std::uint32_t events) {
    for (Waiter& waiter : waiters_)
        waiter.wake(events);
}

} // namespace personality
