// Runs the tests of a program and ends the machine through the debug exit device: status 33 where none failed.
#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"

extern "C" const kernel_test::Test __start_user_tests[];
extern "C" const kernel_test::Test __stop_user_tests[];

namespace kernel_test {

namespace {

unsigned failures = 0;
const char* skipped_for = nullptr;

bool is_named_by(std::string_view word, const Test& test) {
    const std::string_view name = test.name;
    const std::string_view file = test.file;
    return word == name || (name.starts_with(word) && name[word.size()] == '_') || (file.starts_with(word) && file.substr(word.size()) == ".cpp");
}

bool is_wanted(std::string_view only, const Test& test) {
    if (only.empty()) return true;
    for (;;) {
        const auto comma = only.find(',');
        if (is_named_by(only.substr(0, comma), test)) return true;
        if (comma == std::string_view::npos) return false;
        only.remove_prefix(comma + 1);
    }
}

// Threads of the tests before may still be on their way out, and what they hold is in the figures that the next one compares.
class Others {
public:
    void let_go() {
        auto before = figures();
        for (unsigned turn = 0; turn < 500; ++turn) {
            nap(turn < 20 ? 1 : 20);
            const auto now = figures();
            if (threads_of(now) <= usual_ && !is_more(before, now)) return;
            before = now;
        }
        usual_ = threads_of(before); // what a test keeps is not waited for again
    }

private:
    static std::uint64_t threads_of(const abi::QuotaInfo& info) { return info.object_count[static_cast<std::size_t>(abi::ObjectKind::thread)]; }
    std::uint64_t usual_ = threads_of(figures());
};

} // namespace

void fail(const char* expression, const char* file, unsigned line) {
    ++failures;
    native::print("  ", file, ":", line, ": ", expression);
}

void skip(const char* reason) { skipped_for = reason; }

abi::QuotaInfo figures() {
    abi::QuotaInfo info{};
    (void)native::call::quota_inspect(quota(), info);
    return info;
}

} // namespace kernel_test

void kernel_test::run_all() {
    unsigned passed = 0;
    unsigned failed = 0;
    unsigned skipped = 0;
    const std::string_view only = native::argument("only");
    Others others;
    for (const kernel_test::Test* test = __start_user_tests; test != __stop_user_tests; ++test) {
        if (!is_wanted(only, *test)) continue;
        others.let_go();
        kernel_test::failures = 0;
        kernel_test::skipped_for = nullptr;
        native::print("run ", test->name);
        test->run();
        if (kernel_test::failures == 0 && kernel_test::skipped_for) {
            native::print("skip ", test->name, ": ", kernel_test::skipped_for);
            ++skipped;
            continue;
        }
        native::print(kernel_test::failures ? "FAIL " : "ok ", test->name);
        ++(kernel_test::failures ? failed : passed);
    }
    native::print("native tests: ", passed, " passed, ", failed, " failed, ", skipped, " skipped");
    (void)native::call::io_port_write(native::granted("io_port"), 0xf4, 4, failed == 0 && passed + skipped != 0 ? 0x10 : 0x11);
}
