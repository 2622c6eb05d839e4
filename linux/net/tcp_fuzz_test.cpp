// TCP segments of a hostile peer: right checksums and plausible numbers, so that they reach the state machine, with everything else by chance.
#include "linux/net/test_support.hpp"

#include "linux/net/tcp_socket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

namespace personality {
namespace {

using namespace net::test;
using Frame = std::vector<std::uint8_t>;

constexpr std::uint8_t peer_mac[6] = {0x02, 0x54, 0, 0, 0, 3}, own[6] = {0x02, 0x54, 0, 0, 0, 2};
constexpr std::uint16_t listening_port = 80;

void put16(Frame& to, std::size_t at, std::uint32_t value) {
    to[at] = static_cast<std::uint8_t>(value >> 8);
    to[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Frame& to, std::size_t at, std::uint32_t value) {
    put16(to, at, value >> 16);
    put16(to, at + 2, value & 0xffff);
}
std::uint32_t get32(const Frame& from, std::size_t at) {
    return std::uint32_t{from[at]} << 24 | std::uint32_t{from[at + 1]} << 16 | std::uint32_t{from[at + 2]} << 8 | from[at + 3];
}
std::uint16_t checksum(const Frame& bytes, std::size_t from, std::size_t to, std::uint32_t sum = 0) {
    for (std::size_t i = from; i < to; i += 2)
        sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < to ? bytes[i + 1] : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

struct Segment {
    std::uint16_t from, to, window;
    std::uint32_t sequence, acknowledged;
    std::uint8_t flags;
    Frame options; // a multiple of 4 bytes
    std::size_t data;
};

Frame frame_of(const Segment& segment) {
    const std::size_t header = 20 + segment.options.size();
    Frame frame(34 + header + segment.data);
    std::copy_n(own, 6, frame.begin());
    std::copy_n(peer_mac, 6, frame.begin() + 6);
    frame[12] = 8;
    frame[14] = 0x45;
    put16(frame, 16, static_cast<std::uint32_t>(frame.size() - 14));
    frame[22] = 64;
    frame[23] = 6;
    put32(frame, 26, 0xac110003);
    put32(frame, 30, 0xac110002);
    put16(frame, 24, checksum(frame, 14, 34));
    put16(frame, 34, segment.from);
    put16(frame, 36, segment.to);
    put32(frame, 38, segment.sequence);
    put32(frame, 42, segment.acknowledged);
    frame[46] = static_cast<std::uint8_t>(header / 4 << 4);
    frame[47] = segment.flags;
    put16(frame, 48, segment.window);
    std::copy(segment.options.begin(), segment.options.end(), frame.begin() + 54);
    const std::uint32_t pseudo = 0xac11 + 3 + 0xac11 + 2 + 6 + static_cast<std::uint32_t>(frame.size() - 34);
    put16(frame, 50, checksum(frame, 34, frame.size(), pseudo));
    return frame;
}

// What the stack last said to a port of the peer.
struct Answer {
    std::uint32_t sequence = 0, acknowledged = 0;
};

// Says who the peer is.
void introduce(TestWire& cable) {
    cable.arrive({0x02, 0x54, 0, 0, 0, 2, 0x02, 0x54, 0, 0, 0, 3, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0x54, 0, 0, 0, 3, 172, 17, 0, 3, 0, 0, 0, 0, 0, 0, 172, 17, 0, 2});
}

bool is_segment(const Frame& frame) { return frame.size() >= 54 && frame[12] == 8 && frame[13] == 0 && frame[23] == 6; }

// Whatever the peer could take, and however often it says so.
TEST(TcpFuzz, ASegmentFitsTheNetwork) {
    TestWire& cable = wire();
    auto listener = *InetSocket::make(socket_type::stream, 0, socket_type::nonblock, true);
    auto& socket = static_cast<Socket&>(*listener);
    ASSERT_TRUE(socket.bind(socket_address({inet::any, listening_port + 2})));
    ASSERT_TRUE(socket.listen(4));
    introduce(cable);
    constexpr std::uint16_t port = 998, here = listening_port + 2;
    const Frame first = frame_of({port, here, 65000, 100, 0, 0x02, {2, 4, 0x23, 0x00}, 0});
    cable.sent.clear();
    cable.arrive(first);
    const auto answer = std::ranges::find_if(cable.sent, is_segment);
    ASSERT_NE(answer, cable.sent.end());
    EXPECT_EQ(get32(*answer, 54), 0x020405b4u); // 1,460
    const std::uint32_t sequence = get32(*answer, 38) + 1;
    cable.arrive(first);
    cable.arrive(frame_of({port, here, 65000, 101, sequence, 0x10, {}, 0}));
    SocketAddress peer_name;
    auto file = socket.accept(peer_name, socket_type::nonblock);
    ASSERT_TRUE(file);
    const std::vector<std::byte> bytes(20000);
    SendRequest send;
    send.data = bytes;
    cable.sent.clear();
    ASSERT_TRUE(static_cast<Socket&>(**file).send(send));
    ASSERT_FALSE(cable.sent.empty());
    for (const Frame& frame : cable.sent) {
        EXPECT_TRUE(is_segment(frame));
        EXPECT_LE(frame.size(), 1514u);
        EXPECT_EQ((frame[20] & 0x3f) | frame[21], 0); // a fragment
    }
    file->reset();
    listener.reset();
    pass_time(300'000);
}

// Once something is queued in a segment that has room left, an option that says that segments are smaller must not count.
TEST(TcpFuzz, ASegmentsSizeIsSaidByASynAlone) {
    TestWire& cable = wire();
    auto listener = *InetSocket::make(socket_type::stream, 0, socket_type::nonblock, true);
    auto& socket = static_cast<Socket&>(*listener);
    ASSERT_TRUE(socket.bind(socket_address({inet::any, listening_port + 1})));
    ASSERT_TRUE(socket.listen(4));
    introduce(cable);
    cable.sent.clear();
    constexpr std::uint16_t port = 999, here = listening_port + 1;
    constexpr std::uint32_t window = 2000;
    cable.arrive(frame_of({port, here, window, 100, 0, 0x02, {2, 4, 0x05, 0xb4}, 0}));
    const auto answer = std::ranges::find_if(cable.sent, is_segment);
    ASSERT_NE(answer, cable.sent.end());
    const std::uint32_t sequence = get32(*answer, 38) + 1;
    cable.arrive(frame_of({port, here, window, 101, sequence, 0x10, {}, 0}));
    SocketAddress peer_name;
    auto file = socket.accept(peer_name, socket_type::nonblock);
    ASSERT_TRUE(file);
    auto& one = static_cast<Socket&>(**file);
    const std::vector<std::byte> bytes(window);
    SendRequest send;
    send.data = bytes;
    ASSERT_TRUE(one.send(send));
    // The window is full: what is sent now waits.
    send.data = std::span(bytes).first(100);
    ASSERT_TRUE(one.send(send));
    send.data = std::span(bytes).first(10);
    for (const Frame& options : {Frame{2, 4, 0, 100}, Frame{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1, 2, 4, 0, 100}, Frame{1, 2, 4, 0, 100, 0, 0, 0}}) {
        cable.arrive(frame_of({port, here, window, 101, sequence, 0x10, options, 0}));
        ASSERT_TRUE(one.send(send));
    }
    cable.sent.clear();
    cable.arrive(frame_of({port, here, window, 101, sequence + window, 0x10, {2, 4, 0, 100}, 0}));
    std::size_t most = 0;
    for (const Frame& frame : cable.sent)
        if (is_segment(frame))
            most = std::max(most, frame.size() - 54);
    EXPECT_EQ(most, 130u);
    file->reset();
    listener.reset();
    pass_time(300'000);
}

TEST(TcpFuzz, SurvivesAHostilePeer) {
    TestWire& cable = wire();
    auto listener = *InetSocket::make(socket_type::stream, 0, socket_type::nonblock, true);
    auto& socket = static_cast<Socket&>(*listener);
    ASSERT_TRUE(socket.bind(socket_address({inet::any, listening_port})));
    ASSERT_TRUE(socket.listen(4));
    introduce(cable);
    // Printed at once: an assertion of the stack ends the test.
    const char* const wanted = std::getenv("TCP_FUZZ_SEED");
    const auto seed = wanted != nullptr ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 0)) : std::random_device{}();
    std::fprintf(stderr, "TCP_FUZZ_SEED=%u\n", seed);
    std::mt19937 random(seed);
    std::map<std::uint16_t, Answer> answers;
    std::vector<base::Ref<File>> accepted;
    unsigned most_accepted = 0;
    for (int round = 0; round < 30000; ++round) {
        const auto port = static_cast<std::uint16_t>(1000 + random() % 8);
        const Answer& last = answers[port];
        const auto near = [&](std::uint32_t value) -> std::uint32_t {
            switch (random() % 8) {
            case 0: return value + static_cast<std::uint32_t>(random() % 3000);
            case 1: return value - static_cast<std::uint32_t>(random() % 3000);
            case 2: return static_cast<std::uint32_t>(random());
            default: return value;
            }
        };
        Segment segment{port, listening_port, static_cast<std::uint16_t>(random()), near(last.acknowledged), near(last.sequence), 0, {}, 0};
        constexpr std::uint8_t usual[] = {0x02, 0x10, 0x10, 0x18, 0x18, 0x11, 0x04, 0x12};
        segment.flags = random() % 4 != 0 ? usual[random() % 8] : static_cast<std::uint8_t>(random());
        segment.options.resize(random() % 4 == 0 ? random() % 11 * 4 : 0);
        for (auto& byte : segment.options)
            byte = static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 9 : random());
        segment.data = random() % 3 == 0 ? random() % 1000 : random() % 3;
        cable.arrive(frame_of(segment));
        for (const Frame& sent : cable.sent)
            if (sent.size() >= 54 && sent[12] == 8 && sent[13] == 0 && sent[23] == 6)
                answers[static_cast<std::uint16_t>(sent[36] << 8 | sent[37])] = {get32(sent, 38) + ((sent[47] & 3) != 0), get32(sent, 42)};
        cable.sent.clear();
        // The program does what programs do.
        SocketAddress peer_name;
        if (random() % 4 == 0)
            if (auto file = socket.accept(peer_name, socket_type::nonblock))
                accepted.push_back(std::move(*file));
        most_accepted = std::max<unsigned>(most_accepted, static_cast<unsigned>(accepted.size()));
        if (!accepted.empty()) {
            const std::size_t which = random() % accepted.size();
            auto& one = static_cast<Socket&>(*accepted[which]);
            std::byte bytes[2000] = {};
            ReceiveRequest receive;
            receive.data = bytes;
            SendRequest send;
            send.data = std::span(bytes).first(random() % sizeof bytes);
            switch (random() % 6) {
            case 0: case 1: (void)one.receive(receive); break;
            case 2: (void)one.send(send); break;
            case 3: (void)one.poll(); break;
            case 4:
                if (random() % 8 == 0)
                    (void)one.shutdown(false, true);
                break;
            default:
                if (random() % 16 == 0)
                    accepted.erase(accepted.begin() + static_cast<std::ptrdiff_t>(which));
            }
        }
        if (random() % 64 == 0)
            pass_time(100 * (random() % 20));
    }
    EXPECT_GT(most_accepted, 0u);
    RecordProperty("accepted", static_cast<int>(most_accepted));
    accepted.clear();
    pass_time(300'000);
}

} // namespace
} // namespace personality
