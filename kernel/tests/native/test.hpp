// A test program of its own needs little: a list of tests, and expectations that go on after a failure.
#pragma once
#include <cstdint>

#include "lib/native/handle.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

namespace kernel_test {

struct Test {
    const char* name;
    const char* file; // without the folder
    void (*run)();
};

void fail(const char* expression, const char* file, unsigned line);

// Says why the test that runs does not apply to this machine; it then counts neither as passed nor as failed, where nothing failed before.
void skip(const char* reason);

// The error of a result, or no error.
template <class T>
std::int32_t error_of(const base::Result<T>& result) {
    return result ? 0 : static_cast<std::int32_t>(result.error());
}

inline abi::Handle quota() { return native::self().quota; }
inline abi::Handle budget() { return native::self().budget; }
inline abi::Handle space() { return native::self().space; }

// Runs all tests of the program, or those that the argument `only` names, and ends the machine: words with commas between them, each the name of a test, the begin of names
// up to a `_`, or a file without `.cpp`.
void run_all();

// Prints what the basic operations take, in nanoseconds and in loads of a page-table root: with QEMU's icount a nanosecond is an instruction.
void print_costs();

// Figures of the node.
abi::QuotaInfo figures();

} // namespace kernel_test

#define KERNEL_USER_TEST(name)                                                                                                                       \
    static void user_test_##name();                                                                                                                  \
    [[gnu::used, gnu::retain, gnu::section("user_tests")]] static const ::kernel_test::Test user_test_entry_##name{                                  \
        #name, __FILE_NAME__, user_test_##name};                                                                                                     \
    static void user_test_##name()

#define CHECK(expression)                                                                                                                            \
    do {                                                                                                                                             \
        if (!(expression)) ::kernel_test::fail(#expression, __FILE__, __LINE__);                                                                     \
    } while (false)
#define NEEDS_PROCESSORS(least)                                                                                                                      \
    do {                                                                                                                                             \
        if (::kernel_test::figures().cpu_count < (least)) return ::kernel_test::skip("there are fewer than " #least " processors");                  \
    } while (false)
#define CHECK_ERROR(result, expected) CHECK(::kernel_test::error_of(result) == static_cast<std::int32_t>(abi::Error::expected))
#define REQUIRE(expression)                                                                                                                          \
    do {                                                                                                                                             \
        if (!(expression)) {                                                                                                                         \
            ::kernel_test::fail(#expression, __FILE__, __LINE__);                                                                                    \
            return;                                                                                                                                  \
        }                                                                                                                                            \
    } while (false)
