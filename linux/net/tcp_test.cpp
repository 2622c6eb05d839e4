#include "linux/net/test_support.hpp"

#include "linux/net/tcp_socket.hpp"

#include <gtest/gtest.h>

namespace personality {
namespace {

using net::test::pass_time;

constexpr std::uint32_t nonblock = socket_type::nonblock;

base::Ref<File> make(std::uint32_t flags = nonblock) {
    net::test::wire();
    return *InetSocket::make(socket_type::stream, 0, flags, false);
}
Socket& as_socket(const base::Ref<File>& file) { return static_cast<Socket&>(*file); }
int number(const auto& result) {
    if (result) {
        if constexpr (requires { static_cast<int>(*result); })
            return static_cast<int>(*result);
        else
            return 0;
    }
    return -static_cast<int>(result.error());
}
int error_of(Errno error) { return -static_cast<int>(error); }

int send(const base::Ref<File>& file, std::string_view text, std::uint32_t flags = 0) {
    SendRequest request;
    request.data = std::as_bytes(std::span(text));
    request.flags = flags;
    return number(as_socket(file).send(request));
}
std::string receive(const base::Ref<File>& file, std::size_t most = 4096, std::uint32_t flags = 0) {
    std::string text(most, 0);
    ReceiveRequest request;
    request.data = std::as_writable_bytes(std::span(text));
    request.flags = flags;
    auto count = as_socket(file).receive(request);
    if (!count)
        return "errno " + std::to_string(static_cast<int>(count.error()));
    text.resize(*count);
    return text;
}
std::string errno_text(Errno error) { return "errno " + std::to_string(static_cast<int>(error)); }

base::Ref<File> listener(std::uint16_t port, int backlog = 8) {
    auto file = make();
    EXPECT_EQ(number(as_socket(file).bind(socket_address({inet::any, port}))), 0);
    EXPECT_EQ(number(as_socket(file).listen(backlog)), 0);
    return file;
}
base::Ref<File> accept(const base::Ref<File>& from) {
    SocketAddress peer;
    auto accepted = as_socket(from).accept(peer, nonblock);
    return accepted ? std::move(*accepted) : base::Ref<File>();
}

// As a blocking socket does it.
int connect(const base::Ref<File>& file, std::uint16_t port) {
    file->flags &= ~open_flag::nonblock;
    const int result = number(as_socket(file).connect(socket_address({inet::loopback, port})));
    file->flags |= open_flag::nonblock;
    return result;
}

struct Connection {
    base::Ref<File> client, server;
};
Connection connection(std::uint16_t port) {
    auto listening = listener(port);
    auto client = make();
    EXPECT_EQ(connect(client, port), 0);
    return {client, accept(listening)};
}

TEST(Tcp, ANewConnectionFromTheSamePortNeedNotWaitForTheOldOnesEnd) {
    auto listening = listener(1900);
    for (int round = 0; round < 4; ++round) {
        auto client = make();
        ASSERT_EQ(number(as_socket(client).bind(socket_address({inet::loopback, 1901}))), 0) << round;
        ASSERT_EQ(connect(client, 1900), 0) << round;
        auto server = accept(listening);
        ASSERT_TRUE(server) << round;
        EXPECT_EQ(send(client, std::string(1000, 'x')), 1000);
        EXPECT_EQ(receive(server), std::string(1000, 'x'));
        server.reset(); // the server closes first and remembers the connection
        EXPECT_EQ(receive(client), "");
        client.reset();
        pass_time(1);
    }
}

TEST(Tcp, ConnectsAndCarriesBytesBothWays) {
    auto [client, server] = connection(1000);
    ASSERT_TRUE(server);
    EXPECT_EQ(receive(server), errno_text(Errno::EAGAIN));
    EXPECT_EQ(send(client, "hello"), 5);
    EXPECT_EQ(server->poll() & poll_event::in, poll_event::in);
    EXPECT_EQ(receive(server, 100, message_flag::peek), "hello");
    EXPECT_EQ(receive(server, 2), "he");
    EXPECT_EQ(receive(server), "llo");
    EXPECT_EQ(send(server, "back"), 4);
    EXPECT_EQ(receive(client), "back");
}

TEST(Tcp, NamesItsEnds) {
    auto [client, server] = connection(1001);
    SocketAddress address, other;
    ASSERT_EQ(number(as_socket(client).peer_address(address)), 0);
    EXPECT_EQ(*inet_address(address), (InetAddress{inet::loopback, 1001}));
    ASSERT_EQ(number(as_socket(client).local_address(address)), 0);
    ASSERT_EQ(number(as_socket(server).peer_address(other)), 0);
    EXPECT_EQ(*inet_address(address), *inet_address(other));
}

TEST(Tcp, RefusesWhereNobodyListens) {
    auto client = make();
    EXPECT_EQ(connect(client, 9), error_of(Errno::ECONNREFUSED));
    EXPECT_EQ(send(client, "x"), error_of(Errno::EPIPE));
    EXPECT_EQ(number(as_socket(client).connect(socket_address({inet::loopback, 9}))), error_of(Errno::EINPROGRESS));
    EXPECT_EQ(client->poll() & poll_event::error, poll_event::error);
    EXPECT_EQ(number(as_socket(client).connect(socket_address({inet::loopback, 9}))), error_of(Errno::ECONNREFUSED)); // what became of it
    // The program may try again with the same socket.
    auto listening = listener(1002);
    EXPECT_EQ(connect(client, 1002), 0);
}

TEST(Tcp, AcceptWithoutConnectionIsEagainOrWaits) {
    auto listening = listener(1003);
    SocketAddress peer;
    EXPECT_EQ(number(as_socket(listening).accept(peer, 0)), error_of(Errno::EAGAIN));
    listening->flags = open_flag::read_write;
    base::Ref<File> client;
    net::test::while_asleep = [&] {
        client = make();
        EXPECT_EQ(connect(client, 1003), 0);
        return true;
    };
    EXPECT_TRUE(as_socket(listening).accept(peer, 0).has_value());
    net::test::while_asleep = nullptr;
}

TEST(Tcp, MovesMegabytesThroughAFullBuffer) {
    auto [client, server] = connection(1004);
    std::string pattern(1 << 20, 0);
    for (std::size_t i = 0; i < pattern.size(); ++i)
        pattern[i] = static_cast<char>(i * 131 + (i >> 9));
    std::string got;
    std::size_t sent = 0;
    bool was_full = false;
    while (got.size() < pattern.size()) {
        if (sent < pattern.size()) {
            const int count = send(client, std::string_view(pattern).substr(sent));
            if (count > 0)
                sent += static_cast<std::size_t>(count);
            else
                was_full = true;
            if (count < 0) {
                ASSERT_EQ(count, error_of(Errno::EAGAIN));
                EXPECT_EQ(client->poll() & poll_event::out, 0u);
            }
        }
        if (was_full || sent == pattern.size()) {
            const std::string part = receive(server, 50000);
            if (part == errno_text(Errno::EAGAIN))
                pass_time(10);
            else
                got += part;
        }
    }
    EXPECT_TRUE(was_full);
    EXPECT_EQ(got, pattern);
}

// What stays in the sandbox is not cut for a network's sake.
TEST(Tcp, SegmentsAreLargerOnTheLoopback) {
    const auto segment_of = [](const base::Ref<File>& file) {
        std::int32_t size = 0;
        EXPECT_EQ(number(as_socket(file).get_option(socket_level::tcp, tcp_option::segment_size, std::as_writable_bytes(std::span(&size, 1)))), 4);
        return size;
    };
    auto [client, server] = connection(1020);
    EXPECT_EQ(segment_of(client), 16060);
    EXPECT_EQ(segment_of(server), 16060);
    // A reader who takes little at a time gets all of it.
    const std::string text(200'000, 'x');
    ASSERT_EQ(send(client, text), 200'000);
    std::string all;
    for (std::string part; (part = receive(server, 1000)).size() > 10 || part.find("errno") != 0; pass_time(10))
        all += part;
    EXPECT_EQ(all, text);
}

TEST(Tcp, TellsTheEndOfInputAndSendsAfterIt) {
    auto [client, server] = connection(1005);
    send(client, "last");
    EXPECT_EQ(number(as_socket(client).shutdown(false, true)), 0);
    EXPECT_EQ(send(client, "x"), error_of(Errno::EPIPE));
    EXPECT_EQ(server->poll() & (poll_event::in | poll_event::read_hang_up | poll_event::hang_up), poll_event::in | poll_event::read_hang_up);
    EXPECT_EQ(receive(server), "last");
    EXPECT_EQ(receive(server), "");
    EXPECT_EQ(send(server, "answer"), 6);
    EXPECT_EQ(receive(client), "answer");
    server = nullptr;
    EXPECT_EQ(receive(client), "");
    pass_time(5000); // the connection's TIME-WAIT ends: nothing points to it any more
    EXPECT_EQ(client->poll() & poll_event::hang_up, poll_event::hang_up);
}

TEST(Tcp, BothEndsShutInTheOtherOrder) {
    auto [client, server] = connection(1006);
    EXPECT_EQ(number(as_socket(server).shutdown(false, true)), 0);
    EXPECT_EQ(number(as_socket(client).shutdown(false, true)), 0);
    EXPECT_EQ(receive(server), "");
    EXPECT_EQ(receive(client), "");
    pass_time(5000);
}

TEST(Tcp, ClosingWithUnreadDataResets) {
    auto [client, server] = connection(1007);
    send(client, "never read");
    server = nullptr;
    EXPECT_EQ(client->poll() & poll_event::error, poll_event::error);
    EXPECT_EQ(receive(client), errno_text(Errno::ECONNRESET));
    EXPECT_EQ(receive(client), "");
    EXPECT_EQ(send(client, "x"), error_of(Errno::EPIPE));
}

TEST(Tcp, LingerOfNoTimeResets) {
    auto [client, server] = connection(1008);
    const std::int32_t linger[2] = {1, 0};
    EXPECT_EQ(number(as_socket(client).set_option(socket_level::socket, socket_option::linger, std::as_bytes(std::span(linger)))), 0);
    client = nullptr;
    EXPECT_EQ(receive(server), errno_text(Errno::ECONNRESET));
}

TEST(Tcp, AnAddressBelongsToOneListener) {
    auto first = listener(1009);
    auto second = make();
    EXPECT_EQ(number(as_socket(second).bind(socket_address({inet::any, 1009}))), error_of(Errno::EADDRINUSE));
    EXPECT_EQ(number(as_socket(second).bind(socket_address({0x08080808, 1}))), error_of(Errno::EADDRNOTAVAIL));
}

TEST(Tcp, ReuseAddressLetsAServerStartAgain) {
    {
        auto [client, server] = connection(1010);
        server = nullptr; // the server's end goes to TIME-WAIT
    }
    auto again = make();
    EXPECT_EQ(number(as_socket(again).bind(socket_address({inet::any, 1010}))), error_of(Errno::EADDRINUSE));
    const std::int32_t on = 1;
    as_socket(again).set_option(socket_level::socket, socket_option::reuse_address, std::as_bytes(std::span(&on, 1)));
    EXPECT_EQ(number(as_socket(again).bind(socket_address({inet::any, 1010}))), 0);
    EXPECT_EQ(number(as_socket(again).listen(1)), 0);
    pass_time(5000);
}

TEST(Tcp, AFullQueueOfConnectionsHoldsOthersBack) {
    auto listening = listener(1011, 1);
    std::vector<base::Ref<File>> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(make());
        EXPECT_EQ(number(as_socket(clients.back()).connect(socket_address({inet::loopback, 1011}))), error_of(Errno::EINPROGRESS));
        EXPECT_EQ(clients.back()->poll() & poll_event::out, i < 2 ? poll_event::out : 0u) << i;
    }
    EXPECT_TRUE(accept(listening));
    EXPECT_TRUE(accept(listening));
    pass_time(4000); // the others' requests come again
    EXPECT_TRUE(accept(listening));
    EXPECT_TRUE(accept(listening));
    for (const auto& client : clients)
        EXPECT_EQ(client->poll() & (poll_event::out | poll_event::error), poll_event::out);
}

TEST(Tcp, OptionsAreKeptAndUnknownOnesRefused) {
    auto file = make();
    const std::int32_t on = 1;
    std::int32_t value = 0;
    const auto bytes = std::as_writable_bytes(std::span(&value, 1));
    EXPECT_EQ(number(as_socket(file).set_option(socket_level::tcp, tcp_option::no_delay, std::as_bytes(std::span(&on, 1)))), 0);
    EXPECT_EQ(number(as_socket(file).get_option(socket_level::tcp, tcp_option::no_delay, bytes)), 4);
    EXPECT_EQ(value, 1);
    EXPECT_EQ(number(as_socket(file).set_option(socket_level::tcp, 23, std::as_bytes(std::span(&on, 1)))), error_of(Errno::ENOPROTOOPT));
    EXPECT_EQ(number(as_socket(file).get_option(socket_level::socket, socket_option::type, bytes)), 4);
    EXPECT_EQ(value, 1);
}

TEST(Tcp, ListenersThatShareAnAddressTakeTurns) {
    const std::int32_t on = 1;
    std::vector<base::Ref<File>> listeners;
    for (int i = 0; i < 3; ++i) {
        auto file = make();
        as_socket(file).set_option(socket_level::socket, socket_option::reuse_port, std::as_bytes(std::span(&on, 1)));
        EXPECT_EQ(number(as_socket(file).bind(socket_address({inet::any, 1013}))), 0);
        EXPECT_EQ(number(as_socket(file).listen(8)), 0);
        listeners.push_back(std::move(file));
    }
    auto stranger = make();
    EXPECT_EQ(number(as_socket(stranger).bind(socket_address({inet::any, 1013}))), error_of(Errno::EADDRINUSE));
    std::vector<base::Ref<File>> clients;
    for (int i = 0; i < 6; ++i) {
        auto client = make();
        EXPECT_EQ(connect(client, 1013), 0);
        clients.push_back(std::move(client));
    }
    for (auto& file : listeners) {
        EXPECT_TRUE(accept(file));
        EXPECT_TRUE(accept(file));
        EXPECT_FALSE(accept(file));
    }
    listeners.erase(listeners.begin()); // the one that was first: another has its place
    auto client = make();
    EXPECT_EQ(connect(client, 1013), 0);
    EXPECT_TRUE(accept(listeners[0]) || accept(listeners[1]));
    listeners.clear();
    EXPECT_EQ(connect(make(), 1013), error_of(Errno::ECONNREFUSED));
}

TEST(Tcp, SingleBytesDoNotFillTheQueueWithPackets) {
    auto [client, server] = connection(1012);
    const std::int32_t on = 1;
    as_socket(client).set_option(socket_level::tcp, tcp_option::no_delay, std::as_bytes(std::span(&on, 1)));
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        text += byte;
        ASSERT_EQ(send(client, {&byte, 1}), 1);
    }
    std::string got;
    while (got.size() < text.size())
        got += receive(server, 700);
    EXPECT_EQ(got, text);
}

} // namespace
} // namespace personality
