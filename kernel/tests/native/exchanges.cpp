// Calls and answers between two threads of one processor, which go from one to the other directly: every way in which such an exchange ends.
#include <atomic>

#include "kernel/tests/native/test.hpp"
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

enum Request : std::uint32_t { add_one = 1, drop, forget, compute, leave, hold, ring, stop };
constexpr std::uint64_t computing_nanoseconds = 30'000'000;

void compute_for(std::uint64_t nanoseconds) {
    const std::uint64_t end = native::monotonic_nanoseconds() + nanoseconds;
    while (native::monotonic_nanoseconds() < end) {}
}

// Serves on the first processor, as its clients do.
struct Server {
    Owned lease{call::lease_create(quota(), 0).value_or(0)};
    Owned first_cpu{call::budget_create(quota(), budget(), {1024, 0, 0, 0, 1}).value_or(0)};
    Owned endpoint{call::endpoint_create(quota()).value_or(0)};
    Owned receives{native::duplicate(endpoint.get(), right::receive, 0, 0).value_or(0)};
    Owned sends{native::duplicate(endpoint.get(), right::send, 0x5e, 0).value_or(0)};
    Owned sends_leased{native::duplicate(endpoint.get(), right::send, 0x5e, lease.get()).value_or(0)};
    Owned arrived{call::notification_create(quota()).value_or(0)};
    Owned go_on{call::notification_create(quota()).value_or(0)};
    std::atomic<std::int32_t> error{0}; // what ended the receiving
    std::atomic<std::uint64_t> kicked{0};
    native::Thread* thread = nullptr;

    Server() {
        auto made = native::Thread::create(serve, this, {.budget = first_cpu.get()});
        CHECK(made);
        if (made) thread = *made;
    }
    static void serve(void* argument) { static_cast<Server*>(argument)->run(); }
    void run() {
        native::Message message{};
        abi::Handle reply = abi::no_handle;
        for (;;) {
            const auto incoming = native::answer_and_receive(reply, receives.get(), message);
            if (!incoming) {
                CHECK(native::current_thread().page->reserved[0] == abi::no_handle); // no message came
                if (incoming.error() == abi::Error::canceled) ++kicked;
                else {
                    error = error_of(incoming);
                    return;
                }
                reply = abi::no_handle;
                continue;
            }
            CHECK(incoming->badge == 0x5e && incoming->reply == abi::current_reply);
            reply = incoming->reply;
            switch (static_cast<Request>(abi::tag_message(message.tag))) {
            case add_one: ++message.words[0]; break;
            case drop:
                CHECK(call::handle_close(reply));
                CHECK_ERROR(call::handle_close(reply), bad_handle);
                CHECK_ERROR(native::answer_and_receive(reply, receives.get(), message, abi::poll), bad_handle);
                reply = abi::no_handle;
                break;
            case forget: reply = abi::no_handle; break;
            case compute: compute_for(computing_nanoseconds); break;
            case leave: return;
            case hold:
                CHECK(call::notification_signal(arrived.get(), 1));
                CHECK(call::notification_wait(go_on.get(), abi::never));
                break;
            case ring:
                CHECK(call::notification_signal(message.handles[0], 1));
                CHECK_ERROR(call::notification_wait(message.handles[0], abi::poll), missing_right);
                CHECK(call::handle_close(message.handles[0]));
                message.tag = abi::make_tag(0, 1, 0);
                break;
            case stop: CHECK(native::answer(reply, message)); return;
            }
        }
    }
    // Where the server still serves.
    void end();
};

// One thread that calls once or twice for practice, and then as it is asked to.
struct Client {
    abi::Handle endpoint;
    Request request;
    abi::Deadline deadline = abi::never;
    std::atomic<std::int32_t> error{-1};
    std::uint64_t practice_sum = 0;
    std::uint64_t word = 0;
    native::Thread* thread = nullptr;

    Client(const Server& server, const Owned& endpoint, Request request) : endpoint(endpoint.get()), request(request) {
        auto made = native::Thread::create(run, this, {.budget = server.first_cpu.get()});
        CHECK(made);
        if (made) thread = *made;
    }
    static void run(void* argument) {
        Client& self = *static_cast<Client*>(argument);
        for (std::uint64_t i = 0; i < 4; ++i) self.practice_sum += self.exchange(add_one, i).value_or(1000);
        const auto result = self.exchange(self.request, 41);
        self.error = error_of(result);
        self.word = result.value_or(0);
    }
    base::Result<std::uint64_t> exchange(Request number, std::uint64_t value) {
        native::Message message{};
        message.tag = abi::make_tag(number, 2, 0);
        message.words[0] = value;
        message.words[1] = ~value;
        TRY(native::send_call(endpoint, message, deadline));
        CHECK(message.words[1] == ~value);
        return message.words[0];
    }
    std::int32_t join() {
        thread->join();
        CHECK(practice_sum == 1 + 2 + 3 + 4);
        return error;
    }
};

void Server::end() {
    Client client(*this, sends, stop);
    CHECK(client.join() == 0);
    thread->join();
    CHECK(error == 0);
}

constexpr std::int32_t number(abi::Error error) { return static_cast<std::int32_t>(error); }

} // namespace

KERNEL_USER_TEST(exchanges_carry_words_both_ways) {
    Server server;
    Client client(server, server.sends, add_one), second(server, server.sends_leased, add_one);
    CHECK(client.join() == 0 && client.word == 42);
    CHECK(second.join() == 0 && second.word == 42);
    server.end();
}

KERNEL_USER_TEST(exchanges_end_where_the_reply_is_closed) {
    Server server;
    CHECK(Client(server, server.sends, drop).join() == number(abi::Error::peer_closed));
    server.end();
}

KERNEL_USER_TEST(exchanges_end_where_the_server_goes_on_without_an_answer) {
    Server server;
    CHECK(Client(server, server.sends, forget).join() == number(abi::Error::peer_closed));
    server.end();
}

KERNEL_USER_TEST(exchanges_end_with_the_server) {
    Server server;
    CHECK(Client(server, server.sends, leave).join() == number(abi::Error::peer_closed));
    server.thread->join();
}

KERNEL_USER_TEST(a_caller_that_was_taken_can_be_kicked) {
    Server server;
    Client client(server, server.sends, hold);
    CHECK(call::notification_wait(server.arrived.get(), abi::never));
    CHECK(call::thread_kick(client.thread->handle()));
    CHECK(client.join() == number(abi::Error::canceled));
    // The answer finds nobody, and the server goes on.
    CHECK(call::notification_signal(server.go_on.get(), 1));
    server.end();
}

KERNEL_USER_TEST(a_caller_that_was_taken_ends_with_its_lease) {
    Server server;
    Client client(server, server.sends_leased, hold);
    CHECK(call::notification_wait(server.arrived.get(), abi::never));
    CHECK(call::lease_revoke(server.lease.get()));
    CHECK(client.join() == number(abi::Error::revoked));
    CHECK(call::notification_signal(server.go_on.get(), 1));
    server.end();
}

KERNEL_USER_TEST(a_server_that_waits_can_be_kicked) {
    Server server;
    CHECK(Client(server, server.sends, add_one).join() == 0);
    CHECK(call::thread_kick(server.thread->handle()));
    CHECK(Client(server, server.sends, add_one).join() == 0);
    CHECK(server.kicked == 1);
    server.end();
}

KERNEL_USER_TEST(a_suspended_caller_takes_its_answer_later) {
    Server server;
    Client client(server, server.sends, hold);
    CHECK(call::notification_wait(server.arrived.get(), abi::never));
    CHECK(call::thread_control(client.thread->handle(), 2));
    CHECK(call::notification_signal(server.go_on.get(), 1));
    CHECK(Client(server, server.sends, add_one).join() == 0);
    // Answered, and yet not on its way.
    CHECK(client.error == -1);
    CHECK(call::thread_control(client.thread->handle(), 3));
    CHECK(client.join() == 0);
    server.end();
}

// A thread that was linked to a lease by an earlier wait is not in that lease's hands later.
KERNEL_USER_TEST(a_lease_ends_no_wait_but_those_under_it) {
    run_at(2, [](void*) {
        Server server;
        Client client(server, server.sends_leased, add_one);
        CHECK(client.join() == 0);
        native::Message message{};
        message.tag = abi::make_tag(add_one, 2, 0);
        message.words[1] = ~std::uint64_t{0};
        CHECK(native::send_call(server.sends_leased.get(), message));
        struct Later {
            Server& server;
            std::atomic<std::int32_t> error{-1};
        } later{server};
        const Owned low = of_priority(1);
        auto* const waiter = start([](void* argument) {
            Later& self = *static_cast<Later*>(argument);
            native::Message again{};
            again.tag = abi::make_tag(add_one, 2, 0);
            CHECK(native::send_call(self.server.sends_leased.get(), again));
            CHECK(call::notification_signal(self.server.arrived.get(), 1));
            self.error = error_of(call::notification_wait(self.server.go_on.get(), abi::never));
        }, low, &later);
        REQUIRE(waiter);
        CHECK(call::notification_wait(server.arrived.get(), abi::never));
        // It has told, and waits by then.
        until_others_wait(0);
        CHECK(call::lease_revoke(server.lease.get()));
        CHECK_ERROR(native::send_call(server.sends_leased.get(), message), revoked);
        CHECK(call::notification_signal(server.go_on.get(), 1));
        waiter->join();
        CHECK(later.error == 0);
        server.end();
    });
}

namespace {

// Whether a caller paid for the most of what it and its server did.
bool caller_pays() {
    Server server;
    struct Payer {
        Server& server;
        std::uint64_t rounds = 0;
    } payer{server};
    auto thread = native::Thread::create(
        [](void* argument) {
            Payer& self = *static_cast<Payer*>(argument);
            native::Message message{};
            const std::uint64_t end = native::monotonic_nanoseconds() + computing_nanoseconds;
            while (native::monotonic_nanoseconds() < end) {
                message.tag = abi::make_tag(add_one, 2, 0);
                if (!native::send_call(self.server.sends.get(), message)) return;
                ++self.rounds;
            }
            CHECK(call::notification_signal(self.server.arrived.get(), 1));
            CHECK(call::notification_wait(self.server.go_on.get(), abi::never));
        },
        &payer, {.budget = server.first_cpu.get()});
    CHECK(thread);
    if (!thread) return false;
    CHECK(call::notification_wait(server.arrived.get(), abi::never));
    abi::ThreadInfo caller{}, servant{};
    CHECK(call::thread_inspect((*thread)->handle(), caller));
    CHECK(call::thread_inspect(server.thread->handle(), servant));
    CHECK(call::notification_signal(server.go_on.get(), 1));
    (*thread)->join();
    server.end();
    // Both work about as long; most of it is the caller's to pay, and nothing is paid twice.
    return caller.cpu_nanoseconds > servant.cpu_nanoseconds && caller.cpu_nanoseconds + servant.cpu_nanoseconds < computing_nanoseconds * 4;
}

} // namespace

// The turn is the caller's, whoever works in it; what comes after the next tick is the server's own. A host that lets the processor stand still puts that on whoever has
// the turn just then, either of them: so most of a few looks decide.
KERNEL_USER_TEST(a_caller_pays_for_what_its_server_does_in_its_turn) {
    constexpr int looks = 7;
    int pays = 0;
    for (int look = 0; look < looks; ++look) pays += caller_pays();
    CHECK(pays > looks / 2);
}

KERNEL_USER_TEST(exchanges_carry_a_capability) {
    struct Run {
        Server& server;
        Owned bell{call::notification_create(quota()).value_or(0)};
        Owned stays{native::duplicate(bell.get(), right::send, 0, 0).value_or(0)}; // without the right to transfer
        unsigned rung = 0;
        std::int32_t ring_by(abi::Handle handle, abi::Rights rights) {
            native::Message message{};
            message.tag = abi::make_tag(ring, 1, 1);
            message.words[0] = 7;
            message.handles[0] = handle;
            message.handle_rights[0] = rights;
            const auto result = native::send_call(server.sends.get(), message);
            return result && message.words[0] != 7 ? -1 : error_of(result);
        }
        void run() {
            for (; rung < 6; ++rung) {
                CHECK(ring_by(bell.get(), right::send) == 0);
                CHECK(call::notification_wait(bell.get(), abi::poll).value_or(0) == 1);
                CHECK(ring_by(stays.get(), right::send) == number(abi::Error::missing_right));
                CHECK(ring_by(server.endpoint.get() ^ 1ull << 62, right::send) == number(abi::Error::bad_handle));
                CHECK(ring_by(bell.get(), right::send | right::map) == number(abi::Error::missing_right));
            }
        }
    };
    Server server;
    Run run{server};
    REQUIRE(run.bell && run.stays);
    auto thread = native::Thread::create([](void* argument) { static_cast<Run*>(argument)->run(); }, &run, {.budget = server.first_cpu.get()});
    REQUIRE(thread);
    (*thread)->join();
    CHECK(run.rung == 6);
    server.end();
}

KERNEL_USER_TEST(the_short_way_ends_with_the_slot) {
    struct Run {
        Server& server;
        abi::Handle own = native::duplicate(server.endpoint.get(), right::send, 0x5e, 0).value_or(0);
        bool done = false;
        std::int32_t call(std::uint64_t tag, abi::Handle handle) {
            native::Message message{};
            message.tag = tag;
            return error_of(native::send_call(handle, message));
        }
        void run() {
            const std::uint64_t tag = abi::make_tag(add_one, 1, 0);
            for (int i = 0; i < 4; ++i) CHECK(call(tag, own) == 0);
            CHECK(native::call::handle_close(own));
            CHECK(call(tag, own) == number(abi::Error::bad_handle));
            CHECK(call(tag, abi::no_handle) == number(abi::Error::bad_handle));
            // In the same slot, by another name.
            const Owned next(native::duplicate(server.endpoint.get(), right::send, 0x5e, 0).value_or(0));
            CHECK(static_cast<std::uint32_t>(next.get()) == static_cast<std::uint32_t>(own) && next.get() != own);
            CHECK(call(tag, own) == number(abi::Error::bad_handle));
            for (int i = 0; i < 4; ++i) CHECK(call(tag, next.get()) == 0);
            done = true;
        }
    };
    Server server;
    Run run{server};
    REQUIRE(run.own);
    auto thread = native::Thread::create([](void* argument) { static_cast<Run*>(argument)->run(); }, &run, {.budget = server.first_cpu.get()});
    REQUIRE(thread);
    (*thread)->join();
    CHECK(run.done);
    server.end();
}

KERNEL_USER_TEST(a_server_does_not_receive_by_a_closed_handle) {
    Server server;
    Client client(server, server.sends, hold);
    CHECK(call::notification_wait(server.arrived.get(), abi::never));
    CHECK(call::handle_close(server.receives.get()));
    CHECK(call::notification_signal(server.go_on.get(), 1));
    server.thread->join();
    CHECK(server.error == number(abi::Error::bad_handle));
    // The answer was given all the same.
    CHECK(client.join() == 0);
}
