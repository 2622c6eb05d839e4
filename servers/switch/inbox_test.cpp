#include "servers/switch/inbox.hpp"
#include "servers/switch/round_robin.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace netswitch;

struct alignas(4096) Page {
    std::byte bytes[4096];
};

// A ring as the switch and a sandbox have it.
struct Cable {
    static constexpr std::uint64_t size = 16 * 1024;
    Cable() {
        const std::span memory(reinterpret_cast<std::byte*>(pages.get()), ring::pair_bytes(size));
        ring::initialize_pair(memory, abi::RingUse::records, size);
        const ring::Views views = *ring::check_pair(memory, abi::RingUse::records);
        out = ring::Producer(views.ring[0]);
        in = ring::Consumer(views.ring[0]);
    }
    void send(std::uint32_t kind, std::size_t length) {
        const std::vector<std::byte> payload(length, std::byte{7});
        EXPECT_TRUE(out.write_record(kind, payload));
    }

    std::unique_ptr<Page[]> pages = std::make_unique<Page[]>(ring::pair_bytes(size) / 4096);
    ring::Producer out;
    ring::Consumer in;
    Inbox inbox;
};

// Two ports; the first one's sandbox writes the same record again whenever it is looked at.
struct Ports {
    static constexpr std::size_t very_often = 100'000; // where a turn has no end
    std::array<Cable, 2> cables;
    std::array<std::size_t, 2> frames{}, taken{};
    std::uint32_t kind = 0;
    std::size_t length = 0, looks = 0;

    std::optional<std::uint32_t> next_length(std::size_t index) {
        if (index == 0 && ++looks < very_often)
            (void)cables[0].out.write_record(kind, std::vector<std::byte>(length));
        const auto cost = cables[index].inbox.next(cables[index].in);
        return cost ? std::optional(*cost) : std::nullopt;
    }
    void forward(std::size_t index) {
        std::array<std::byte, 2048> buffer;
        ++taken[index];
        frames[index] += !cables[index].inbox.take(cables[index].in, buffer).empty();
    }
    bool room() { return true; }
};

} // namespace

TEST(Inbox, FramesComeOutAndNothingElse) {
    Cable cable;
    std::array<std::byte, 2048> buffer;
    cable.send(ethernet_record, 100);
    cable.send(ethernet_record + 1, 100);
    cable.send(ethernet_record, buffer.size() + 1);
    cable.send(ethernet_record, 0);
    cable.send(ethernet_record, buffer.size());
    std::vector<std::size_t> lengths, costs;
    while (const auto cost = cable.inbox.next(cable.in)) {
        costs.push_back(*cost);
        lengths.push_back(cable.inbox.take(cable.in, buffer).size());
    }
    EXPECT_EQ(lengths, (std::vector<std::size_t>{100, 0, 0, 0, 2048}));
    EXPECT_EQ(costs, (std::vector<std::size_t>{100, 100, 2049, 64, 2048}));
}

TEST(Inbox, RecordsOfNoKnownKindHaveTheirTurnsBound) {
    for (const std::uint32_t kind : {0u, 2u, 77u, ethernet_record}) {
        for (const std::size_t length : {0, 1514, 5000}) {
            Ports ports;
            ports.kind = kind;
            ports.length = length;
            ports.cables[1].send(ethernet_record, 200);
            RoundRobin<2> turns;
            const std::size_t rounds = 5000 / RoundRobin<2>::quantum + 1;
            for (std::size_t round = 0; round < rounds; ++round)
                EXPECT_EQ(turns.run(ports, 2), RoundRobin<2>::Outcome::more);
            EXPECT_EQ(ports.frames[1], 1u);
            EXPECT_GT(ports.taken[0], 0u);
            EXPECT_LE(ports.taken[0], rounds * RoundRobin<2>::quantum / Inbox::least_cost);
        }
    }
}
