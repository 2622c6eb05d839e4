#include "kernel/tests/harness.hpp"

#include "kernel/arch/instructions.hpp"

extern "C" const kernel::KernelTest kernel_tests_begin[], kernel_tests_end[];

namespace kernel {

namespace {
constinit unsigned failures = 0;
}

void fail_test(const char* expression, const char* file, unsigned line) {
    ++failures;
    log("  %s:%u: %s does not hold", file, line, expression);
}

void run_kernel_tests() {
    unsigned passed = 0, failed = 0;
    for (const KernelTest* test = kernel_tests_begin; test != kernel_tests_end; ++test) {
        failures = 0;
        test->run();
        log(failures == 0 ? "ok %s" : "FAIL %s", test->name);
        ++(failures == 0 ? passed : failed);
    }
    log("kernel tests: %u passed, %u failed", passed, failed);
    arch::out32(0xf4, failed == 0 && passed != 0 ? 0x10 : 0x11);
    arch::halt_for_ever();
}

} // namespace kernel
