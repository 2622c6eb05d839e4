// Handles that were closed or revoked, used by several threads at once while their slots are emptied and filled again.
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

#include <array>
#include <atomic>

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::size_t racers = 3;
constexpr unsigned rounds = 100;

// Threads that signal by a handle which they go on using, whatever became of it.
class Race {
public:
    bool start() {
        for (std::size_t i = 0; i < racers; ++i) {
            threads_[i] = native::Thread::create([](void* self) { static_cast<Race*>(self)->run(); }, this).value_or(nullptr);
            if (!threads_[i]) return false;
        }
        return true;
    }
    void aim(abi::Handle handle) { target_ = handle; }
    // Returns when calls that were begun after it was called have ended.
    void let_run() {
        const std::uint64_t before = calls_;
        while (calls_ < before + 3 * racers) (void)call::thread_yield();
    }
    void end() {
        over_ = true;
        for (native::Thread* thread : threads_)
            if (thread) thread->join();
    }

private:
    void run() {
        while (!over_) {
            (void)call::notification_signal(target_, 1);
            if (++calls_ % 16 == 0) (void)call::thread_yield();
        }
    }

    std::atomic<abi::Handle> target_ = abi::no_handle;
    std::atomic<std::uint64_t> calls_ = 0;
    std::atomic<bool> over_ = false;
    native::Thread* threads_[racers] = {};
};

// --- a long write under a lease
constexpr std::uint64_t length = 256 * 1024, looked_at = length / 1024;
alignas(64) constinit std::array<std::byte, length> contents[2]{};

struct Writer {
    std::atomic<abi::Handle> memory = abi::no_handle;
    std::atomic<std::uint64_t> writes = 0;
    std::atomic<bool> over = false;

    static void run(void* argument) {
        auto& self = *static_cast<Writer*>(argument);
        for (unsigned i = 0; !self.over; ++i) {
            if (const abi::Handle memory = self.memory; memory != abi::no_handle && call::memory_write(memory, 0, contents[i % 2])) ++self.writes;
            else (void)call::thread_yield();
        }
    }
};

std::uint64_t changes_after_revocation(Writer& writer, std::uint64_t at) {
    const native::Owned memory(call::memory_create(quota(), length, 0).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
    const native::Owned leased(native::duplicate(memory.get(), 0, 0, lease.get()).value_or(0));
    if (!leased || !call::space_map(space(), memory.get(), at, 0, length, protection::read | abi::map_flag::populate)) return 1;
    const std::uint64_t before = writer.writes;
    writer.memory = leased.get();
    while (writer.writes < before + 2) (void)call::thread_yield();
    const bool revoked = call::lease_revoke(lease.get()).has_value();
    const auto word = [at](std::uint64_t i) { return *reinterpret_cast<const volatile std::uint64_t*>(at + i * 1024); };
    static std::uint64_t seen[looked_at];
    for (std::uint64_t i = 0; i < looked_at; ++i) seen[i] = word(i);
    const std::uint64_t end = native::after_milliseconds(3);
    while (native::monotonic_nanoseconds() < end) (void)call::thread_yield();
    std::uint64_t changed = !revoked;
    for (std::uint64_t i = 0; i < looked_at; ++i) changed += seen[i] != word(i);
    writer.memory = abi::no_handle;
    (void)call::space_unmap(space(), at, length);
    return changed;
}

} // namespace

KERNEL_USER_TEST(a_closed_handle_reaches_nobody_whose_slot_it_was) {
    Race race;
    REQUIRE(race.start());
    std::uint64_t reached = 0, same_slot = 0;
    for (unsigned i = 0; i < rounds && reached == 0; ++i) {
        const auto old = call::notification_create(quota());
        REQUIRE(old);
        race.aim(*old);
        race.let_run();
        REQUIRE(call::handle_close(*old));
        const auto fresh = call::notification_create(quota());
        REQUIRE(fresh);
        same_slot += static_cast<std::uint32_t>(*fresh) == static_cast<std::uint32_t>(*old);
        race.let_run();
        reached += call::notification_wait(*fresh, abi::poll).value_or(0) != 0;
        CHECK(call::handle_close(*fresh));
    }
    race.end();
    CHECK(reached == 0);
    CHECK(reached != 0 || same_slot > rounds / 2);
}

KERNEL_USER_TEST(a_revoked_handle_reaches_nobody) {
    Race race;
    REQUIRE(race.start());
    std::uint64_t reached = 0;
    // Each revocation waits for all processors.
    for (unsigned i = 0; i < rounds / 4 && reached == 0; ++i) {
        const native::Owned bell(call::notification_create(quota()).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
        const native::Owned leased(native::duplicate(bell.get(), 0, 0, lease.get()).value_or(0));
        REQUIRE(leased);
        race.aim(leased.get());
        race.let_run();
        CHECK(call::notification_wait(bell.get(), abi::poll).value_or(0) != 0);
        CHECK(call::lease_revoke(lease.get()));
        (void)call::notification_wait(bell.get(), abi::poll);
        race.let_run();
        reached += call::notification_wait(bell.get(), abi::poll).value_or(0) != 0;
    }
    race.end();
    CHECK(reached == 0);
}

// What a call was about to do when the lease went is done, or will not be, at the revocation's return.
KERNEL_USER_TEST(no_call_goes_on_after_the_revocation) {
    for (std::size_t i = 0; i < 2; ++i) contents[i].fill(std::byte(i + 1));
    const std::uint64_t at = native::reserve_range(length).value_or(0);
    Writer writer;
    native::Thread* const thread = native::Thread::create(Writer::run, &writer).value_or(nullptr);
    REQUIRE(at && thread);
    std::uint64_t changed = 0;
    for (unsigned i = 0; i < 200 && changed == 0; ++i) changed = changes_after_revocation(writer, at);
    writer.over = true;
    thread->join();
    CHECK(changed == 0);
    native::release_range(at, length);
}
