// Runs the tests of a program and ends the machine through the debug exit device: status 33 where none failed.
#include "kernel/tests/native/test.hpp"

extern "C" const kernel_test::Test __start_user_tests[];
extern "C" const kernel_test::Test __stop_user_tests[];

namespace kernel_test {

namespace {
unsigned failures = 0;
}

void fail(const char* expression, const char* file, unsigned line) {
    ++failures;
    native::print("  ", file, ":", line, ": ", expression);
}

abi::QuotaInfo figures() {
    abi::QuotaInfo info{};
    (void)native::call::quota_inspect(quota(), info);
    return info;
}

} // namespace kernel_test

void kernel_test::run_all() {
    unsigned passed = 0;
    unsigned failed = 0;
    const std::string_view only = native::argument("only");
    for (const kernel_test::Test* test = __start_user_tests; test != __stop_user_tests; ++test) {
        const std::string_view name = test->name;
        if (!only.empty() && only != name && !(name.starts_with(only) && name[only.size()] == '_')) continue;
        kernel_test::failures = 0;
        native::print("run ", test->name);
        test->run();
        native::print(kernel_test::failures ? "FAIL " : "ok ", test->name);
        ++(kernel_test::failures ? failed : passed);
    }
    native::print("native tests: ", passed, " passed, ", failed, " failed");
    (void)native::call::io_port_write(native::granted("io_port"), 0xf4, 4, failed == 0 && passed != 0 ? 0x10 : 0x11);
}
