// What is left of a wait that is over: no queue, no Reply, no deadline and no lease has the thread in its hands any more.
#include <atomic>

#include "abi/kernel_calls.hpp"
#include "kernel/tests/native/child.hpp"
#include "kernel/tests/native/threads.hpp"
#include "kernel/tests/native/turns.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using native::Owned;

namespace {

constexpr std::uint64_t short_while = 3, // milliseconds
    long_while = 30'000;

Owned make_notification() { return Owned(call::notification_create(quota()).value_or(0)); }

native::Message one_word(std::uint64_t word = 0) {
    native::Message message{};
    message.tag = abi::make_tag(1, 1, 0);
    message.words[0] = word;
    return message;
}

// A thread that gives up one wait, and sleeps in another one then, where nothing of the first may reach it.
struct Quitter {
    explicit Quitter(void (*entry)(void*), abi::Handle endpoint, const std::atomic<bool>* taken = nullptr) : endpoint(endpoint), taken(taken) {
        auto made = native::Thread::create(entry, this);
        CHECK(made);
        if (made) thread = *made;
        CHECK(call::notification_wait(gave_up.get(), abi::never));
    }
    void sleep_until_told(std::int32_t how) {
        first = how;
        CHECK(call::notification_signal(gave_up.get(), 1));
        second = error_of(call::notification_wait(told.get(), abi::never));
    }
    void join() {
        CHECK(second == -1);
        CHECK(call::notification_signal(told.get(), 1));
        thread->join();
        CHECK(first == static_cast<std::int32_t>(abi::Error::timed_out) && second == 0);
    }

    abi::Handle endpoint;
    const std::atomic<bool>* taken; // where a server says that it has a call
    Owned gave_up = make_notification(), told = make_notification();
    std::atomic<std::int32_t> first{-1}, second{-1};
    native::Thread* thread = nullptr;
};

void call_with_a_deadline(void* argument) {
    auto& self = *static_cast<Quitter*>(argument);
    auto message = one_word();
    self.sleep_until_told(error_of(native::send_call(self.endpoint, message, native::after_milliseconds(short_while))));
}

// A call that gave up before the server came to it is made again.
void call_until_taken(void* argument) {
    auto& self = *static_cast<Quitter*>(argument);
    std::int32_t how = 0;
    do {
        auto message = one_word();
        how = error_of(native::send_call(self.endpoint, message, native::after_milliseconds(short_while)));
    } while (how == static_cast<std::int32_t>(abi::Error::timed_out) && !*self.taken);
    self.sleep_until_told(how);
}

void receive_with_a_deadline(void* argument) {
    auto& self = *static_cast<Quitter*>(argument);
    native::Message message{};
    self.sleep_until_told(error_of(native::receive(self.endpoint, message, native::after_milliseconds(short_while))));
}

} // namespace

KERNEL_USER_TEST(a_caller_that_gave_up_is_not_served) {
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    Quitter caller(call_with_a_deadline, endpoint.get());
    native::Message message{};
    CHECK_ERROR(native::receive(endpoint.get(), message, abi::poll), timed_out);
    caller.join();
}

KERNEL_USER_TEST(a_server_that_gave_up_is_not_called) {
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    Quitter server(receive_with_a_deadline, endpoint.get());
    auto message = one_word();
    CHECK_ERROR(native::send_call(endpoint.get(), message, abi::poll), timed_out);
    server.join();
}

KERNEL_USER_TEST(a_late_answer_finds_nobody) {
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    struct Server {
        abi::Handle endpoint;
        abi::Handle reply = 0;
        std::atomic<bool> taken{false};
        Owned go_on = make_notification();
        std::int32_t answered = -1;
    } server{.endpoint = endpoint.get()};
    auto thread = native::Thread::create(
        [](void* argument) {
            auto& self = *static_cast<Server*>(argument);
            native::Message message{};
            const auto incoming = native::receive(self.endpoint, message);
            CHECK(incoming && incoming->reply != abi::current_reply);
            self.taken = true;
            CHECK(call::notification_wait(self.go_on.get(), abi::never));
            if (incoming) self.answered = error_of(native::answer(incoming->reply, message));
        },
        &server);
    REQUIRE(thread);
    Quitter caller(call_until_taken, endpoint.get(), &server.taken);
    CHECK(call::notification_signal(server.go_on.get(), 1));
    (*thread)->join();
    // It did its part.
    CHECK(server.answered == 0);
    caller.join();
}

KERNEL_USER_TEST(an_answer_is_given_once) {
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    struct Client {
        abi::Handle endpoint;
        std::uint64_t words[2] = {};
    } client{.endpoint = endpoint.get()};
    auto thread = native::Thread::create(
        [](void* argument) {
            auto& self = *static_cast<Client*>(argument);
            for (std::uint64_t& word : self.words) {
                auto message = one_word();
                CHECK(native::send_call(self.endpoint, message));
                word = message.words[0];
            }
        },
        &client);
    REQUIRE(thread);
    for (std::uint64_t round = 1; round <= 2; ++round) {
        native::Message message{};
        const auto incoming = native::receive(endpoint.get(), message);
        REQUIRE(incoming);
        // A second handle to the same Reply does not answer after the first one did.
        message = one_word(round);
        CHECK(native::answer(incoming->reply, message));
        message = one_word(99);
        CHECK_ERROR(native::answer(incoming->reply, message), bad_handle);
    }
    (*thread)->join();
    CHECK(client.words[0] == 1 && client.words[1] == 2);
}

KERNEL_USER_TEST(a_deadline_ends_with_its_wait) {
    const Owned notification = make_notification(), other = make_notification();
    struct Waker {
        abi::Handle notification;
    } waker{notification.get()};
    auto thread = native::Thread::create(
        [](void* argument) {
            const Owned nothing = make_notification();
            CHECK_ERROR(call::notification_wait(nothing.get(), native::after_milliseconds(short_while)), timed_out);
            CHECK(call::notification_signal(static_cast<Waker*>(argument)->notification, 1));
        },
        &waker);
    REQUIRE(thread);
    CHECK(call::notification_wait(notification.get(), native::after_milliseconds(long_while)));
    // The next deadline is this wait's own, and not what is left of the one before.
    const std::uint64_t begin = native::monotonic_nanoseconds();
    CHECK_ERROR(call::notification_wait(other.get(), native::after_milliseconds(short_while)), timed_out);
    CHECK(native::monotonic_nanoseconds() - begin < long_while * native::nanoseconds_per_millisecond / 2);
    (*thread)->join();
}

KERNEL_USER_TEST(a_poll_says_would_block) {
    const Owned notification = make_notification();
    CHECK_ERROR(call::notification_wait(notification.get(), abi::poll), would_block);
    CHECK(call::notification_signal(notification.get(), 6));
    CHECK(call::notification_wait(notification.get(), abi::poll).value_or(0) == 6);
    CHECK_ERROR(call::notification_wait(notification.get(), abi::poll), would_block);
}

// A thread that waits at the word itself comes before the port, also while it has had no turn to take the bits yet.
KERNEL_USER_TEST(a_woken_waiter_spares_the_port) {
    run_at(2, [](void*) {
        const Owned port(call::port_create(quota()).value_or(0)), notification = make_notification(), low = of_priority(1);
        struct Waiter {
            abi::Handle notification;
            std::atomic<std::uint64_t> bits{0};
        } waiter{.notification = notification.get()};
        abi::PortEvent event{};
        const auto poll = [&] { return call::port_wait(port.get(), std::as_writable_bytes(std::span(&event, 1)), abi::poll); };
        CHECK(call::port_bind(port.get(), notification.get(), 7));
        // A source that was just bound is looked at.
        CHECK_ERROR(poll(), would_block);
        auto* const thread = start([](void* argument) {
            auto& self = *static_cast<Waiter*>(argument);
            self.bits = call::notification_wait(self.notification, abi::never).value_or(0);
        }, low, &waiter);
        REQUIRE(thread);
        until_others_wait(0);
        CHECK(call::notification_signal(notification.get(), 1));
        const auto taken = poll();
        CHECK_ERROR(taken, would_block);
        // A failure is told; the waiter is not left waiting.
        if (taken) CHECK(call::notification_signal(notification.get(), 1));
        thread->join();
        CHECK(waiter.bits == 1);
    });
}

// It waited as the one that the next call goes to directly, left, and sleeps elsewhere: the call finds nobody, and the sleep lasts.
KERNEL_USER_TEST(a_server_that_left_is_not_the_next) {
    run_at(2, [](void*) {
        const Owned endpoint(call::endpoint_create(quota()).value_or(0)), low = of_priority(1);
        struct Server {
            abi::Handle endpoint;
            const abi::ThreadPage* page = nullptr;
            std::uint32_t word = 0;
            std::atomic<std::int32_t> left{-1}, slept{-1};
        } server{.endpoint = endpoint.get()};
        auto* const thread = start([](void* argument) {
            auto& self = *static_cast<Server*>(argument);
            self.page = native::current_thread().page;
            native::Message message{};
            auto incoming = native::answer_and_receive(abi::no_handle, self.endpoint, message);
            while (incoming) incoming = native::answer_and_receive(incoming->reply, self.endpoint, message);
            self.left = error_of(incoming);
            self.slept = error_of(native::futex_wait(&self.word, 0));
        }, low, &server);
        REQUIRE(thread);
        for (int practice = 0; practice < 4; ++practice) {
            auto message = one_word();
            CHECK(native::send_call(endpoint.get(), message));
        }
        until_others_wait(0);
        CHECK(call::thread_kick(thread->handle()));
        until_others_wait(0);
        CHECK(server.left == static_cast<std::int32_t>(abi::Error::canceled) && server.slept == -1);
        auto message = one_word();
        CHECK_ERROR(native::send_call(endpoint.get(), message, abi::poll), timed_out);
        CHECK(server.page->reserved[0] == abi::no_handle);
        until_others_wait(0);
        CHECK(server.slept == -1);
        __atomic_store_n(&server.word, 1, __ATOMIC_RELEASE);
        native::futex_wake(&server.word, 1);
        thread->join();
        CHECK(server.slept == 0);
    });
}

// Where no server waits it is never queued, so that the Endpoint's port tells nobody of it. The waiter is above the caller on its processor: each time that it were woken it would have a turn.
KERNEL_USER_TEST(a_call_that_polls_wakes_nobody) {
    run_at(1, [](void*) {
        constexpr std::uint64_t polls = 1'000;
        const Owned endpoint(call::endpoint_create(quota()).value_or(0)), port(call::port_create(quota()).value_or(0)), high = of_priority(2);
        CHECK(call::port_bind(port.get(), endpoint.get(), 1));
        abi::Handle waited_at = port.get();
        auto* const waiter = start([](void* argument) {
            abi::PortEvent event{};
            CHECK_ERROR(call::port_wait(*static_cast<abi::Handle*>(argument), std::as_writable_bytes(std::span(&event, 1)), abi::never), canceled);
        }, high, &waited_at);
        REQUIRE(waiter);
        const std::uint64_t before = figures().context_switches;
        for (std::uint64_t poll = 0; poll < polls; ++poll) {
            auto message = one_word();
            CHECK_ERROR(native::send_call(endpoint.get(), message, abi::poll), timed_out);
        }
        CHECK(figures().context_switches - before < polls);
        CHECK(call::thread_kick(waiter->handle()));
        waiter->join();
    });
}

KERNEL_USER_TEST(a_futex_wait_that_timed_out_is_gone) {
    static std::uint32_t word = 0;
    for (int i = 0; i < 3; ++i) CHECK_ERROR(native::futex_wait(&word, 0, native::after_milliseconds(short_while)), timed_out);
    CHECK(call::futex_wake(native::address_of(&word), 9, 0, 0, 0, native::any_futex_bits).value_or(99) == 0);
    CHECK_ERROR(call::futex_wait(native::address_of(&word) + 2, 0, abi::poll, 0, native::any_futex_bits), bad_argument);
}

namespace {

// Serves until a message of the value 0. With a deadline it sleeps in another way than without.
struct PlainServer {
    abi::Handle endpoint;
    bool by_receive;
    abi::Deadline deadline = abi::never;
    static void serve(void* argument) {
        auto& self = *static_cast<PlainServer*>(argument);
        native::Message message{};
        auto incoming = native::receive(self.endpoint, message, self.deadline);
        while (incoming) {
            const bool last = message.words[0] == 0;
            ++message.words[0];
            if (last) {
                CHECK(native::answer(incoming->reply, message));
                return;
            }
            if (self.by_receive) {
                CHECK(incoming->reply != abi::current_reply);
                CHECK(native::answer(incoming->reply, message));
                incoming = native::receive(self.endpoint, message, self.deadline);
            } else {
                incoming = native::answer_and_receive(incoming->reply, self.endpoint, message, self.deadline);
            }
        }
        CHECK(incoming);
    }
};

struct Caller {
    abi::Handle endpoint;
    abi::Handle unfit = 0; // without the right to send
    static void run(void* argument) {
        auto& self = *static_cast<Caller*>(argument);
        for (std::uint64_t i = 1; i <= 6; ++i) {
            auto message = one_word(i);
            CHECK(native::send_call(self.endpoint, message));
            CHECK(message.words[0] == i + 1);
            if (!self.unfit) continue;
            // What the thread knows from receiving is not to call with.
            CHECK(!native::receive(self.unfit, message, abi::poll));
            CHECK_ERROR(native::send_call(self.unfit, message), missing_right);
        }
        auto message = one_word(0);
        CHECK(native::send_call(self.endpoint, message));
    }
};

void exchange(PlainServer server, Caller caller, abi::Handle server_budget, abi::Handle caller_budget) {
    auto servant = native::Thread::create(PlainServer::serve, &server, {.budget = server_budget});
    REQUIRE(servant);
    auto client = native::Thread::create(Caller::run, &caller, {.budget = caller_budget});
    REQUIRE(client);
    (*client)->join();
    (*servant)->join();
}

} // namespace

KERNEL_USER_TEST(a_call_meets_every_kind_of_server) {
    const Owned first_cpu = confined_to(1);
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    for (const bool by_receive : {false, true})
        for (const abi::Deadline deadline : {abi::never, native::after_milliseconds(20'000)})
            exchange({endpoint.get(), by_receive, deadline}, {endpoint.get()}, first_cpu.get(), first_cpu.get());
}

KERNEL_USER_TEST(the_short_way_asks_for_the_right) {
    const Owned first_cpu = confined_to(1);
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    const Owned receives(native::duplicate(endpoint.get(), right::receive, 0, 0).value_or(0));
    exchange({endpoint.get(), false}, {endpoint.get(), receives.get()}, first_cpu.get(), first_cpu.get());
}

KERNEL_USER_TEST(exchanges_between_processors) {
    NEEDS_PROCESSORS(2);
    const Owned first_cpu = confined_to(1), second_cpu = confined_to(2);
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    for (int round = 0; round < 10; ++round) exchange({endpoint.get(), false}, {endpoint.get()}, first_cpu.get(), second_cpu.get());
}

// Its call has arrived, so that it sleeps or is about to: nothing but its end ends that.
KERNEL_USER_TEST(who_waits_for_ever_is_ended) {
    constexpr unsigned char call_the_endpoint_in_the_argument[] = {
        0x31, 0xf6,                                                                       // xor %esi,%esi
        0x48, 0xc7, 0xc3, 0xff, 0xff, 0xff, 0xff,                                         // mov $-1,%rbx
        0xb8, static_cast<unsigned char>(abi::KernelCall::ipc_call), 0, 0, 0, 0x0f, 0x05, // mov $number,%eax; syscall
        0xeb, 0xfe};                                                                      // jmp .
    const Owned endpoint(call::endpoint_create(quota()).value_or(0));
    REQUIRE(endpoint);
    for (int round = 0; round < 16; ++round) {
        auto child = Child::create(quota(), call_the_endpoint_in_the_argument);
        REQUIRE(child);
        const auto client = call::process_grant(child->process, endpoint.get(), right::send, 0);
        REQUIRE(client && child->run(*client));
        native::Message message{};
        const auto incoming = native::receive(endpoint.get(), message);
        REQUIRE(incoming);
        for (int turn = 0; turn < round; ++turn) (void)call::thread_yield();
        CHECK(call::process_kill(child->process, 9));
        CHECK(child->wait());
        CHECK(call::handle_close(incoming->reply));
        child->close();
    }
}

KERNEL_USER_TEST(every_waiter_gets_its_signal) {
    struct Waiters {
        abi::Handle notification = 0;
        std::atomic<unsigned> woken = 0;
    } waiters;
    waiters.notification = call::notification_create(quota()).value_or(0);
    native::Thread* threads[3] = {};
    for (auto*& thread : threads)
        thread = native::Thread::create(
                     [](void* argument) {
                         auto& self = *static_cast<Waiters*>(argument);
                         if (call::notification_wait(self.notification, abi::never)) ++self.woken;
                     },
                     &waiters)
                     .value_or(nullptr);
    // Most of the time all wait by then; where one does not, the signal is there before it.
    for (int i = 0; i < 100; ++i) (void)call::thread_yield();
    for (unsigned i = 0; i < 3; ++i) {
        CHECK(call::notification_signal(waiters.notification, 1));
        while (waiters.woken <= i) (void)call::thread_yield();
    }
    for (auto* thread : threads) thread->join();
    CHECK(call::handle_close(waiters.notification));
}

KERNEL_USER_TEST(a_signal_without_bits_does_nothing) {
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    CHECK(call::notification_signal(*notification, 0));
    CHECK_ERROR(call::notification_wait(*notification, abi::poll), would_block);
    CHECK(call::handle_close(*notification));
}
