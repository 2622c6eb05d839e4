// Ports: bind, unbind, events.
#include <array>
#include <atomic>

#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;

namespace {

// A port and two sources.
struct Ports {
    native::Owned port{call::port_create(quota()).value_or(0)};
    native::Owned other{call::port_create(quota()).value_or(0)};
    native::Owned first{call::notification_create(quota()).value_or(0)};
    native::Owned second{call::notification_create(quota()).value_or(0)};
    std::array<abi::PortEvent, 4> events{};

    explicit operator bool() const { return port && other && first && second; }
    base::Result<std::uint64_t> poll(std::size_t room = 4) {
        return call::port_wait(port.get(), std::as_writable_bytes(std::span(events).first(room)), abi::poll);
    }
};

} // namespace

KERNEL_USER_TEST(a_port_without_events_would_block) {
    Ports ports;
    REQUIRE(ports);
    CHECK_ERROR(ports.poll(), would_block);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK_ERROR(ports.poll(), would_block);
}

KERNEL_USER_TEST(a_port_gives_key_and_bits_once) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 77));
    CHECK(call::notification_signal(ports.first.get(), 5));
    CHECK(ports.poll().value_or(0) == 1 && ports.events[0].key == 77 && ports.events[0].bits == 5);
    CHECK_ERROR(ports.poll(), would_block);
}

KERNEL_USER_TEST(bits_that_a_port_took_are_not_waited_for) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK(call::notification_signal(ports.first.get(), 1));
    CHECK(ports.poll());
    CHECK_ERROR(call::notification_wait(ports.first.get(), abi::poll), would_block);
}

KERNEL_USER_TEST(bits_from_before_the_bind_arrive) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::notification_signal(ports.first.get(), 8));
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 3));
    CHECK(ports.poll().value_or(0) == 1 && ports.events[0].key == 3 && ports.events[0].bits == 8);
}

KERNEL_USER_TEST(signals_to_one_source_are_one_event) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    for (std::uint64_t bit = 1; bit <= 4; bit <<= 1) CHECK(call::notification_signal(ports.first.get(), bit));
    CHECK(ports.poll().value_or(0) == 1 && ports.events[0].bits == 7);
}

KERNEL_USER_TEST(two_sources_are_two_events) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK(call::port_bind(ports.port.get(), ports.second.get(), 2));
    CHECK(call::notification_signal(ports.second.get(), 1));
    CHECK(call::notification_signal(ports.first.get(), 1));
    CHECK(ports.poll().value_or(0) == 2 && ports.events[0].key + ports.events[1].key == 3 && ports.events[0].key != ports.events[1].key);
}

KERNEL_USER_TEST(events_past_the_buffer_stay) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK(call::port_bind(ports.port.get(), ports.second.get(), 2));
    CHECK(call::notification_signal(ports.first.get(), 1));
    CHECK(call::notification_signal(ports.second.get(), 1));
    CHECK(ports.poll(1).value_or(0) == 1 && ports.events[0].key == 1);
    CHECK(ports.poll(1).value_or(0) == 1 && ports.events[0].key == 2);
}

KERNEL_USER_TEST(a_source_has_one_port) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK_ERROR(call::port_bind(ports.port.get(), ports.first.get(), 2), exists);
    CHECK_ERROR(call::port_bind(ports.other.get(), ports.first.get(), 1), exists);
}

KERNEL_USER_TEST(an_unbound_source_reports_no_more) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), native::unbind_key));
    CHECK(call::notification_signal(ports.first.get(), 2));
    CHECK_ERROR(ports.poll(), would_block);
    CHECK(call::notification_wait(ports.first.get(), abi::poll).value_or(0) == 2);
}

KERNEL_USER_TEST(an_unbound_source_can_be_bound_elsewhere) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), native::unbind_key));
    CHECK(call::port_bind(ports.other.get(), ports.first.get(), 1));
}

KERNEL_USER_TEST(a_port_has_no_room_for_less_than_an_event) {
    Ports ports;
    REQUIRE(ports);
    CHECK_ERROR(ports.poll(0), bad_argument);
    CHECK_ERROR(call::port_wait(ports.port.get(), std::as_writable_bytes(std::span(ports.events)).first(15), abi::poll), bad_argument);
}

KERNEL_USER_TEST(a_port_takes_notifications_and_endpoints_alone) {
    Ports ports;
    REQUIRE(ports);
    const native::Owned endpoint(call::endpoint_create(quota()).value_or(0));
    CHECK(call::port_bind(ports.port.get(), endpoint.get(), 1));
    CHECK_ERROR(call::port_bind(ports.port.get(), ports.other.get(), 1), missing_right);
    CHECK_ERROR(call::port_bind(ports.first.get(), ports.second.get(), 1), wrong_kind);
}

KERNEL_USER_TEST(binding_needs_the_right_to_bind) {
    Ports ports;
    REQUIRE(ports);
    const native::Owned weak(native::duplicate(ports.first.get(), right::send | right::receive).value_or(0));
    CHECK_ERROR(call::port_bind(ports.port.get(), weak.get(), 1), missing_right);
}

KERNEL_USER_TEST(an_unwritable_buffer_takes_no_event) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 1));
    CHECK(call::notification_signal(ports.first.get(), 4));
    CHECK_ERROR(call::port_wait(ports.port.get(), {reinterpret_cast<std::byte*>(abi::personality_base), 64}, abi::poll), bad_pointer);
    CHECK(ports.poll().value_or(0) == 1 && ports.events[0].bits == 4);
}

KERNEL_USER_TEST(revocation_unbinds_a_source) {
    Ports ports;
    REQUIRE(ports);
    const native::Owned lease(call::lease_create(quota(), 0).value_or(0));
    const native::Owned leased(native::duplicate(ports.first.get(), 0, 0, lease.get()).value_or(0));
    REQUIRE(leased);
    CHECK(call::port_bind(ports.port.get(), leased.get(), 1));
    CHECK(call::lease_revoke(lease.get()));
    CHECK(call::notification_signal(ports.first.get(), 1));
    CHECK_ERROR(ports.poll(), would_block);
    CHECK(call::port_bind(ports.port.get(), ports.first.get(), 2));
}

KERNEL_USER_TEST(a_source_outlives_its_port) {
    Ports ports;
    REQUIRE(ports);
    CHECK(call::port_bind(ports.other.get(), ports.first.get(), 1));
    ports.other.reset();
    CHECK(call::notification_signal(ports.first.get(), 1));
}

// Two bind and unbind one source under leases that a third revokes and closes: a binding that was half made when it ended left the source in a lease's list for ever.
KERNEL_USER_TEST(bind_unbind_and_revocation_of_one_source) {
    constexpr unsigned rounds = 1'000, leases = 4;
    struct Shared {
        Ports ports;
        std::array<std::atomic<abi::Handle>, leases> leased{};
        std::atomic<bool> over = false;
        std::atomic<bool> other_errors = false;
    } shared;
    REQUIRE(shared.ports);
    struct Binder {
        static void run(void* argument) {
            Shared& shared = *static_cast<Shared*>(argument);
            for (unsigned i = 0; !shared.over; ++i) {
                const abi::Handle source = shared.leased[i % leases];
                if (const auto bound = call::port_bind(shared.ports.port.get(), source, i % 1000); !bound) {
                    using enum abi::Error;
                    const abi::Error error = bound.error();
                    if (error != exists && error != revoked && error != bad_handle) shared.other_errors = true;
                }
                (void)call::port_bind(shared.ports.port.get(), i % 2 ? source : shared.ports.first.get(), native::unbind_key);
            }
        }
    };
    native::Thread* threads[2] = {};
    for (auto& thread : threads) {
        thread = native::Thread::create(Binder::run, &shared).value_or(nullptr);
        REQUIRE(thread);
    }
    native::Owned old_leases[leases];
    native::Owned old_sources[leases];
    for (unsigned i = 0; i < rounds; ++i) {
        const unsigned at = i % leases;
        native::Owned lease(call::lease_create(quota(), 0).value_or(0));
        native::Owned source(native::duplicate(shared.ports.first.get(), 0, 0, lease.get()).value_or(0));
        CHECK(lease && source);
        shared.leased[at] = source.get();
        if (i % 3 == 0 && old_leases[at]) CHECK(call::lease_revoke(old_leases[at].get()));
        old_sources[at] = std::move(source);
        old_leases[at] = std::move(lease);
        if (i % 7 == 0) (void)call::thread_yield();
    }
    shared.over = true;
    for (auto* thread : threads) thread->join();
    CHECK(!shared.other_errors);
    // What is left is a binding or none, and a revocation still ends one.
    CHECK(call::port_bind(shared.ports.port.get(), shared.ports.first.get(), native::unbind_key));
    CHECK(call::port_bind(shared.ports.port.get(), old_sources[0].get(), 4));
    for (auto& lease : old_leases) CHECK(call::lease_revoke(lease.get()));
    CHECK(call::port_bind(shared.ports.port.get(), shared.ports.first.get(), 5));
    CHECK(call::notification_signal(shared.ports.first.get(), 1));
    CHECK(shared.ports.poll().value_or(0) == 1 && shared.ports.events[0].key == 5);
}

namespace {

// More waits that have ended than one signal takes out, and behind them one that lasts. Whoever ends them is above them on their processor, so that none of them has left before the signal.
struct Ended {
    static constexpr std::size_t count = 150;
    native::Owned notification{call::notification_create(quota()).value_or(0)};
    native::Owned port{call::port_create(quota()).value_or(0)};
    native::Owned pause{call::notification_create(quota()).value_or(0)};
    native::Owned above{call::budget_create(quota(), budget(), abi::BudgetParameters{1024, 1, 0, 0, 1}).value_or(0)};
    native::Owned below{call::budget_create(quota(), budget(), abi::BudgetParameters{1024, 0, 0, 0, 1}).value_or(0)};
    bool at_port = false;
    std::atomic<std::size_t> begun = 0, canceled = 0, served = 0;
    native::Thread* threads[count + 1] = {};

    bool wait_once() {
        if (!at_port) return call::notification_wait(notification.get(), abi::never).has_value();
        abi::PortEvent events[1];
        return call::port_wait(port.get(), std::as_writable_bytes(std::span(events)), abi::never).has_value();
    }
    static void wait(void* argument) {
        auto& self = *static_cast<Ended*>(argument);
        ++self.begun;
        ++(self.wait_once() ? self.served : self.canceled);
    }
    void until(std::atomic<std::size_t>& counter, std::size_t wanted) {
        const std::uint64_t end = native::after_milliseconds(20'000);
        while (counter < wanted && native::monotonic_nanoseconds() < end) (void)call::notification_wait(pause.get(), native::after_milliseconds(1));
        CHECK(counter == wanted);
    }
    static void end_and_signal(void* argument) {
        auto& self = *static_cast<Ended*>(argument);
        for (std::size_t i = 0; i <= count; ++i) {
            self.threads[i] = native::Thread::create(wait, &self, {.budget = self.below.get()}).value_or(nullptr);
            REQUIRE(self.threads[i]);
            // In this order in the queue.
            self.until(self.begun, i + 1);
        }
        (void)call::notification_wait(self.pause.get(), native::after_milliseconds(5));
        for (std::size_t i = 0; i < count; ++i) CHECK(call::thread_kick(self.threads[i]->handle()));
        CHECK(call::notification_signal(self.notification.get(), 1));
        self.until(self.canceled, count);
        self.until(self.served, 1);
        // A failure is told; the last one is not left waiting.
        if (self.served == 0) (void)call::thread_kick(self.threads[count]->handle());
        for (auto* thread : self.threads) thread->join();
    }
    void run() {
        REQUIRE(notification && port && pause && above && below);
        if (at_port) REQUIRE(call::port_bind(port.get(), notification.get(), 1));
        auto* const thread = native::Thread::create(end_and_signal, this, {.budget = above.get()}).value_or(nullptr);
        REQUIRE(thread);
        thread->join();
    }
};

} // namespace

KERNEL_USER_TEST(a_signal_gets_past_many_ended_waits) {
    Ended ended;
    ended.run();
}

KERNEL_USER_TEST(an_event_gets_past_many_ended_waits) {
    Ended ended;
    ended.at_port = true;
    ended.run();
}
