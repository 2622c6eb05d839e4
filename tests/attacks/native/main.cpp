// Attacks by native programs, as the first process: each test is an attack that must fail.
#include "kernel/tests/native/test.hpp"

int native_main() {
    kernel_test::run_all();
    return 0;
}
