#include "linux/calls/waiting.hpp"

#include "linux/ipc/clock.hpp"
#include "linux/task/task.hpp"

namespace personality {

abi::Deadline deadline_after(std::uint64_t nanoseconds) {
    if (nanoseconds == 0)
        return abi::poll;
    const std::uint64_t now = monotonic_now();
    return nanoseconds >= abi::never - now ? abi::never : now + nanoseconds;
}

LinuxResult<abi::Deadline> load_timeout(std::uint64_t address, bool microseconds) {
    if (address == 0)
        return abi::never;
    std::int64_t value[2];
    TRY(copy_in(std::as_writable_bytes(std::span(value)), address));
    if (value[0] < 0 || value[1] < 0)
        return fail(Errno::EINVAL);
    if (microseconds) { // select takes more than a second of them, as Linux does
        value[0] += value[1] / 1'000'000;
        value[1] = value[1] % 1'000'000 * 1000;
    } else if (value[1] >= 1'000'000'000) {
        return fail(Errno::EINVAL);
    }
    if (value[0] > 9'000'000'000)
        return abi::never;
    return deadline_after(static_cast<std::uint64_t>(value[0]) * 1'000'000'000 + static_cast<std::uint64_t>(value[1]));
}

LinuxResult<void> load_signal_mask(Task& task, std::uint64_t address, std::uint64_t size) {
    if (address == 0)
        return {};
    if (size != sizeof(SignalSet))
        return fail(Errno::EINVAL);
    const SignalSet mask = TRY(UserPtr<SignalSet>(address).read());
    SandboxLock lock;
    task.use_temporary_mask(mask);
    return {};
}

} // namespace personality
