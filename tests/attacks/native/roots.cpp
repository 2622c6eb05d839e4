// Processes that end on several processors at once: their page tables are freed where no processor walks them any more.
#include "abi/kernel_calls.hpp"
#include "kernel/tests/native/child.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

#include <utility>

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr unsigned char signal_the_argument_and_loop[] = {
    0xbe, 1, 0, 0, 0,                                                                            // mov $1,%esi
    0xb8, static_cast<unsigned char>(abi::KernelCall::notification_signal), 0, 0, 0, 0x0f, 0x05, // mov $number,%eax; syscall
    0xeb, 0xfe};                                                                                 // jmp .
constexpr unsigned rounds = 8;
constexpr std::uint64_t length = 2ull << 20;

// Ends processes from the first processor.
struct Ender {
    abi::Handle here, there; // budgets of the first and of the second processor
    std::uint64_t at;        // unused addresses
    unsigned ended = 0;

    // One thread on each. The one here is the last to end: this thread is better than it, and does not wait before the other one is gone.
    void end_one() {
        auto child = Child::create(quota(), signal_the_argument_and_loop);
        REQUIRE(child);
        const native::Owned first(call::thread_create(child->process, there).value_or(0)), last(call::thread_create(child->process, here).value_or(0));
        const native::Owned runs(call::notification_create(quota()).value_or(0));
        const auto granted = call::process_grant(child->process, runs.get(), 0, 0);
        REQUIRE(first && last && granted && call::handle_close(std::exchange(child->thread, abi::no_handle)));
        for (const abi::Handle thread : {first.get(), last.get()})
            CHECK(call::thread_start(thread, Child::code_at, abi::stack_base, *granted) && call::notification_wait(runs.get(), abi::never));
        CHECK(call::process_kill(child->process, 1));
        abi::ProcessInfo info{};
        do CHECK(call::process_inspect(child->process, info));
        while (info.threads > 1);
        CHECK(child->wait());
        // What was freed comes here as zeroes.
        CHECK(call::space_map(space(), 0, at, 0, length, protection::read | protection::write | abi::map_flag::populate));
        CHECK(call::space_unmap(space(), at, length));
        child->close();
        ++ended;
    }
    static void run(void* argument) {
        auto& self = *static_cast<Ender*>(argument);
        for (unsigned i = 0; i < rounds; ++i) self.end_one();
    }
};

} // namespace

KERNEL_USER_TEST(tables_that_are_freed_are_walked_by_no_processor) {
    NEEDS_PROCESSORS(2);
    const native::Owned here(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 1}).value_or(0));
    const native::Owned there(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 2}).value_or(0));
    const native::Owned better(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 1}).value_or(0));
    const auto at = native::reserve_range(length);
    REQUIRE(here && there && better && at);
    Ender ender{here.get(), there.get(), *at};
    const auto thread = native::Thread::create(Ender::run, &ender, {.budget = better.get()});
    REQUIRE(thread);
    (*thread)->join();
    CHECK(ender.ended == rounds);
    native::release_range(*at, length);
}
