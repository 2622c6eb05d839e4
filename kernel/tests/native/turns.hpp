// Threads that share the first processor, where their priorities say whose turn it is: what another one does between two lines of a test is known then.
#pragma once
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/thread.hpp"

namespace kernel_test {

// A budget of that priority for threads on the first processor.
inline native::Owned of_priority(std::uint32_t priority) { return native::Owned(native::call::budget_create(quota(), budget(), {1024, priority, 0, 0, 1}).value_or(0)); }

// Null where it could not be made.
inline native::Thread* start(void (*entry)(void*), const native::Owned& its_budget, void* argument = nullptr) {
    return native::Thread::create(entry, argument, {.budget = its_budget.get()}).value_or(nullptr);
}

// Runs it on a thread of that priority, to its end.
inline void run_at(std::uint32_t priority, void (*entry)(void*), void* argument = nullptr) {
    const native::Owned its_budget = of_priority(priority);
    auto* const thread = start(entry, its_budget, argument);
    REQUIRE(thread);
    thread->join();
}

// Until no thread of that processor above `priority`, but the caller, has anything to do: whoever has just begun to wait there waits.
inline void until_others_wait(std::uint32_t priority) {
    const native::Owned bell(native::call::notification_create(quota()).value_or(0)), its_budget = of_priority(priority);
    abi::Handle told = bell.get();
    auto* const teller = start([](void* handle) { CHECK(native::call::notification_signal(*static_cast<abi::Handle*>(handle), 1)); }, its_budget, &told);
    REQUIRE(teller);
    CHECK(native::call::notification_wait(told, abi::never));
    teller->join();
}

} // namespace kernel_test
