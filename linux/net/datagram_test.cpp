#include "linux/net/test_support.hpp"

#include <gtest/gtest.h>

namespace personality {
namespace {

constexpr std::uint32_t nonblock = socket_type::nonblock;

base::Ref<File> make(std::uint32_t type, std::uint32_t protocol) {
    net::test::wire();
    return *InetSocket::make(type, protocol, nonblock, true);
}
Socket& as_socket(const base::Ref<File>& file) { return static_cast<Socket&>(*file); }

int send(const base::Ref<File>& file, std::string_view text, const SocketAddress* to = nullptr) {
    SendRequest request;
    request.data = std::as_bytes(std::span(text));
    request.to = to;
    auto sent = as_socket(file).send(request);
    return sent ? static_cast<int>(*sent) : -static_cast<int>(sent.error());
}
struct Received {
    int result;
    std::string text;
    InetAddress from;
    std::uint32_t flags = 0;
    std::size_t full = 0;
};
Received receive(const base::Ref<File>& file, std::size_t most = 4096) {
    std::string text(most, 0);
    ReceiveRequest request;
    request.data = std::as_writable_bytes(std::span(text));
    auto count = as_socket(file).receive(request);
    if (!count)
        return {-static_cast<int>(count.error()), {}, {}};
    text.resize(*count);
    return {static_cast<int>(*count), text, *inet_address(request.from), request.result_flags, request.full_length};
}
int error_of(Errno error) { return -static_cast<int>(error); }

TEST(Udp, SendsToAnAddressAndAnswers) {
    auto server = make(socket_type::datagram, 0), client = make(socket_type::datagram, 0);
    ASSERT_TRUE(as_socket(server).bind(socket_address({inet::any, 53})));
    const SocketAddress to = socket_address({inet::loopback, 53});
    EXPECT_EQ(send(client, "question", &to), 8);
    EXPECT_EQ(send(client, "", &to), 0);
    const Received question = receive(server);
    EXPECT_EQ(question.text, "question");
    EXPECT_EQ(question.from.address, inet::loopback);
    EXPECT_EQ(receive(server).result, 0); // the empty one
    EXPECT_EQ(receive(server).result, error_of(Errno::EAGAIN));
    const SocketAddress back = socket_address(question.from);
    EXPECT_EQ(send(server, "answer", &back), 6);
    EXPECT_EQ(receive(client).text, "answer");
}

TEST(Udp, CutsALongMessageAndSaysSo) {
    auto server = make(socket_type::datagram, 0), client = make(socket_type::datagram, 0);
    ASSERT_TRUE(as_socket(server).bind(socket_address({inet::any, 54})));
    ASSERT_TRUE(as_socket(client).connect(socket_address({inet::any, 54})));
    EXPECT_EQ(send(client, std::string(60000, 'x')), 60000);
    const Received got = receive(server, 100);
    EXPECT_EQ(got.result, 100);
    EXPECT_EQ(got.full, 60000u);
    EXPECT_EQ(got.flags & message_flag::truncated, message_flag::truncated);
    EXPECT_EQ(send(client, std::string(65508, 'x')), error_of(Errno::EMSGSIZE));
}

TEST(Udp, AConnectedSocketLearnsThatNobodyListens) {
    auto client = make(socket_type::datagram, 0);
    EXPECT_EQ(send(client, "x"), error_of(Errno::EDESTADDRREQ));
    ASSERT_TRUE(as_socket(client).connect(socket_address({inet::loopback, 55})));
    EXPECT_EQ(send(client, "x"), 1);
    EXPECT_EQ(client->poll() & poll_event::error, poll_event::error);
    EXPECT_EQ(receive(client).result, error_of(Errno::ECONNREFUSED));
    EXPECT_EQ(receive(client).result, error_of(Errno::EAGAIN));
}

TEST(Udp, DropsWhatTheReceiveBufferCannotHold) {
    auto server = make(socket_type::datagram, 0), client = make(socket_type::datagram, 0);
    ASSERT_TRUE(as_socket(server).bind(socket_address({inet::any, 56})));
    ASSERT_TRUE(as_socket(client).connect(socket_address({inet::loopback, 56})));
    for (int i = 0; i < 400; ++i)
        ASSERT_EQ(send(client, std::string(1000, 'x')), 1000);
    int count = 0;
    while (receive(server).result > 0)
        ++count;
    EXPECT_GT(count, 100);
    EXPECT_LT(count, 200);
}

TEST(Udp, BroadcastNeedsItsOption) {
    auto client = make(socket_type::datagram, 0);
    const SocketAddress to = socket_address({inet::broadcast, 67});
    EXPECT_EQ(send(client, "x", &to), error_of(Errno::EACCES));
}

TEST(Ping, GetsItsOwnEchoReplies) {
    auto first = make(socket_type::datagram, 1), second = make(socket_type::datagram, 1);
    ASSERT_TRUE(as_socket(first).connect(socket_address({inet::loopback, 0})));
    EXPECT_EQ(send(first, std::string("\x08\0\0\0\0\0\0\1payload", 15)), 15);
    const Received reply = receive(first);
    ASSERT_EQ(reply.result, 15);
    EXPECT_EQ(reply.text[0], 0);
    EXPECT_EQ(reply.text.substr(8), "payload");
    EXPECT_EQ(receive(second).result, error_of(Errno::EAGAIN));
    EXPECT_EQ(send(first, std::string("\x05\0\0\0\0\0\0\1", 8)), error_of(Errno::EINVAL)); // a redirect
}

TEST(Raw, SeesTheIpHeader) {
    auto raw = make(socket_type::raw, 1), ping = make(socket_type::datagram, 1);
    const SocketAddress to = socket_address({inet::loopback, 0});
    EXPECT_EQ(send(ping, std::string("\x08\0\0\0\0\0\0\1", 8), &to), 8);
    const Received request = receive(raw), reply = receive(raw);
    EXPECT_EQ(request.result, 28);
    EXPECT_EQ(request.text[0], 0x45);
    EXPECT_EQ(request.text[20], 8);
    EXPECT_EQ(reply.text[20], 0);
}

TEST(Raw, NeedsTheCapability) {
    EXPECT_EQ(InetSocket::make(socket_type::raw, 1, 0, false).error(), Errno::EPERM);
    EXPECT_EQ(InetSocket::make(socket_type::sequential, 0, 0, true).error(), Errno::ESOCKTNOSUPPORT);
    EXPECT_EQ(InetSocket::make(socket_type::stream, 17, 0, true).error(), Errno::EPROTONOSUPPORT);
}

} // namespace
} // namespace personality
