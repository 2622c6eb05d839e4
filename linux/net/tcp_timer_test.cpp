// When the stack wants to be called, and that what it does then is not late for the ticks that nobody waited for.
#include "linux/net/test_support.hpp"

#include "lwip/priv/tcp_priv.h"

#include "linux/ipc/clock.hpp"
#include "linux/net/tcp_socket.hpp"

#include <gtest/gtest.h>

namespace personality {
namespace {

using net::test::pause;

constexpr std::uint64_t millisecond = 1'000'000, second = 1000 * millisecond;

// As the link's thread does it: called when asked for, and at no other time.
unsigned sleep_until(std::uint64_t end) {
    unsigned calls = 0;
    while (net::next_timer() <= end) {
        if (const std::uint64_t next = net::next_timer(); next > monotonic_now())
            pause((next - monotonic_now() + millisecond - 1) / millisecond);
        net::run_timers();
        net::settle();
        ++calls;
    }
    if (end > monotonic_now())
        pause((end - monotonic_now()) / millisecond);
    return calls;
}
unsigned sleep(std::uint64_t nanoseconds) { return sleep_until(monotonic_now() + nanoseconds); }

Socket& as_socket(const base::Ref<File>& file) { return static_cast<Socket&>(*file); }

base::Ref<File> make() {
    net::test::wire();
    return *InetSocket::make(socket_type::stream, 0, socket_type::nonblock, false);
}

struct Connection {
    base::Ref<File> client, server;
};
Connection connection(std::uint16_t port) {
    auto listener = make(), client = make();
    EXPECT_TRUE(as_socket(listener).bind(socket_address({inet::any, port})) && as_socket(listener).listen(1));
    (void)as_socket(client).connect(socket_address({inet::loopback, port}));
    SocketAddress peer;
    auto accepted = as_socket(listener).accept(peer, socket_type::nonblock);
    EXPECT_TRUE(accepted);
    return {client, std::move(*accepted)};
}

bool send(const base::Ref<File>& file, std::string_view text) {
    SendRequest request;
    request.data = std::as_bytes(std::span(text));
    return as_socket(file).send(request).has_value();
}

void set_option(const base::Ref<File>& file, int level, int name, std::int32_t value) {
    EXPECT_TRUE(as_socket(file).set_option(level, name, std::as_bytes(std::span(&value, 1))));
}

tcp_pcb& of_port(std::uint16_t port) {
    for (tcp_pcb* pcb = tcp_active_pcbs; pcb != nullptr; pcb = pcb->next)
        if (pcb->remote_port == port)
            return *pcb;
    ADD_FAILURE() << "no connection to port " << port;
    std::abort();
}

void quiet() { (void)sleep(100 * second); }

TEST(TcpTimer, ConnectionsThatRestAskForNothing) {
    quiet();
    auto [client, server] = connection(1100);
    ASSERT_TRUE(send(client, "text"));
    EXPECT_LE(sleep(10 * second), 20u);
    EXPECT_EQ(net::next_timer(), abi::never);
    EXPECT_EQ(sleep(100'000 * second), 0u);
}

TEST(TcpTimer, ADelayedAcknowledgementIsNotLater) {
    quiet();
    auto [client, server] = connection(1101);
    (void)sleep(10 * second);
    pause(1'000'000);
    ASSERT_TRUE(send(client, "text"));
    EXPECT_NE(of_port(1101).unacked, nullptr);
    (void)sleep(100 * millisecond);
    EXPECT_EQ(of_port(1101).unacked, nullptr);
}

TEST(TcpTimer, TimeThatPassedBeforeIsNoPartOfARetransmissionsTime) {
    quiet();
    auto [client, server] = connection(1102);
    (void)sleep(10 * second);
    net::begin();
    const auto ticks = tcp_ticks;
    pause(1'000'000);
    net::begin();
    EXPECT_EQ(tcp_ticks - ticks, 1'000'000u / TCP_SLOW_INTERVAL);
    tcp_pcb& pcb = of_port(1102);
    // As if the frame was lost: it waits on the loopback's queue, which nobody serves.
    ASSERT_EQ(tcp_write(&pcb, "x", 1, TCP_WRITE_FLAG_COPY), ERR_OK);
    ASSERT_EQ(tcp_output(&pcb), ERR_OK);
    EXPECT_EQ(pcb.rtime, 0);
    const std::uint64_t sent = monotonic_now();
    const auto timeout = static_cast<std::uint64_t>(pcb.rto) * TCP_SLOW_INTERVAL * millisecond;
    std::uint64_t again = 0;
    while (pcb.nrtx == 0 && monotonic_now() < sent + 60 * second) {
        pause(10);
        if (net::next_timer() <= monotonic_now())
            net::run_timers();
        again = monotonic_now();
    }
    EXPECT_EQ(pcb.nrtx, 1);
    EXPECT_GE(again - sent, timeout - TCP_SLOW_INTERVAL * millisecond);
    EXPECT_LE(again - sent, timeout + 2 * TCP_SLOW_INTERVAL * millisecond);
    net::settle();
}

TEST(TcpTimer, AClosedWindowIsProbed) {
    quiet();
    auto [client, server] = connection(1103);
    while (send(client, std::string(60'000, 'x')))
        (void)sleep(10 * millisecond);
    (void)sleep(2 * second);
    tcp_pcb& pcb = of_port(1103);
    ASSERT_GT(pcb.persist_backoff, 0);
    const auto step = pcb.persist_backoff;
    EXPECT_LE(sleep(60 * second), 20u); // in 300 ticks
    EXPECT_GT(pcb.persist_backoff, step);
    EXPECT_EQ(client->poll() & poll_event::error, 0u);
}

TEST(TcpTimer, AConnectionThatWasClosedIsForgottenInTime) {
    quiet();
    ASSERT_EQ(tcp_tw_pcbs, nullptr);
    {
        auto [client, server] = connection(1104);
        client = nullptr;
        server = nullptr;
    }
    ASSERT_NE(tcp_tw_pcbs, nullptr);
    (void)sleep(1500 * millisecond);
    EXPECT_NE(tcp_tw_pcbs, nullptr);
    (void)sleep(1500 * millisecond);
    EXPECT_EQ(tcp_tw_pcbs, nullptr);
    EXPECT_EQ(tcp_active_pcbs, nullptr);
}

TEST(TcpTimer, APeerIsAskedWhetherItLives) {
    quiet();
    auto [client, server] = connection(1105);
    set_option(client, socket_level::socket, socket_option::keep_alive, 1);
    set_option(client, socket_level::tcp, tcp_option::keep_idle, 1000);
    (void)sleep(10 * second);
    EXPECT_EQ(sleep(900 * second), 0u);
    const auto heard = of_port(1105).tmr;
    (void)sleep(100 * second);
    EXPECT_GT(of_port(1105).tmr, heard); // the answer to the probe
    EXPECT_EQ(client->poll() & poll_event::error, 0u);
}

} // namespace
} // namespace personality
