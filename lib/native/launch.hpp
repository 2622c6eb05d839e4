// Starts a native program from an ELF file in a Memory.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/base/result.hpp"
#include "lib/native/handle.hpp"

namespace native {

// One capability of the new process.
struct Grant {
    std::string_view name; // at most 31 bytes
    abi::Handle handle;    // needs `transfer`
    abi::Rights rights = 0;              // 0: the same
    abi::Handle lease = abi::no_handle;  // the slot lies under it
};

// Whoever has to know of a process before it runs.
class LaunchObserver {
public:
    // The process has all that it gets, and has run nothing. An error ends it, and is the launch's.
    virtual base::Result<void> on_made(abi::Handle process) = 0;

protected:
    ~LaunchObserver() = default;
};

struct LaunchRequest {
    abi::Handle program = abi::no_handle; // Memory with the ELF file at its start; read, map, execute. Sealed, or nobody else's to write
    std::uint64_t program_bytes = 0;      // length of the file
    abi::Handle quota = abi::no_handle;   // charged for the process and all it does; granted to it as `self.quota`
    abi::Handle budget = abi::no_handle;  // granted as `self.budget`
    abi::Rights quota_rights = abi::right::charge | abi::right::inspect;
    abi::Rights budget_rights = abi::right::charge | abi::right::inspect;
    std::span<const Grant> grants;
    std::span<const std::byte> arguments; // copied
    LaunchObserver* observer = nullptr;
};

struct LaunchedProcess {
    Owned process;
    Owned thread;
};

// Makes the process, maps the program (text straight from the Memory, data as copy-on-write), grants `self.*` and `grants`, and starts it. On failure nothing is left.
// Errors: those of elf::make_plan, of the calls and of the observer.
base::Result<LaunchedProcess> launch(const LaunchRequest& request);

} // namespace native
