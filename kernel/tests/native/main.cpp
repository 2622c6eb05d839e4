// Tests of the kernel's calls, as the first process.
#include "kernel/tests/native/test.hpp"

int native_main() {
    if (native::argument("costs") == "1") kernel_test::print_costs();
    kernel_test::run_all();
    return 0;
}
