// The socket calls as a program makes them: addresses, buffers and control messages in "guest" memory.
#include "linux/net/test_support.hpp"

#include "linux/calls/table.hpp"
#include "lib/native/kernel.hpp"
#include "linux/fs/root.hpp"
#include "linux/signal/send.hpp"
#include "linux/testing/support.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace native::call {
RawResult raw(abi::KernelCall, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) { return {0, 0}; } // handles that close
} // namespace native::call

namespace personality {

// What the calls' link needs and no test here comes to.
MemoryMap::~MemoryMap() = default;
MountTable& sandbox_mounts() { std::abort(); }
void send_broken_pipe(Task&) {}

namespace {

class SocketCalls : public testing::Test {
protected:
    SocketCalls() { net::test::wire(); }
    template <class... T> std::int64_t call(LinuxResult<std::uint64_t> (*handler)(Task&, const CallArguments&), T... arguments) {
        std::uint64_t words[6] = {};
        std::size_t index = 0;
        ((words[index++] = word(arguments)), ...);
        const auto result = handler(*task_, CallArguments(words[0], words[1], words[2], words[3], words[4], words[5]));
        EXPECT_EQ(test::lock_depth(), 0);
        return result ? static_cast<std::int64_t>(*result) : -static_cast<std::int64_t>(result.error());
    }
    template <class T> static std::uint64_t word(T value) {
        if constexpr (std::is_null_pointer_v<T>)
            return 0;
        else if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<std::uint64_t>(value);
        else
            return static_cast<std::uint64_t>(value);
    }
    std::int64_t socket(int family, int type, int protocol = 0) { return call(sys_socket, family, type, protocol); }
    SocketAddress address(std::uint16_t port) { return socket_address({inet::loopback, port}); }
    std::int64_t listener(std::uint16_t port) {
        const std::int64_t number = socket(2, 1);
        SocketAddress own = address(port);
        EXPECT_EQ(call(sys_bind, number, own.bytes.data(), 16), 0);
        EXPECT_EQ(call(sys_listen, number, 5), 0);
        return number;
    }

    test::TestTask task_;
};
std::int64_t error_of(Errno error) { return -static_cast<std::int64_t>(error); }

TEST_F(SocketCalls, StreamFromConnectToShutdown) {
    const std::int64_t listening = listener(2000), client = socket(2, 1 | 02000000);
    SocketAddress to = address(2000), peer, own;
    std::int32_t length = 128;
    EXPECT_EQ(call(sys_connect, client, to.bytes.data(), 16), 0);
    const std::int64_t server = call(sys_accept4, listening, peer.bytes.data(), &length, 04000);
    ASSERT_GT(server, 0);
    EXPECT_EQ(length, 16);
    length = 4;
    EXPECT_EQ(call(sys_getsockname, client, own.bytes.data(), &length), 0);
    EXPECT_EQ(length, 16); // the true length, though only four bytes were wanted
    EXPECT_EQ(std::memcmp(own.bytes.data(), peer.bytes.data(), 4), 0);
    EXPECT_EQ(own.bytes[4], std::byte{0});

    char text[300000], got[300000];
    for (std::size_t i = 0; i < sizeof text; ++i)
        text[i] = static_cast<char>(i * 7);
    EXPECT_EQ(call(sys_sendto, client, text, 200000, 0x4000, nullptr, 0), 200000);
    EXPECT_EQ(call(sys_recvfrom, server, got, sizeof got, 2, nullptr, nullptr), 65536); // a peek is one buffer long
    std::int64_t done = 0;
    while (done < 200000) {
        const std::int64_t part = call(sys_recvfrom, server, got + done, sizeof got - done, 0, nullptr, nullptr);
        ASSERT_GT(part, 0);
        done += part;
    }
    EXPECT_EQ(std::memcmp(text, got, 200000), 0);
    EXPECT_EQ(call(sys_shutdown, client, 3), error_of(Errno::EINVAL));
    EXPECT_EQ(call(sys_shutdown, client, 1), 0);
    EXPECT_EQ(call(sys_recvfrom, server, got, sizeof got, 0, nullptr, nullptr), 0);
}

TEST_F(SocketCalls, WaitAllWaitsForAll) {
    const std::int64_t listening = listener(2001), client = socket(2, 1);
    SocketAddress to = address(2001);
    EXPECT_EQ(call(sys_connect, client, to.bytes.data(), 16), 0);
    const std::int64_t server = call(sys_accept, listening, nullptr, nullptr);
    EXPECT_EQ(call(sys_sendto, client, "abc", 3, 0, nullptr, 0), 3);
    net::test::while_asleep = [&] {
        SandboxUnlock unlocked;
        return call(sys_sendto, client, "def", 3, 0, nullptr, 0) == 3;
    };
    char got[6];
    EXPECT_EQ(call(sys_recvfrom, server, got, 6, 0x100, nullptr, nullptr), 6);
    net::test::while_asleep = nullptr;
    EXPECT_EQ(std::string_view(got, 6), "abcdef");
    EXPECT_EQ(call(sys_recvfrom, server, got, 6, 0x40, nullptr, nullptr), error_of(Errno::EAGAIN));
}

struct Vector {
    const void* base;
    std::uint64_t length;
};
struct Message {
    const void* name;
    std::uint64_t name_length;
    const Vector* vector;
    std::uint64_t vectors;
    void* control;
    std::uint64_t control_length;
    std::uint32_t flags = 0, padding = 0;
};

TEST_F(SocketCalls, MessagesOfSeveralPartsAndPacketInformation) {
    const std::int64_t server = socket(2, 2), client = socket(2, 2);
    SocketAddress to = address(2002), from;
    EXPECT_EQ(call(sys_bind, server, to.bytes.data(), 16), 0);
    const std::int32_t on = 1;
    EXPECT_EQ(call(sys_setsockopt, server, 0, 8, &on, 4), 0);
    const Vector parts[2] = {{"head", 4}, {"tail", 4}};
    const Message out{to.bytes.data(), 16, parts, 2, nullptr, 0};
    EXPECT_EQ(call(sys_sendmsg, client, &out, 0), 8);
    char first[3], rest[2];
    const Vector places[2] = {{first, 3}, {rest, 2}};
    alignas(8) char control[64];
    Message in{from.bytes.data(), 128, places, 2, control, sizeof control};
    EXPECT_EQ(call(sys_recvmsg, server, &in, 0x20), 8); // MSG_TRUNC: the true length
    EXPECT_EQ(std::string_view(first, 3), "hea");
    EXPECT_EQ(std::string_view(rest, 2), "dt");
    EXPECT_EQ(in.flags & 0x20, 0x20u);
    EXPECT_EQ(in.name_length & 0xffffffff, 16u);
    EXPECT_EQ(in.control_length, 32u);
    std::uint32_t destination = 0;
    std::memcpy(&destination, control + 24, 4);
    EXPECT_EQ(destination, inet::loopback);
}

TEST_F(SocketCalls, DescriptorsTravelOverAPair) {
    std::int32_t pair[2];
    ASSERT_EQ(call(sys_socketpair, 1, 1, 0, pair), 0);
    const std::int64_t sent = socket(2, 2);
    struct {
        std::uint64_t length = 20;
        std::int32_t level = 1, type = 1, number, padding = 0;
    } control{.number = static_cast<std::int32_t>(sent)}, got{};
    const Vector part{"x", 1};
    const Message out{nullptr, 0, &part, 1, &control, 20};
    EXPECT_EQ(call(sys_sendmsg, pair[0], &out, 0), 1);
    char byte;
    const Vector place{&byte, 1};
    Message in{nullptr, 0, &place, 1, &got, sizeof got};
    EXPECT_EQ(call(sys_recvmsg, pair[1], &in, 0x40000000), 1);
    EXPECT_GT(got.number, sent);
    std::int32_t type = 0, length = 4;
    EXPECT_EQ(call(sys_getsockopt, got.number, 1, 3, &type, &length), 0);
    EXPECT_EQ(type, 2);
}

TEST_F(SocketCalls, ErrorsAtTheBorder) {
    EXPECT_EQ(socket(10, 1), error_of(Errno::EAFNOSUPPORT));
    EXPECT_EQ(call(sys_bind, 77, nullptr, 16), error_of(Errno::EBADF));
    const std::int64_t number = socket(2, 1);
    EXPECT_EQ(call(sys_bind, number, nullptr, 16), error_of(Errno::EFAULT));
    EXPECT_EQ(call(sys_bind, number, nullptr, 129), error_of(Errno::EINVAL));
    EXPECT_EQ(call(sys_connect, number, nullptr, -1), error_of(Errno::EINVAL));
    EXPECT_EQ(call(sys_listen, number, 1), 0);
    EXPECT_EQ(call(sys_getsockopt, number, 1, 3, &number, nullptr), error_of(Errno::EFAULT));
}

} // namespace
} // namespace personality
