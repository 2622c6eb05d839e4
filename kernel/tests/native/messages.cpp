// Calls and replies, notifications, ports, deadlines, kicks.
#include <atomic>

#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;

namespace {

struct Server {
    abi::Handle endpoint = 0;
    std::uint64_t rounds = 0;
    std::atomic<std::uint64_t> badge{0};
    bool drop = false;
    base::Result<native::Incoming> last = std::unexpected(abi::Error::bad_state);
};

// Echoes words incremented by one and capabilities as they are.
void serve(void* argument) {
    Server& server = *static_cast<Server*>(argument);
    native::Message message;
    server.last = native::receive(server.endpoint, message);
    for (std::uint64_t round = 0; round < server.rounds && server.last; ++round) {
        server.badge = server.last->badge;
        if (server.drop) {
            (void)call::handle_close(server.last->reply);
            server.last = native::receive(server.endpoint, message);
            continue;
        }
        for (std::size_t i = 0; i < abi::tag_words(message.tag); ++i) ++message.words[i];
        const auto moved = message;
        if (round + 1 == server.rounds) {
            (void)native::answer(server.last->reply, message);
            native::close_handles(moved);
            return;
        }
        server.last = native::answer_and_receive(server.last->reply, server.endpoint, message);
        native::close_handles(moved);
    }
}

void call_ended(void* argument) {
    auto* result = static_cast<std::int32_t*>(argument);
    native::Message message{};
    message.tag = abi::make_tag(1, 1, 0);
    const auto done = native::send_call(static_cast<abi::Handle>(result[0]) | (std::uint64_t{static_cast<std::uint32_t>(result[1])} << 32), message);
    result[2] = error_of(done);
}

struct Blocked {
    abi::Handle handle = 0;
    std::atomic<std::int32_t> error{-1};
};

struct Sender {
    abi::Handle endpoint = 0;
    abi::Handle carried = 0;
    std::size_t times = 1;
    abi::Handle stays_for = 0; // a notification, or none: the thread's own place in the table is kept until then
    std::int32_t error = -1;
};

void call_with_capability(void* argument) {
    Sender& sender = *static_cast<Sender*>(argument);
    native::Message message{};
    message.tag = abi::make_tag(1, 1, sender.times);
    for (std::size_t i = 0; i < sender.times; ++i) message.handles[i] = sender.carried;
    sender.error = error_of(native::send_call(sender.endpoint, message));
    if (sender.stays_for) CHECK(call::notification_wait(sender.stays_for, abi::never));
}

// All places that the process' table still has.
class Filling {
public:
    explicit Filling(abi::Handle copied) : copied_(copied) { (void)fill(); }
    // How many there were.
    std::size_t fill() {
        const std::size_t before = count_;
        base::Result<abi::Handle> handle = 0;
        while (count_ < most && (handle = call::handle_duplicate(copied_, 0, 0, 0))) handles_[count_++] = *handle;
        CHECK_ERROR(handle, no_slots);
        return count_ - before;
    }
    void close_one() { CHECK(count_ > 0 && call::handle_close(handles_[--count_])); }
    void empty() {
        while (count_ > 0) close_one();
    }

private:
    static constexpr std::size_t most = 1 << 17;
    static inline abi::Handle handles_[most];
    abi::Handle copied_;
    std::size_t count_ = 0;
};

void wait_for_notification(void* argument) {
    Blocked& blocked = *static_cast<Blocked*>(argument);
    blocked.error = error_of(call::notification_wait(blocked.handle, abi::never));
}

} // namespace

KERNEL_USER_TEST(messages_carry_words_badges_and_capabilities) {
    const auto endpoint = call::endpoint_create(quota());
    REQUIRE(endpoint);
    const auto client = call::handle_duplicate(*endpoint, right::send | right::transfer, 0xbad9e, 0);
    REQUIRE(client);
    Server server{.endpoint = *endpoint, .rounds = 3};
    auto thread = native::Thread::create(serve, &server);
    REQUIRE(thread);
    for (int round = 0; round < 2; ++round) {
        native::Message message{};
        message.tag = abi::make_tag(5, abi::message_words, 0);
        for (std::size_t i = 0; i < abi::message_words; ++i) message.words[i] = 100 + i;
        CHECK(native::send_call(*client, message));
        CHECK(abi::tag_words(message.tag) == abi::message_words && abi::tag_message(message.tag) == 5);
        bool right_words = true;
        for (std::size_t i = 0; i < abi::message_words; ++i) right_words &= message.words[i] == 101 + i;
        CHECK(right_words);
        CHECK(server.badge == 0xbad9e);
    }
    // Four capabilities there and back.
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    native::Message message{};
    message.tag = abi::make_tag(6, 1, 4);
    for (std::size_t i = 0; i < 4; ++i) {
        message.handles[i] = *notification;
        message.handle_rights[i] = right::send | right::transfer | right::inspect;
    }
    CHECK(native::send_call(*client, message));
    CHECK(abi::tag_handles(message.tag) == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(message.handles[i] != *notification);
        CHECK(call::notification_signal(message.handles[i], 1u << i));
        CHECK_ERROR(call::notification_wait(message.handles[i], abi::poll), missing_right);
        CHECK(call::handle_close(message.handles[i]));
    }
    CHECK(call::notification_wait(*notification, abi::poll).value_or(0) == 15);
    (*thread)->join();
    for (const auto handle : {*endpoint, *client, *notification}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(bad_messages_are_refused_before_anything_is_sent) {
    const auto endpoint = call::endpoint_create(quota());
    const auto lonely = call::notification_create(quota());
    REQUIRE(endpoint && lonely);
    const auto fixed = call::handle_duplicate(*lonely, right::send, 0, 0);
    REQUIRE(fixed);
    native::Message message{};
    message.tag = 57;
    CHECK_ERROR(native::send_call(*endpoint, message, abi::poll), bad_argument);
    message.tag = abi::make_tag(0, 0, 5);
    CHECK_ERROR(native::send_call(*endpoint, message, abi::poll), bad_argument);
    message.tag = abi::make_tag(0, 0, 1);
    message.handles[0] = *fixed;
    CHECK_ERROR(native::send_call(*endpoint, message, abi::poll), missing_right);
    message.handles[0] = 0x7777'0000'7777;
    CHECK_ERROR(native::send_call(*endpoint, message, abi::poll), bad_handle);
    message.tag = abi::make_tag(0, 1, 0);
    CHECK_ERROR(native::send_call(*endpoint, message, abi::poll), timed_out);
    CHECK_ERROR(native::send_call(*endpoint, message, native::after_milliseconds(2)), timed_out);
    CHECK_ERROR(native::receive(*endpoint, message, abi::poll), timed_out);
    CHECK_ERROR(native::receive(*endpoint, message, native::after_milliseconds(2)), timed_out);
    for (const auto handle : {*endpoint, *lonely, *fixed}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(a_dropped_reply_and_a_lost_server_are_errors) {
    const auto endpoint = call::endpoint_create(quota());
    REQUIRE(endpoint);
    const auto client = call::handle_duplicate(*endpoint, right::send, 0, 0);
    REQUIRE(client);
    Server server{.endpoint = *endpoint, .rounds = 1, .drop = true};
    auto thread = native::Thread::create(serve, &server);
    REQUIRE(thread);
    native::Message message{};
    message.tag = abi::make_tag(1, 1, 0);
    CHECK_ERROR(native::send_call(*client, message), peer_closed);
    // The server now waits again; kicked, it leaves.
    CHECK(call::thread_kick((*thread)->handle()));
    (*thread)->join();
    CHECK_ERROR(server.last, canceled);
    // A caller that waits when the last receiver goes.
    std::int32_t result[3] = {static_cast<std::int32_t>(*client), static_cast<std::int32_t>(*client >> 32), -1};
    auto caller = native::Thread::create(call_ended, result);
    REQUIRE(caller);
    for (int i = 0; i < 20; ++i) (void)call::thread_yield();
    CHECK(call::handle_close(*endpoint));
    (*caller)->join();
    CHECK(result[2] == static_cast<std::int32_t>(abi::Error::peer_closed));
    CHECK_ERROR(native::send_call(*client, message), peer_closed);
    CHECK(call::handle_close(*client));
}

// The carried capability is the last one to an Endpoint's receivers: that it finds no room is not its end, which would be told under the lock of the Endpoint that carries it.
KERNEL_USER_TEST(a_capability_without_room_ends_nothing_on_the_way) {
    const auto port = call::port_create(quota());
    const auto endpoint = call::endpoint_create(quota());
    const auto carried = call::endpoint_create(quota());
    REQUIRE(port && endpoint && carried);
    CHECK(call::port_bind(*port, *endpoint, 1));
    Sender sender{.endpoint = *endpoint, .carried = *carried};
    auto caller = native::Thread::create(call_with_capability, &sender);
    REQUIRE(caller);
    abi::PortEvent events[1] = {};
    CHECK(call::port_wait(*port, std::as_writable_bytes(std::span(events)), abi::never).value_or(0) == 1);
    CHECK(call::handle_close(*carried));
    Filling filling(*port);
    native::Message message{};
    CHECK_ERROR(native::receive(*endpoint, message, abi::poll), no_slots);
    (*caller)->join();
    CHECK(sender.error == static_cast<std::int32_t>(abi::Error::no_slots));
    filling.empty();
    for (const auto each : {*port, *endpoint}) CHECK(call::handle_close(each));
}

// There is room for one of two: the one is not left with the server, who has not been told of it.
KERNEL_USER_TEST(a_message_that_does_not_fit_leaves_nothing_with_its_server) {
    const auto port = call::port_create(quota());
    const auto endpoint = call::endpoint_create(quota());
    const auto bell = call::notification_create(quota());
    REQUIRE(port && endpoint && bell);
    CHECK(call::port_bind(*port, *endpoint, 1));
    Sender sender{.endpoint = *endpoint, .carried = *bell, .times = 2, .stays_for = *bell};
    auto caller = native::Thread::create(call_with_capability, &sender);
    REQUIRE(caller);
    abi::PortEvent events[1] = {};
    CHECK(call::port_wait(*port, std::as_writable_bytes(std::span(events)), abi::never).value_or(0) == 1);
    Filling filling(*port);
    filling.close_one();
    native::Message message{};
    CHECK_ERROR(native::receive(*endpoint, message, abi::poll), no_slots);
    CHECK(filling.fill() == 1);
    CHECK(call::notification_signal(*bell, 1));
    (*caller)->join();
    CHECK(sender.error == static_cast<std::int32_t>(abi::Error::no_slots));
    filling.empty();
    for (const auto each : {*port, *endpoint, *bell}) CHECK(call::handle_close(each));
}

KERNEL_USER_TEST(waits_end_by_deadline_kick_and_revocation) {
    const auto lease = call::lease_create(quota(), 0);
    const auto notification = call::notification_create(quota());
    REQUIRE(lease && notification);
    CHECK_ERROR(call::notification_wait(*notification, native::after_milliseconds(3)), timed_out);
    const auto leased = call::handle_duplicate(*notification, 0, 0, *lease);
    REQUIRE(leased);
    Blocked blocked;
    blocked.handle = *leased;
    auto thread = native::Thread::create(wait_for_notification, &blocked);
    REQUIRE(thread);
    for (int i = 0; i < 20; ++i) (void)call::thread_yield();
    CHECK(call::lease_revoke(*lease));
    (*thread)->join();
    CHECK(blocked.error == static_cast<std::int32_t>(abi::Error::revoked));
    // A kick before the wait is not lost, and counts once.
    Blocked kicked;
    kicked.handle = *notification;
    thread = native::Thread::create(wait_for_notification, &kicked);
    REQUIRE(thread);
    CHECK(call::thread_kick((*thread)->handle()));
    (*thread)->join();
    CHECK(kicked.error == static_cast<std::int32_t>(abi::Error::canceled));
    for (const auto handle : {*lease, *notification, *leased}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(ports_gather_notifications_and_endpoints) {
    const auto port = call::port_create(quota());
    const auto first = call::notification_create(quota());
    const auto second = call::notification_create(quota());
    const auto endpoint = call::endpoint_create(quota());
    REQUIRE(port && first && second && endpoint);
    CHECK(call::notification_signal(*first, 4));
    CHECK(call::port_bind(*port, *first, 1));
    CHECK(call::port_bind(*port, *second, 2));
    CHECK(call::port_bind(*port, *endpoint, 3));
    CHECK_ERROR(call::port_bind(*port, *second, 9), exists);
    abi::PortEvent events[4] = {};
    const auto bytes = std::as_writable_bytes(std::span(events));
    CHECK(call::port_wait(*port, bytes, abi::poll).value_or(0) == 1);
    CHECK(events[0].key == 1 && events[0].bits == 4);
    CHECK_ERROR(call::port_wait(*port, bytes, abi::poll), would_block);
    CHECK_ERROR(call::port_wait(*port, bytes, native::after_milliseconds(2)), timed_out);
    CHECK_ERROR(call::port_wait(*port, bytes.first(8), abi::poll), bad_argument);
    CHECK(call::notification_signal(*first, 1));
    CHECK(call::notification_signal(*second, 2));
    CHECK(call::port_wait(*port, bytes, abi::poll).value_or(0) == 2);
    std::int32_t result[3] = {static_cast<std::int32_t>(*endpoint), static_cast<std::int32_t>(*endpoint >> 32), -1};
    auto caller = native::Thread::create(call_ended, result);
    REQUIRE(caller);
    CHECK(call::port_wait(*port, bytes, abi::never).value_or(0) == 1);
    CHECK(events[0].key == 3 && events[0].bits == 1);
    // It stays ready until the caller is taken.
    CHECK(call::port_wait(*port, bytes, abi::poll).value_or(0) == 1);
    native::Message message{};
    auto incoming = native::receive(*endpoint, message, abi::poll);
    REQUIRE(incoming);
    CHECK_ERROR(call::port_wait(*port, bytes, abi::poll), would_block);
    CHECK(native::answer(incoming->reply, message));
    (*caller)->join();
    CHECK(result[2] == 0);
    CHECK(call::port_bind(*port, *first, native::unbind_key));
    CHECK(call::notification_signal(*first, 1));
    CHECK_ERROR(call::port_wait(*port, bytes, abi::poll), would_block);
    for (const auto handle : {*port, *first, *second, *endpoint}) CHECK(call::handle_close(handle));
}
