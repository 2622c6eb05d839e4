#include "lib/native/start.hpp"

#include <cstring>

#include "lib/base/processor_random.hpp"
#include "lib/base/weaken.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/thread_block.hpp"

// What the compiler lays into guarded stack frames. A frame that was written over ends the process by a fault: nothing on its stack is to be trusted.
extern "C" {
[[gnu::used]] constinit std::uint64_t __stack_chk_guard = 0;
[[noreturn, gnu::used]] void __stack_chk_fail() { __builtin_trap(); }
}

namespace native {

namespace {

constinit const abi::StartInfo* info = nullptr;
constinit Self own{};

std::string_view name_of(const abi::StartHandle& entry) { return {entry.name, strnlen(entry.name, sizeof entry.name)}; }

#ifdef THEMELIOS_TWIN
// The first program has it on its command line; the others have it from their creator, as the name of a handle that is none (launch.cpp).
void take_weakness() {
    constexpr std::string_view prefix = "weaken.";
    (void)base::choose_weakness(argument("weaken"));
    for (std::uint32_t i = 0; i < info->handle_count; ++i)
        if (const std::string_view name = name_of(info->handles()[i]); name.starts_with(prefix))
            (void)base::choose_weakness(name.substr(prefix.size()));
}
#endif

} // namespace

const abi::StartInfo& start_info() { return *info; }
const Self& self() { return own; }

abi::Handle granted(std::string_view name) {
    for (std::uint32_t i = 0; i < info->handle_count; ++i)
        if (name_of(info->handles()[i]) == name)
            return info->handles()[i].handle;
    return abi::no_handle;
}

base::Result<abi::Handle> require(std::string_view name) {
    const abi::Handle handle = granted(name);
    if (handle == abi::no_handle) {
        print("no capability named ", name);
        return std::unexpected(abi::Error::not_found);
    }
    return handle;
}

std::span<const std::byte> argument_bytes() { return std::as_bytes(std::span(info->arguments(), info->argument_bytes)); }

std::string_view argument(std::string_view key, std::string_view fallback) {
    std::string_view rest(info->arguments(), info->argument_bytes);
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
        if (one.size() > key.size() && one.starts_with(key) && one[key.size()] == '=')
            return one.substr(key.size() + 1);
    }
    return fallback;
}

void panic(std::string_view reason) {
    print("cannot go on: ", reason);
    exit_process(255);
}

// The lowest byte of the guard is zero: no string that is copied over it brings it.
extern "C" [[noreturn]] __attribute__((no_stack_protector)) void native_start(const abi::StartInfo* given) {
    __stack_chk_guard = base::processor_random().value & ~std::uint64_t{0xff};
    info = given;
    if (info->magic != abi::start_magic)
        exit_process(254);
    own = {granted("self.process"), granted("self.space"), granted("self.quota"), granted("self.budget")};
    current_thread().handle = granted("self.thread");
    log_start();
    clock_start();
#ifdef THEMELIOS_TWIN
    take_weakness();
#endif
    exit_process(static_cast<std::uint64_t>(static_cast<unsigned>(native_main())));
}

} // namespace native

extern "C" {
[[noreturn]] void abort() { native::panic("abort"); }
// libc++'s hardened mode and pure virtual calls end here.
[[noreturn]] void __cxa_pure_virtual() { native::panic("a pure virtual function was called"); }
}
namespace std {
inline namespace __1 {
[[noreturn]] void __libcpp_verbose_abort(char const* format, ...);
[[noreturn]] void __libcpp_verbose_abort(char const* format, ...) { native::panic(format); }
} // namespace __1
} // namespace std
