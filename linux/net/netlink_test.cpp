#include "linux/net/test_support.hpp"

#include "linux/fs/ioctl.hpp"
#include "linux/net/interfaces.hpp"
#include "linux/net/netlink_message.hpp"
#include "linux/net/netlink_socket.hpp"
#include "linux/net/proc_text.hpp"

#include <gtest/gtest.h>

namespace personality {

namespace {

std::string ask(Socket& socket, std::uint16_t type, std::uint16_t flags, std::size_t body = 16) {
    std::vector<std::byte> bytes(16 + body);
    const net::NetlinkHeader header{static_cast<std::uint32_t>(bytes.size()), type, flags, 7, 0};
    std::memcpy(bytes.data(), &header, sizeof header);
    SendRequest request;
    request.data = bytes;
    EXPECT_TRUE(socket.send(request));
    std::string all;
    for (;;) {
        std::string part(4096, 0);
        ReceiveRequest answer;
        answer.data = std::as_writable_bytes(std::span(part));
        auto count = socket.receive(answer);
        if (!count)
            return all;
        all += part.substr(0, *count);
    }
}

// The types of the messages, in order.
std::vector<int> types(const std::string& bytes) {
    std::vector<int> result;
    for (std::size_t at = 0; at + 16 <= bytes.size();) {
        net::NetlinkHeader header;
        std::memcpy(&header, bytes.data() + at, sizeof header);
        EXPECT_EQ(header.sequence, 7u);
        if (header.length < 16)
            break;
        result.push_back(header.type);
        at += (header.length + 3) & ~3u;
    }
    return result;
}

TEST(Netlink, DumpsLinksAddressesAndRoutes) {
    net::test::wire();
    auto file = *NetlinkSocket::make(socket_type::raw, 0, socket_type::nonblock);
    auto& socket = static_cast<Socket&>(*file);
    EXPECT_EQ(types(ask(socket, 18, 0x301)), (std::vector{16, 16, 3}));
    EXPECT_EQ(types(ask(socket, 22, 0x301, 1)), (std::vector{20, 20, 3}));
    EXPECT_EQ(types(ask(socket, 26, 0x301)), (std::vector{24, 24, 3}));
    EXPECT_NE(ask(socket, 18, 0x301).find("eth0"), std::string::npos);
}

TEST(Netlink, RefusesChanges) {
    net::test::wire();
    auto file = *NetlinkSocket::make(socket_type::raw, 0, socket_type::nonblock);
    const std::string answer = ask(static_cast<Socket&>(*file), 20, 0x405);
    std::int32_t error = 0;
    std::memcpy(&error, answer.data() + 16, sizeof error);
    EXPECT_EQ(error, -static_cast<int>(Errno::EPERM));
}

TEST(Interfaces, AnswerIoctls) {
    net::test::wire();
    net::InterfaceRequest request{};
    std::strcpy(request.name, "eth0");
    EXPECT_TRUE(net::interface_request(ioctl_request::interface_address, reinterpret_cast<std::uint64_t>(&request)));
    std::uint32_t address = 0;
    std::memcpy(&address, request.bytes + 4, sizeof address);
    EXPECT_EQ(address, net::test::own_address);
    std::strcpy(request.name, "eth1");
    EXPECT_EQ(net::interface_request(ioctl_request::interface_flags, reinterpret_cast<std::uint64_t>(&request)).error(), Errno::ENODEV);
}

TEST(ProcText, TellsSocketsAndInterfaces) {
    net::test::wire();
    auto file = *InetSocket::make(socket_type::stream, 0, socket_type::nonblock, false);
    ASSERT_TRUE(static_cast<Socket&>(*file).bind(socket_address({inet::loopback, 8080})));
    ASSERT_TRUE(static_cast<Socket&>(*file).listen(1));
    std::string all;
    for (const net::ProcFile& entry : net::proc_files()) {
        base::String text;
        ASSERT_TRUE(entry.write(text));
        all += text.view();
    }
    EXPECT_NE(all.find(": 0100007F:1F90 00000000:0000 0A 00000000:00000000 "), std::string::npos) << all;
    EXPECT_NE(all.find("  eth0: "), std::string::npos);
    EXPECT_NE(all.find("eth0\t00000000\t010011AC\t0003\t"), std::string::npos);
}

} // namespace
} // namespace personality
