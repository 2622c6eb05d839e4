#include "servers/runtime/endings.hpp"

#include "lib/base/weaken.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/thread.hpp"

namespace runtime {

base::Result<void> Endings::prepare(abi::Handle bell) {
    bell_ = bell;
    for (unsigned count = 0; count < workers; ++count)
        TRY(native::start_thread(work, this));
    return {};
}

void Endings::begin(Ending& ending, abi::Handle quota) {
    if (ending.begun_)
        return;
    ending.begun_ = true;
    ending.quota_ = quota;
    const native::LockGuard guard(mutex_);
    *last_ = &ending;
    last_ = &ending.next_;
    begun_.signal();
}

void Endings::wait_for(const Ending& ending) {
    const native::LockGuard guard(mutex_);
    while (!ending.over())
        (void)over_.wait(mutex_);
}

void Endings::work(void* self) { static_cast<Endings*>(self)->work(); }

void Endings::work() {
    for (;;) {
        Ending* ending = nullptr;
        {
            const native::LockGuard guard(mutex_);
            while (first_ == nullptr)
                (void)begun_.wait(mutex_);
            ending = first_;
            first_ = ending->next_;
            if (first_ == nullptr)
                last_ = &first_;
        }
        if (!base::weakened(base::Weakness::sandbox_processes))
            (void)native::call::quota_destroy(ending->quota_);
        {
            const native::LockGuard guard(mutex_);
            // Who sees this may free it.
            ending->over_.store(true, std::memory_order_release);
            over_.broadcast();
        }
        (void)native::call::notification_signal(bell_, 1);
    }
}

} // namespace runtime
