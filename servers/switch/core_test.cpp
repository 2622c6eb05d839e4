#include "servers/switch/core.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace netswitch;

constexpr Mac own_mac = 0x5254'0012'3456, router_mac = 0x5255'0a00'0202;
constexpr Address own = make_address(10, 0, 2, 15), router = make_address(10, 0, 2, 2), name_server = make_address(10, 0, 2, 3), remote = make_address(192, 0, 2, 7);
constexpr std::uint8_t dhcp_offer = 2, dhcp_ack = 5;
constexpr std::size_t bootp_bytes = 300, dhcp_at = ethernet_header + ipv4_header + 8;

using Frame = std::vector<std::byte>;

// TCP, UDP or ICMP echo, with right checksums.
Frame make_frame(Mac from_mac, Mac to_mac, Address from, Address to, std::uint8_t protocol, std::uint16_t from_port, std::uint16_t to_port, std::uint8_t flags = tcp_flag::syn,
                 std::size_t data = 0) {
    const std::size_t header = protocol == protocol::tcp ? 20 : 8;
    Frame frame(ethernet_header + ipv4_header + header + data);
    put_ethernet(frame, to_mac, from_mac, EtherType::ipv4);
    const Bytes ip = Bytes(frame).subspan(ethernet_header), body = ip.subspan(ipv4_header);
    put_ipv4(ip, from, to, protocol, body.size(), 1);
    if (protocol == protocol::icmp) {
        put8(body, 0, icmp_type::echo);
        put16(body, 4, from_port);
        put16(body, 2, checksum(body));
        return frame;
    }
    put16(body, 0, from_port);
    put16(body, 2, to_port);
    if (protocol == protocol::tcp) {
        put8(body, 12, 5 << 4);
        put8(body, 13, flags);
    } else {
        put16(body, 4, static_cast<std::uint16_t>(body.size()));
    }
    put16(body, protocol == protocol::tcp ? 16 : 6, transport_checksum(from, to, protocol, body));
    return frame;
}

struct Wire final : Environment {
    Time now() override { return time; }
    std::uint32_t random() override { return numbers(); }
    bool send_uplink(View frame) override {
        uplink.emplace_back(frame.begin(), frame.end());
        return true;
    }
    bool send_port(std::uint16_t index, View frame) override {
        ports[index].emplace_back(frame.begin(), frame.end());
        return true;
    }
    void lease_changed(const Lease&) override {}

    Time time = second;
    std::mt19937 numbers{7};
    std::vector<Frame> uplink;
    std::array<std::vector<Frame>, most_ports> ports;
};

class SwitchTest : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(core.prepare(64)); }

    // The server's answer to the client's last message.
    void dhcp_answer(std::uint8_t type, Address names = name_server) {
        const Frame asked = wire.uplink.back();
        Frame answer(dhcp_at + bootp_bytes);
        put_ethernet(answer, broadcast_mac, router_mac, EtherType::ipv4);
        const Bytes ip = Bytes(answer).subspan(ethernet_header), udp = ip.subspan(ipv4_header), message = udp.subspan(8);
        put_ipv4(ip, router, 0xffff'ffff, protocol::udp, udp.size(), 1);
        put16(udp, 0, 67);
        put16(udp, 2, 68);
        put16(udp, 4, static_cast<std::uint16_t>(udp.size()));
        put32(message, 0, 0x02010600);
        put32(message, 4, get32(asked, dhcp_at + 4));
        put32(message, 16, own);
        put_mac(message, 28, own_mac);
        put32(message, 236, 0x63825363);
        std::size_t at = 240;
        const auto option = [&](std::uint8_t code, std::uint32_t value) {
            put8(message, at, code);
            put8(message, at + 1, 4);
            put32(message, at + 2, value);
            at += 6;
        };
        put8(message, at, 53);
        put8(message, at + 1, 1);
        put8(message, at + 2, type);
        at += 3;
        option(1, 0xffff'ff00);
        option(3, router);
        option(6, names);
        option(54, router);
        option(51, 86400);
        put8(message, at, 255);
        put16(udp, 6, transport_checksum(router, 0xffff'ffff, protocol::udp, udp));
        core.from_uplink(answer);
    }
    void bring_up(Address names = name_server) {
        core.uplink_up(own_mac);
        dhcp_answer(dhcp_offer, names);
        dhcp_answer(dhcp_ack, names);
        ASSERT_EQ(core.lease().address, own);
        wire.uplink.clear();
    }
    std::uint16_t port(std::uint32_t flows) { return core.create_port(flows).value(); }
    Frame from(std::uint16_t index, Address to, std::uint8_t protocol, std::uint16_t to_port) {
        const Core::Port& port = core.port(index);
        return make_frame(port.mac(), gateway_mac, port.address, to, protocol, 40000, to_port);
    }
    // Whether a flow is opened, by what goes out: an ARP request for the next hop or the packet itself.
    bool reaches_uplink(std::uint16_t index, Address to, std::uint8_t protocol, std::uint16_t to_port) {
        wire.uplink.clear();
        const std::uint16_t before = core.flow_count();
        Frame frame = from(index, to, protocol, to_port);
        core.from_port(index, frame);
        return core.flow_count() > before;
    }
    void send(std::uint16_t index, Address to, std::uint8_t protocol, std::uint16_t from_port, std::uint16_t to_port, std::uint8_t flags = tcp_flag::syn) {
        Frame frame = make_frame(core.port(index).mac(), gateway_mac, core.port(index).address, to, protocol, from_port, to_port, flags);
        core.from_port(index, frame);
    }
    // A frame from outside by way of the router; whether the sandbox got it.
    bool arrives(std::uint16_t index, Address from, std::uint16_t from_port, std::uint16_t to_port, std::uint8_t flags = tcp_flag::syn, std::uint8_t protocol = protocol::tcp) {
        const std::size_t before = wire.ports[index].size();
        Frame frame = make_frame(router_mac, own_mac, from, own, protocol, from_port, to_port, flags);
        core.from_uplink(frame);
        return wire.ports[index].size() > before;
    }
    // Published on the node's port of the same number.
    std::uint16_t published(std::uint32_t flows, std::uint16_t number) {
        const std::uint16_t index = port(flows);
        EXPECT_TRUE(core.publish(core.port(index).identity, protocol::tcp, number, number));
        return index;
    }
    // ARP requests among what was sent since the last look; of `who`, or of anybody.
    std::size_t asked(Address who = 0) {
        std::size_t count = 0;
        for (const Frame& frame : wire.uplink)
            if (const auto arp = parse_arp(frame); arp && arp->request)
                count += who == 0 || arp->target == who;
        return count;
    }
    bool sent_to(Mac mac) {
        return std::any_of(wire.uplink.begin(), wire.uplink.end(), [&](const Frame& frame) { return get_mac(frame, 0) == mac; });
    }
    // Each sends to a hundred addresses of the link that nobody has.
    void sweep(const std::vector<std::uint16_t>& attackers) {
        for (unsigned host = 100; host < 200; ++host)
            for (const std::uint16_t index : attackers) {
                wire.time += 1000;
                send(index, make_address(10, 0, 2, host), protocol::icmp, 1, 0);
            }
    }
    std::vector<std::uint16_t> containers(std::size_t count) {
        std::vector<std::uint16_t> result;
        while (result.size() < count)
            result.push_back(port(flow_right::uplink | flow_right::peers));
        return result;
    }
    void answer_arp(Address who, Mac mac) {
        Frame reply(arp_frame_bytes);
        put_arp(reply, own_mac, mac, {false, mac, who, own_mac, own});
        core.from_uplink(reply);
    }

    Wire wire;
    Core core{wire};
};

TEST_F(SwitchTest, LeaseByDhcp) { bring_up(); }

TEST_F(SwitchTest, NoWayToTheNodeOrItsHost) {
    bring_up();
    const std::uint16_t index = port(flow_right::uplink | flow_right::peers);
    for (const Address address : {own, router, name_server, gateway_address, make_address(10, 0, 2, 255), make_address(127, 0, 0, 1), make_address(169, 254, 169, 254)})
        for (const std::uint16_t to_port : {2375, 33825})
            EXPECT_FALSE(reaches_uplink(index, address, protocol::tcp, to_port)) << std::hex << address << ' ' << std::dec << to_port;
    EXPECT_FALSE(reaches_uplink(index, router, protocol::tcp, 53));
    EXPECT_FALSE(reaches_uplink(index, router, protocol::icmp, 0));
    // The same packets to elsewhere pass: it is the address that was refused.
    EXPECT_TRUE(reaches_uplink(index, remote, protocol::tcp, 2375));
    EXPECT_TRUE(reaches_uplink(index, name_server, protocol::udp, 53));
}

TEST_F(SwitchTest, RefusalIsAReset) {
    bring_up();
    const std::uint16_t index = port(flow_right::uplink);
    EXPECT_FALSE(reaches_uplink(index, router, protocol::tcp, 2375));
    ASSERT_EQ(wire.ports[index].size(), 1u);
    EXPECT_NE(get8(wire.ports[index][0], ethernet_header + ipv4_header + 13) & tcp_flag::reset, 0);
}

TEST_F(SwitchTest, SpoofedSourcesAreDropped) {
    bring_up();
    const std::uint16_t index = port(flow_right::uplink);
    Frame address = make_frame(core.port(index).mac(), gateway_mac, core.port(index).address + 1, remote, protocol::tcp, 40000, 80);
    core.from_port(index, address);
    Frame mac = make_frame(core.port(index).mac() + 1, gateway_mac, core.port(index).address, remote, protocol::tcp, 40000, 80);
    core.from_port(index, mac);
    EXPECT_EQ(core.dropped(Drop::spoofed), 2u);
    EXPECT_EQ(core.flow_count(), 0u);
    EXPECT_TRUE(reaches_uplink(index, remote, protocol::tcp, 80));
}

TEST_F(SwitchTest, PeersNeedTheRightOnBothSides) {
    const std::uint16_t a = port(flow_right::peers), b = port(flow_right::peers), management = port(flow_right::management);
    Frame to_b = from(a, core.port(b).address, protocol::tcp, 80);
    core.from_port(a, to_b);
    EXPECT_EQ(wire.ports[b].size(), 1u);
    Frame to_management = from(a, core.port(management).address, protocol::tcp, 2375);
    core.from_port(a, to_management);
    EXPECT_TRUE(wire.ports[management].empty());
}

TEST_F(SwitchTest, TranslatesThereAndBack) {
    bring_up();
    const std::uint16_t index = port(flow_right::uplink);
    ASSERT_TRUE(reaches_uplink(index, remote, protocol::tcp, 80));
    answer_arp(router, router_mac);
    const Frame out = wire.uplink.back();
    EXPECT_EQ(get32(out, ethernet_header + 12), own);
    Frame copy = out;
    const auto packet = parse_ipv4(Bytes(copy).subspan(ethernet_header));
    ASSERT_TRUE(packet);
    EXPECT_EQ(transport_checksum(packet->source, packet->destination, protocol::tcp, packet->payload), 0);
    Frame back = make_frame(router_mac, own_mac, remote, own, protocol::tcp, 80, get16(out, ethernet_header + ipv4_header), tcp_flag::syn | tcp_flag::ack);
    core.from_uplink(back);
    ASSERT_EQ(wire.ports[index].size(), 1u);
    EXPECT_EQ(get32(wire.ports[index][0], ethernet_header + 16), core.port(index).address);
    EXPECT_EQ(get16(wire.ports[index][0], ethernet_header + ipv4_header + 2), 40000);
}

TEST_F(SwitchTest, PublishedPortLeadsInside) {
    bring_up();
    const std::uint16_t index = port(flow_right::management);
    ASSERT_TRUE(core.publish(core.port(index).identity, protocol::tcp, 8080, 80));
    EXPECT_EQ(core.publish(core.port(index).identity, protocol::tcp, 8080, 81).error(), base::Error::exists);
    Frame in = make_frame(router_mac, own_mac, router, own, protocol::tcp, 5555, 8080);
    core.from_uplink(in);
    ASSERT_EQ(wire.ports[index].size(), 1u);
    EXPECT_EQ(get16(wire.ports[index][0], ethernet_header + ipv4_header + 2), 80);
    Frame closed = make_frame(router_mac, own_mac, router, own, protocol::tcp, 5555, 8081);
    core.from_uplink(closed);
    EXPECT_EQ(wire.ports[index].size(), 1u);
}

// --- neighbours

constexpr Mac client_mac = 0x5255'0000'0077;
constexpr Address client = make_address(10, 0, 2, 77);

TEST_F(SwitchTest, UnusedAddressesDisplaceNoKnownOne) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    const std::uint16_t victim = port(flow_right::uplink);
    send(victim, remote, protocol::udp, 4000, 9);
    answer_arp(router, router_mac);
    send(victim, client, protocol::udp, 4000, 9);
    answer_arp(client, client_mac);
    sweep(containers(1));
    wire.uplink.clear();
    send(victim, remote, protocol::udp, 4000, 9);
    EXPECT_TRUE(sent_to(router_mac));
    send(victim, client, protocol::udp, 4000, 9);
    EXPECT_TRUE(sent_to(client_mac));
    EXPECT_EQ(asked(), 0u);
}

TEST_F(SwitchTest, UnusedAddressesLeaveRoomToAskAndToWait) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    const std::uint16_t api = published(flow_right::management, 2375), victim = port(flow_right::uplink);
    sweep(containers(12));
    wire.uplink.clear();
    // The router, another container's neighbour, the API's client: each is asked for, and the frame goes out with the answer.
    send(victim, remote, protocol::udp, 4000, 9);
    EXPECT_EQ(asked(router), 1u);
    answer_arp(router, router_mac);
    EXPECT_TRUE(sent_to(router_mac));
    send(victim, client, protocol::udp, 4000, 9);
    EXPECT_EQ(asked(client), 1u);
    answer_arp(client, client_mac);
    EXPECT_TRUE(sent_to(client_mac));
    sweep(containers(30));
    const Address administrator = client + 1;
    ASSERT_TRUE(arrives(api, administrator, 5555, 2375));
    send(api, administrator, protocol::tcp, 2375, 5555, tcp_flag::syn | tcp_flag::ack);
    EXPECT_EQ(asked(administrator), 1u);
    answer_arp(administrator, client_mac + 1);
    EXPECT_TRUE(sent_to(client_mac + 1));
}

TEST_F(SwitchTest, WaitingFramesStayWhereOthersAskForMore) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    const std::uint16_t victim = port(flow_right::uplink);
    send(victim, remote, protocol::udp, 4000, 9);
    send(victim, client, protocol::udp, 4000, 9);
    sweep(containers(3));
    wire.uplink.clear();
    answer_arp(router, router_mac);
    EXPECT_TRUE(sent_to(router_mac));
    answer_arp(client, client_mac);
    EXPECT_TRUE(sent_to(client_mac));
}

TEST_F(SwitchTest, OneSenderAsksForFew) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    sweep(containers(1));
    EXPECT_EQ(asked(), 4u);
}

TEST_F(SwitchTest, AskingIsLimitedInTime) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    const auto attackers = containers(30);
    std::map<Address, Time> last;
    unsigned total = 0;
    for (unsigned seconds = 0; seconds < 20; ++seconds) {
        wire.uplink.clear();
        const Time end = wire.time + second;
        for (unsigned part = 0; part < 8; ++part) {
            wire.uplink.clear();
            sweep(attackers);
            core.run();
            for (const Frame& frame : wire.uplink)
                if (const auto arp = parse_arp(frame); arp && arp->request) {
                    // A part takes 3 ms, and is told by its end.
                    EXPECT_TRUE(last[arp->target] == 0 || wire.time - last[arp->target] > second - second / 100) << std::hex << arp->target;
                    last[arp->target] = wire.time;
                    ++total;
                }
            wire.time += second / 8 - 3'000'000;
        }
        ASSERT_EQ(wire.time, end);
    }
    EXPECT_LE(total, 21u * 64);
}

// More neighbours that answer than there are places: each frame finds its way, the router's place stays.
TEST_F(SwitchTest, ManyNeighbours) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    const std::uint16_t index = port(flow_right::uplink);
    send(index, remote, protocol::udp, 4000, 9);
    answer_arp(router, router_mac);
    for (unsigned round = 0; round < 3; ++round)
        for (unsigned host = 100; host < 200; ++host) {
            wire.uplink.clear();
            wire.time += second / 10;
            core.run();
            send(index, make_address(10, 0, 2, host), protocol::udp, 4000, 9);
            if (asked(make_address(10, 0, 2, host)) != 0)
                answer_arp(make_address(10, 0, 2, host), client_mac + host);
            EXPECT_TRUE(sent_to(client_mac + host)) << round << ' ' << host;
        }
    wire.uplink.clear();
    send(index, remote, protocol::udp, 4000, 9);
    EXPECT_TRUE(sent_to(router_mac));
    EXPECT_EQ(asked(router), 0u);
}

// Nor is one of them asked for twice in a second.
TEST_F(SwitchTest, ManyNeighboursAreAskedOnce) {
    ASSERT_TRUE(core.prepare(4096));
    bring_up();
    const std::uint16_t index = port(flow_right::uplink);
    for (unsigned i = 0; i < 200; ++i) {
        const unsigned host = 100 + i % 100;
        send(index, make_address(10, 0, 2, host), protocol::udp, 4000, 9);
        answer_arp(make_address(10, 0, 2, host), client_mac + host);
    }
    for (unsigned host = 100; host < 200; ++host)
        EXPECT_LE(asked(make_address(10, 0, 2, host)), 1u) << host;
}

// --- shares of the flow table

TEST_F(SwitchTest, PublishedPortsLeaveTheApiRoom) {
    bring_up();
    const std::uint16_t api = published(flow_right::management, 2375);
    for (std::uint16_t number = 8000; number < 8006; ++number) {
        const std::uint16_t index = published(flow_right::uplink, number);
        for (std::uint16_t i = 0; i < 64; ++i)
            for (const std::uint8_t flags : {tcp_flag::syn, tcp_flag::ack}) { // established: nothing to reclaim
                (void)arrives(index, remote, 1000 + i, number, flags);
                send(index, remote, protocol::tcp, number, 1000 + i, tcp_flag::syn | tcp_flag::ack);
            }
    }
    const auto opening = containers(6);
    for (const std::uint16_t index : opening)
        for (std::uint16_t i = 0; i < 64; ++i)
            send(index, remote, protocol::udp, 1000 + i, 9);
    EXPECT_EQ(core.flow_count(), 56u);
    for (std::uint16_t i = 0; i < 8; ++i)
        EXPECT_TRUE(arrives(api, remote, 5000 + i, 2375)) << i;
}

TEST_F(SwitchTest, ManyFlowsOfSomeLeaveRoomForOthers) {
    bring_up();
    const auto greedy = containers(12);
    for (std::uint16_t i = 0; i < 64; ++i)
        for (const std::uint16_t index : greedy)
            send(index, remote, protocol::udp, 1000 + i, 9);
    EXPECT_TRUE(reaches_uplink(port(flow_right::uplink), remote, protocol::tcp, 80));
    // Nor do those who publish shut out those who ask.
    const std::uint16_t flooded = published(flow_right::uplink, 8000);
    for (std::uint16_t i = 0; i < 64; ++i)
        (void)arrives(flooded, remote, 1000 + i, 8000);
    EXPECT_TRUE(reaches_uplink(port(flow_right::uplink), remote, protocol::tcp, 80));
    // A server with many clients may ask others.
    EXPECT_TRUE(reaches_uplink(flooded, remote, protocol::tcp, 80));
}

// What is over counts for nobody, also where nobody has looked for it yet.
TEST_F(SwitchTest, FlowsWhoseTimeIsOverTakeNoRoom) {
    bring_up();
    std::uint16_t from = 1000;
    const auto fill = [&](std::uint16_t index) {
        for (const std::uint64_t refused = core.dropped(Drop::table_full); core.dropped(Drop::table_full) == refused;)
            send(index, remote, protocol::udp, from++, 9);
        return core.flow_count();
    };
    const std::uint16_t one = port(flow_right::uplink), other = port(flow_right::uplink);
    const unsigned alone = fill(one);
    wire.time += 31 * second;
    EXPECT_EQ(fill(other), alone);
}

TEST_F(SwitchTest, EndedFlowsMakeRoom) {
    bring_up();
    const std::uint16_t index = port(flow_right::uplink);
    std::uint16_t next = 1000;
    const auto fill = [&] {
        unsigned opened = 0;
        for (const std::uint64_t refused = core.dropped(Drop::table_full);; ++next, ++opened) {
            send(index, remote + next, protocol::tcp, 40000, 80);
            if (core.dropped(Drop::table_full) != refused)
                break;
            (void)arrives(index, remote + next, 80, 40000, tcp_flag::syn | tcp_flag::ack);
            send(index, remote + next, protocol::tcp, 40000, 80, tcp_flag::ack | tcp_flag::fin);
            (void)arrives(index, remote + next, 80, 40000, tcp_flag::ack | tcp_flag::fin);
        }
        return opened;
    };
    const unsigned most = fill();
    EXPECT_GT(most, 8u);
    wire.time += 2 * second;
    EXPECT_EQ(fill(), most);
}

// Whoever sends SYNs and never hears the answers holds places for a second or two, not for hours; who was answered and answers keeps its flow.
TEST_F(SwitchTest, HalfOpenFlowsMakeRoom) {
    bring_up();
    const std::uint16_t api = published(flow_right::management, 2375);
    ASSERT_TRUE(arrives(api, client, 5555, 2375));
    send(api, client, protocol::tcp, 2375, 5555, tcp_flag::syn | tcp_flag::ack);
    ASSERT_TRUE(arrives(api, client, 5555, 2375, tcp_flag::ack));
    for (std::uint16_t i = 0; i < 100; ++i) {
        (void)arrives(api, remote + i, 1000, 2375);
        send(api, remote + i, protocol::tcp, 2375, 1000, tcp_flag::syn | tcp_flag::ack);
    }
    wire.time += 2 * second;
    EXPECT_TRUE(arrives(api, remote, 4000, 2375));
    send(api, remote, protocol::tcp, 2375, 4000, tcp_flag::syn | tcp_flag::ack);
    EXPECT_TRUE(arrives(api, client, 5555, 2375, tcp_flag::ack));
    wire.time += 181 * second;
    core.run();
    EXPECT_EQ(core.flow_count(), 1u);
    EXPECT_TRUE(arrives(api, client, 5555, 2375, tcp_flag::ack));
}

// Open connections ask for no time, and those that end within a minute for one look at the table.
TEST_F(SwitchTest, OpenFlowsDoNotTick) {
    bring_up();
    const std::uint16_t api = published(flow_right::management, 2375);
    constexpr std::uint16_t connections = 8;
    for (std::uint16_t i = 0; i < connections; ++i) {
        ASSERT_TRUE(arrives(api, client, 5000 + i, 2375));
        send(api, client, protocol::tcp, 2375, 5000 + i, tcp_flag::syn | tcp_flag::ack);
        ASSERT_TRUE(arrives(api, client, 5000 + i, 2375, tcp_flag::ack));
    }
    // Neighbours are asked for in the first seconds. How often it wants to look after them, and before a rest of an hour.
    const auto looks = [&] {
        unsigned count = 0;
        const Time asked = wire.time + 30 * second;
        for (unsigned steps = 0; steps < 100 && core.deadline() < wire.time + 3600 * second; ++steps) {
            wire.time = core.deadline();
            core.run();
            count += wire.time > asked;
        }
        return count;
    };
    EXPECT_EQ(looks(), 1u); // what was not yet confirmed would have ended
    EXPECT_EQ(core.flow_count(), connections);
    for (std::uint16_t i = 1; i < connections; ++i, wire.time += 8 * second) {
        ASSERT_TRUE(arrives(api, client, 5000 + i, 2375, tcp_flag::ack | tcp_flag::fin));
        send(api, client, protocol::tcp, 2375, 5000 + i, tcp_flag::ack | tcp_flag::fin);
    }
    EXPECT_EQ(looks(), 1u);
    EXPECT_EQ(core.flow_count(), 1u);
}

// A sandbox that wants room does not end what others wait for.
TEST_F(SwitchTest, RoomIsMadeOfOnesOwn) {
    bring_up();
    const std::uint16_t victim = port(flow_right::uplink), greedy = port(flow_right::uplink);
    send(victim, remote, protocol::udp, 4000, 9);
    wire.time += 10 * second;
    for (unsigned i = 0; i < 100; ++i, wire.time += second / 10)
        send(greedy, remote + i, protocol::udp, 4000, 9);
    EXPECT_TRUE(arrives(victim, remote, 9, 4000, 0, protocol::udp));
}

// --- published ports

TEST_F(SwitchTest, PublishedPortIsTakenFromFlows) {
    bring_up();
    const std::uint16_t thief = port(flow_right::uplink);
    send(thief, remote, protocol::tcp, 8080, 443);
    send(thief, remote, protocol::udp, 8080, 443);
    send(thief, remote, protocol::tcp, 8081, 443);
    ASSERT_TRUE(arrives(thief, remote, 443, 8080, tcp_flag::syn | tcp_flag::ack));
    const std::uint16_t owner = published(flow_right::uplink, 8080);
    EXPECT_EQ(core.flow_count(), 2u);
    EXPECT_TRUE(arrives(owner, remote, 443, 8080));
    EXPECT_FALSE(arrives(thief, remote, 443, 8080, tcp_flag::ack));
    EXPECT_TRUE(arrives(thief, remote, 443, 8080, 0, protocol::udp));
    EXPECT_TRUE(arrives(thief, remote, 443, 8081, tcp_flag::ack));
    // What was taken is counted no more: all of it can be opened again, and all ends with the ports.
    ASSERT_TRUE(core.destroy_port(core.port(thief).identity));
    EXPECT_EQ(core.flow_count(), 1u);
    ASSERT_TRUE(core.destroy_port(core.port(owner).identity));
    EXPECT_EQ(core.flow_count(), 0u);
    const std::uint16_t again = port(flow_right::uplink);
    unsigned opened = 0;
    while (reaches_uplink(again, remote + opened, protocol::udp, 9))
        ++opened;
    EXPECT_EQ(opened, 16u);
}

// Damaged frames from both sides: nothing but the sanitizers judges.
TEST_F(SwitchTest, DamagedFramesDoNoHarm) {
    bring_up();
    const std::uint16_t index = port(flow_right::uplink | flow_right::peers);
    std::mt19937 random{1};
    for (unsigned i = 0; i < 200'000; ++i) {
        const std::uint8_t protocols[] = {protocol::tcp, protocol::udp, protocol::icmp};
        const std::uint8_t protocol = protocols[random() % 3];
        const bool outside = (random() & 1) != 0;
        Frame frame = outside ? make_frame(router_mac, own_mac, remote, own, protocol, 67, 68, tcp_flag::ack, random() % 400) : from(index, remote, protocol, 80);
        for (unsigned damage = random() % 4; damage-- > 0;)
            frame[ethernet_header + random() % (frame.size() - ethernet_header)] = static_cast<std::byte>(random());
        if ((random() & 7) == 0)
            frame.resize(random() % frame.size());
        if (frame.size() >= ethernet_header + ipv4_header) { // so that the damage is not caught by the header's checksum alone
            put16(frame, ethernet_header + 10, 0);
            put16(frame, ethernet_header + 10, checksum(View(frame).subspan(ethernet_header, ipv4_header)));
        }
        outside ? core.from_uplink(frame) : core.from_port(index, frame);
        wire.uplink.clear();
        wire.ports[index].clear();
        wire.time += second / 100;
        core.run();
    }
}

} // namespace
