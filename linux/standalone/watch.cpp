#include "linux/standalone/watch.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"
#include "lib/native/thread.hpp"

namespace personality {

namespace {

constexpr std::uint64_t nap = 70'000;
constexpr std::uint32_t highest_priority = 31;

struct Sleeper {
    abi::Handle never_signaled = abi::no_handle;
    std::atomic<std::uint64_t> latest = 0;
    std::atomic<std::uint64_t> naps = 0;

    static void run(void* argument) {
        auto& self = *static_cast<Sleeper*>(argument);
        while (true) {
            const std::uint64_t due = native::monotonic_nanoseconds() + nap;
            (void)native::call::notification_wait(self.never_signaled, due);
            const std::uint64_t now = native::monotonic_nanoseconds();
            const std::uint64_t late = now > due ? now - due : 0;
            if (late > self.latest)
                self.latest = late;
            ++self.naps;
        }
    }
};

constinit Sleeper sleepers[most_watched];
constinit std::uint32_t watched = 0;

} // namespace

base::Result<void> start_watch(std::uint64_t processors) {
    if (std::popcount(processors) > static_cast<int>(most_watched))
        return std::unexpected(abi::Error::bad_argument);
    for (; processors != 0; processors &= processors - 1, ++watched) {
        Sleeper& sleeper = sleepers[watched];
        sleeper.never_signaled = TRY(native::call::notification_create(native::self().quota));
        const abi::Handle budget = TRY(native::call::budget_create(native::self().quota, native::self().budget,
                                                                   abi::BudgetParameters{1024, highest_priority, 0, 0, processors & -processors}));
        (void)TRY(native::start_thread(Sleeper::run, &sleeper, {.budget = budget}));
    }
    return {};
}

LinuxResult<std::size_t> WatchFile::read(std::span<std::byte> to) {
    const std::size_t count = std::min<std::size_t>(to.size() / sizeof(Watched), watched);
    for (std::size_t i = 0; i < count; ++i) {
        const Watched found{sleepers[i].latest, sleepers[i].naps};
        std::memcpy(to.data() + i * sizeof found, &found, sizeof found);
    }
    return count * sizeof(Watched);
}

LinuxResult<std::size_t> WatchFile::write(std::span<const std::byte> from) {
    for (Sleeper& sleeper : sleepers)
        sleeper.latest = 0;
    return from.size();
}

} // namespace personality
