// Checks of native test programs.
#pragma once
#include "lib/base/result.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

namespace test {

inline unsigned passed = 0, failed = 0;

inline void check(bool holds, const char* what, unsigned line) {
    ++(holds ? passed : failed);
    if (!holds)
        native::print("FAIL line ", line, ": ", std::string_view(what));
}

template <class T> bool is_error(const base::Result<T>& result, base::Error error) { return !result && result.error() == error; }

// Prints the sum and ends the machine: status 33 of QEMU where nothing failed. Needs `io_port` over the debug exit device.
[[noreturn]] inline void finish() {
    native::print("native tests: ", passed, " passed, ", failed, " failed");
    (void)native::call::io_port_write(native::granted("io_port"), 0xf4, 4, failed == 0 && passed != 0 ? 0x10 : 0x11);
    native::exit_process(failed);
}

} // namespace test

#define CHECK(...) ::test::check((__VA_ARGS__), #__VA_ARGS__, __LINE__)
#define CHECK_ERROR(call, error) ::test::check(::test::is_error(call, ::base::Error::error), #call " gives " #error, __LINE__)
