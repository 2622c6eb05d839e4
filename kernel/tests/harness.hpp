// Tests that run inside the booted kernel, when its command line has `test=kernel`.
#pragma once
#include "kernel/core/log.hpp"

namespace kernel {

struct KernelTest {
    const char* name;
    void (*run)();
};

// Runs all, prints `ok NAME` or `FAIL NAME` and `kernel tests: N passed, N failed`, and ends the machine through the debug exit device: status 33 where none failed.
[[noreturn]] void run_kernel_tests();

// Notes a failure of the running test.
void fail_test(const char* expression, const char* file, unsigned line);

} // namespace kernel

#define KERNEL_TEST(name)                                                                                                                            \
    static void kernel_test_##name();                                                                                                                 \
    [[gnu::used, gnu::section(".kernel_tests")]] static const ::kernel::KernelTest kernel_test_entry_##name{#name, kernel_test_##name};               \
    static void kernel_test_##name()

// Goes on after a failure.
#define EXPECT(expression)                                                                                                                            \
    do {                                                                                                                                              \
        if (!(expression))                                                                                                                            \
            ::kernel::fail_test(#expression, __FILE__, __LINE__);                                                                                     \
    } while (false)
