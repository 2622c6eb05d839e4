// What the program was started with: its handles by name and its arguments.
#pragma once
#include <span>
#include <string_view>

#include "abi/start.hpp"
#include "lib/base/result.hpp"

// Every native program has one: called on the first thread after the library is ready. The value is the process' exit status.
int native_main();

namespace native {

// The page that the creator wrote. Valid for the process' life.
const abi::StartInfo& start_info();

// A granted handle by its name; no_handle where it was not granted.
abi::Handle granted(std::string_view name);
// The same as a failure: not_found.
base::Result<abi::Handle> require(std::string_view name);

// The argument bytes: NUL-terminated strings or TLV records, as the program's documentation says.
std::span<const std::byte> argument_bytes();
// The value of the argument string "KEY=value", or `fallback`.
std::string_view argument(std::string_view key, std::string_view fallback = {});

// Handles that every program has; looked up once.
struct Self {
    abi::Handle process;
    abi::Handle space;
    abi::Handle quota;
    abi::Handle budget;
};
const Self& self();

// Ends the process after a line in the log. For what cannot be gone on from.
[[noreturn]] void panic(std::string_view reason);

} // namespace native
