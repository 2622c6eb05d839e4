#include "linux/memory/user_memory.hpp"

#include "abi/start.hpp"
#include "lib/base/weaken.hpp"
#include "lib/native/kernel.hpp"
#include "linux/core/lock.hpp"
#include "linux/memory/user_word.hpp"
#include "linux/task/exit.hpp"
#include "linux/task/task.hpp"

#include <cstring>
#include <utility>

namespace personality {

namespace {

// As the routines return it: rax and rdx, and the error code in rcx, which nothing else needs.
struct Outcome {
    std::uint64_t left;
    std::uint64_t fault_address;
};

extern "C" {
Outcome user_copy(void* to, const void* from, std::uint64_t length);
Outcome user_copy_text(void* to, const void* from, std::uint64_t length);
Outcome user_clear(void* address, std::uint64_t length);
Outcome user_compare_exchange(void* address, std::uint32_t expected, std::uint32_t desired, std::uint32_t* old);
extern const char user_copy_begin[], user_copy_end[], user_copy_landing[];
}

// After a fault: true where the access can be tried again. This ends: where an address that may be touched faults twice in a row there is no
// memory for it, and some process ends for that, the caller's at last.
class Retry {
public:
    explicit Retry(MemoryMap::Access access) : access_(access) {}
    bool operator()(std::uint64_t address) {
        Process& process = current().process();
        const bool again = std::exchange(last_, address) == address;
        if (!may_touch(process, address))
            return false;
        if (!again)
            return true;
        out_of_memory(current());
        (void)native::call::thread_yield();
        const SandboxLock lock;
        return !process.ending;
    }

private:
    bool may_touch(Process& process, std::uint64_t address) {
        const SandboxLock lock;
        SignalInfo ignored;
        return process.memory && process.memory->resolve_fault(address, access_, process.limits[limit::stack].soft, ignored);
    }

    MemoryMap::Access access_;
    std::uint64_t last_ = UINT64_MAX;
};

// Bytes that were copied.
std::uint64_t copy(std::uint64_t to, std::uint64_t from, std::uint64_t length, MemoryMap::Access access) {
    Retry retry(access);
    std::uint64_t done = 0;
    for (;;) {
        const Outcome outcome = user_copy(reinterpret_cast<void*>(to + done), reinterpret_cast<const void*>(from + done), length - done);
        done = length - outcome.left;
        if (outcome.left == 0)
            return done;
        if (retry(outcome.fault_address))
            continue;
        // The routine moves whole blocks; what lies before the fault in the last one counts too.
        const std::uint64_t cursor = (access == MemoryMap::Access::read ? from : to) + done;
        const std::uint64_t rest = outcome.fault_address - cursor;
        if (outcome.fault_address > cursor && rest < length - done &&
            user_copy(reinterpret_cast<void*>(to + done), reinterpret_cast<const void*>(from + done), rest).left == 0)
            done += rest;
        return done;
    }
}

} // namespace

void prepare_user_memory() {
    (void)native::call::process_set_fixup(native::address_of(user_copy_begin), native::address_of(user_copy_end), native::address_of(user_copy_landing));
}

bool user_range(std::uint64_t address, std::uint64_t length) {
    if (base::weakened(base::Weakness::guest_pointer))
        return true;
    return address <= abi::guest_end && length <= abi::guest_end - address;
}

LinuxResult<void> copy_in(std::span<std::byte> to, std::uint64_t from) {
    if (!user_range(from, to.size()) || copy(native::address_of(to.data()), from, to.size(), MemoryMap::Access::read) != to.size())
        return fail(Errno::EFAULT);
    return {};
}

LinuxResult<void> copy_out(std::uint64_t to, std::span<const std::byte> from) {
    if (!user_range(to, from.size()) || copy(to, native::address_of(from.data()), from.size(), MemoryMap::Access::write) != from.size())
        return fail(Errno::EFAULT);
    return {};
}

LinuxResult<std::size_t> copy_in_partial(std::span<std::byte> to, std::uint64_t from) {
    if (!user_range(from, to.size()))
        return fail(Errno::EFAULT);
    const std::uint64_t done = copy(native::address_of(to.data()), from, to.size(), MemoryMap::Access::read);
    if (done == 0 && !to.empty())
        return fail(Errno::EFAULT);
    return done;
}

LinuxResult<std::size_t> copy_out_partial(std::uint64_t to, std::span<const std::byte> from) {
    if (!user_range(to, from.size()))
        return fail(Errno::EFAULT);
    const std::uint64_t done = copy(to, native::address_of(from.data()), from.size(), MemoryMap::Access::write);
    if (done == 0 && !from.empty())
        return fail(Errno::EFAULT);
    return done;
}

LinuxResult<void> clear_user(std::uint64_t address, std::uint64_t length) {
    if (!user_range(address, length))
        return fail(Errno::EFAULT);
    Retry retry(MemoryMap::Access::write);
    std::uint64_t done = 0;
    for (;;) {
        const Outcome outcome = user_clear(reinterpret_cast<void*>(address + done), length - done);
        done = length - outcome.left;
        if (outcome.left == 0)
            return {};
        if (!retry(outcome.fault_address))
            return fail(Errno::EFAULT);
    }
}

LinuxResult<std::size_t> copy_string(std::span<char> to, std::uint64_t from) {
    if (from >= abi::guest_end)
        return fail(Errno::EFAULT);
    const std::uint64_t most = std::min<std::uint64_t>(to.size(), abi::guest_end - from);
    Retry retry(MemoryMap::Access::read);
    std::uint64_t done = 0;
    for (;;) {
        const Outcome outcome = user_copy_text(to.data() + done, reinterpret_cast<const void*>(from + done), most - done);
        const std::uint64_t reached = most - outcome.left;
        if (const void* end = std::memchr(to.data() + done, 0, reached - done); end != nullptr)
            return static_cast<const char*>(end) - to.data();
        if (outcome.left == 0)
            return fail(most == to.size() ? Errno::ENAMETOOLONG : Errno::EFAULT);
        done = reached;
        if (!retry(outcome.fault_address))
            return fail(Errno::EFAULT);
    }
}

LinuxResult<std::uint32_t> compare_exchange_user(std::uint64_t address, std::uint32_t expected, std::uint32_t desired) {
    if (address % 4 != 0 || !user_range(address, 4))
        return fail(Errno::EFAULT);
    Retry retry(MemoryMap::Access::write);
    for (;;) {
        std::uint32_t old = 0;
        const Outcome outcome = user_compare_exchange(reinterpret_cast<void*>(address), expected, desired, &old);
        if (outcome.left == 0)
            return old;
        if (!retry(outcome.fault_address))
            return fail(Errno::EFAULT);
    }
}

} // namespace personality
