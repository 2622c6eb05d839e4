// Threads that only compute, for tests of who gets which processor for how long.
#pragma once
#include <span>

#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"

namespace kernel_test {

inline constexpr std::uint64_t code_at = abi::program_base;
inline constexpr unsigned char loop_for_ever[] = {0xeb, 0xfe}; // jmp .
inline constexpr unsigned most_threads = 16, crowd = 64;

// A process whose threads spin, each charged to the budget.
struct Spinners {
    abi::Handle budget = 0;
    abi::Handle process = 0;
    abi::Handle threads[crowd] = {};
    unsigned count = 0;

    std::uint64_t used() const {
        std::uint64_t sum = 0;
        for (unsigned i = 0; i < count; ++i) {
            abi::ThreadInfo info{};
            CHECK(native::call::thread_inspect(threads[i], info));
            sum += info.cpu_nanoseconds;
        }
        return sum;
    }
    void end() {
        const auto watch = native::call::notification_create(quota());
        REQUIRE(watch);
        CHECK(native::call::process_watch(process, *watch, 1));
        CHECK(native::call::process_kill(process, 9));
        CHECK(native::call::notification_wait(*watch, native::after_milliseconds(100'000)));
        for (unsigned i = 0; i < count; ++i) CHECK(native::call::handle_close(threads[i]));
        for (const auto handle : {*watch, process, budget}) CHECK(native::call::handle_close(handle));
    }
};

inline base::Result<Spinners> spin(unsigned count, const abi::BudgetParameters& parameters, abi::Handle parent = budget()) {
    Spinners spinners;
    spinners.budget = TRY(native::call::budget_create(quota(), parent, parameters));
    spinners.process = TRY(native::call::process_create(quota(), spinners.budget));
    const auto its_space = TRY(native::call::process_space(spinners.process));
    const auto memory = TRY(native::call::memory_create(quota(), abi::page_size, 0));
    TRY(native::call::memory_write(memory, 0, std::as_bytes(std::span(loop_for_ever))));
    TRY(native::call::space_map(its_space, memory, code_at, 0, abi::page_size, abi::protection::read | abi::protection::execute));
    for (const auto handle : {its_space, memory}) TRY(native::call::handle_close(handle));
    for (; spinners.count < count; ++spinners.count) {
        spinners.threads[spinners.count] = TRY(native::call::thread_create(spinners.process, spinners.budget));
        TRY(native::call::thread_start(spinners.threads[spinners.count], code_at, abi::stack_base, 0));
    }
    return spinners;
}

inline void sleep(std::uint64_t milliseconds) {
    const auto notification = native::call::notification_create(quota());
    REQUIRE(notification);
    CHECK_ERROR(native::call::notification_wait(*notification, native::after_milliseconds(milliseconds)), timed_out);
    CHECK(native::call::handle_close(*notification));
}

} // namespace kernel_test
