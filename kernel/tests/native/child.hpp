// Processes of a page of machine code.
#pragma once
#include <span>

#include "kernel/tests/native/test.hpp"

namespace kernel_test {

// Its handles belong to whoever made it, until close().
struct Child {
    static constexpr std::uint64_t code_at = abi::program_base;

    abi::Handle process = 0;
    abi::Handle thread = 0;
    abi::Handle watch = 0;

    // One that has not started, of at most a page of code that can be put anywhere. What fails half-way leaves its handles behind. Errors: those of the calls.
    static base::Result<Child> create(abi::Handle payer, std::span<const unsigned char> code, abi::Handle budget = kernel_test::budget()) {
        namespace call = native::call;
        namespace protection = abi::protection;
        Child child;
        child.process = TRY(call::process_create(payer, budget));
        const auto its_space = TRY(call::process_space(child.process));
        const auto memory = TRY(call::memory_create(payer, abi::page_size, 0));
        TRY(call::memory_write(memory, 0, std::as_bytes(code)));
        TRY(call::space_map(its_space, memory, code_at, 0, abi::page_size, protection::read | protection::execute));
        TRY(call::space_map(its_space, 0, stack_at, 0, abi::page_size, protection::read | protection::write));
        child.thread = TRY(call::thread_create(child.process, budget));
        child.watch = TRY(call::notification_create(quota()));
        TRY(call::process_watch(child.process, child.watch, 1));
        TRY(call::handle_close(its_space));
        TRY(call::handle_close(memory));
        return child;
    }
    static base::Result<Child> start(abi::Handle payer, std::span<const unsigned char> code, std::uint64_t argument) {
        Child child = TRY(create(payer, code));
        TRY(child.run(argument));
        return child;
    }

    // The code has the argument in rdi, its ThreadPage in rsi.
    base::Result<void> run(std::uint64_t argument) const {
        return native::call::thread_start(thread, code_at, stack_at + abi::page_size - 8, argument);
    }
    bool wait() const { return native::call::notification_wait(watch, abi::never).has_value(); }
    void close() {
        for (const auto handle : {process, thread, watch}) (void)native::call::handle_close(handle);
    }

private:
    static constexpr std::uint64_t stack_at = abi::stack_base + abi::page_size;
};

} // namespace kernel_test
