// Configuration space of malicious devices. Each attack has its teeth: lib/base/teeth_testing.hpp.
#include "drivers/pci/inventory.hpp"

#include "lib/base/teeth_testing.hpp"

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>

namespace pci {
namespace {

using base::Weakness;
constexpr std::uint64_t virtio_net = 0x10411af4, page = 4096;

using Space = std::array<std::uint8_t, 256>;

class Machine final : public Configuration {
public:
    std::map<unsigned, Space> functions; // by bus, device and function
    std::function<std::uint32_t(Address, unsigned offset)> answer; // instead, where it is set
    mutable unsigned reads = 0;

    static unsigned place(Address address) { return address.bus << 8 | address.device << 3 | address.function; }
    std::uint32_t read32(Address address, unsigned offset) const override {
        if (++reads > 5'000'000)
            throw base::Endless();
        if (offset >= config::end)
            outside = true;
        // As the ports take it.
        offset &= 0xfc;
        if (answer)
            return answer(address, offset);
        const auto found = functions.find(place(address));
        std::uint32_t value = UINT32_MAX;
        if (found != functions.end())
            std::memcpy(&value, found->second.data() + offset, sizeof value);
        return value;
    }
    void write32(Address, unsigned, std::uint32_t) const override {}
    mutable bool outside = false;
};

template <class T> void put(Space& space, unsigned offset, T value) { std::memcpy(space.data() + offset, &value, sizeof value); }

struct Structure {
    std::uint8_t type, bar;
    std::uint32_t offset, length, multiplier = 4;
};

// A virtio card as QEMU makes it: MSI-X in BAR 1, the structures in BAR 4.
Space card(std::uint64_t bar1 = 0xfebd'1000, std::uint64_t bar4 = 0xfe00'0000, std::initializer_list<Structure> structures = {{1, 4, 0, 0x1000}, {4, 4, 0x2000, 0x1000}, {2, 4, 0x3000, 0x1000}}) {
    Space space{};
    put(space, config::vendor, std::uint32_t{0x10411af4});
    put(space, config::status, config::status_capabilities);
    put(space, config::bar0 + 4, static_cast<std::uint32_t>(bar1));
    put(space, config::bar0 + 16, static_cast<std::uint32_t>(bar4) | 4u);
    put(space, config::bar0 + 20, static_cast<std::uint32_t>(bar4 >> 32));
    space[config::capabilities] = 0x40;
    unsigned at = 0x40;
    const auto next = [&](unsigned bytes) {
        space[at + 1] = static_cast<std::uint8_t>(at + bytes);
        at += bytes;
    };
    put(space, at, std::uint8_t{0x11});
    put(space, at + 2, std::uint16_t{2});
    put(space, at + 4, std::uint32_t{1});
    next(12);
    for (const Structure& structure : structures) {
        put(space, at, std::uint8_t{0x09});
        put(space, at + 3, structure.type);
        put(space, at + 4, structure.bar);
        put(space, at + 8, structure.offset);
        put(space, at + 12, structure.length);
        put(space, at + 16, structure.multiplier);
        next(20);
    }
    space[at - 19] = structures.size() == 0 ? space[at - 19] : 0;
    return space;
}

// The machine with this card at 0:3.0.
Machine with(const Space& space) {
    Machine machine;
    machine.functions[Machine::place({0, 3, 0})] = space;
    return machine;
}

TEST(Inventory, FindsACard) {
    const Machine machine = with(card());
    Inventory inventory(machine);
    ASSERT_TRUE(inventory.scan());
    ASSERT_EQ(inventory.count(), 1u);
    const Function& function = inventory[*inventory.find(virtio_net)];
    EXPECT_EQ(inventory.find(virtio_net | std::uint64_t{1} << 32).error(), base::Error::not_found);
    const auto bar = inventory.bar(function, 4);
    ASSERT_TRUE(bar);
    EXPECT_EQ(bar->address, 0xfe00'0000u);
    EXPECT_EQ(bar->size, 0x4000u);
    EXPECT_EQ(inventory.structure(function, 2)->offset, 0x3000u);
    EXPECT_EQ(inventory.structure(function, 2)->notify_multiplier, 4u);
    EXPECT_EQ(inventory.structure(function, 3).error(), base::Error::not_found);
    EXPECT_EQ(inventory.interrupt_table(function)->address, 0xfebd'1000u);
    EXPECT_EQ(inventory.interrupt_table(function)->size, 3 * Inventory::table_entry_bytes);
    EXPECT_EQ(inventory.bar(function, 6).error(), base::Error::bad_argument);
    EXPECT_EQ(inventory.bar(function, 0).error(), base::Error::not_found);
}

TEST(Inventory, FindsBehindBridges) {
    Machine machine;
    Space bridge{};
    put(bridge, config::vendor, std::uint32_t{0x12341b36});
    bridge[config::header_type] = 1;
    bridge[config::secondary_bus] = 5;
    machine.functions[Machine::place({0, 1, 0})] = bridge;
    machine.functions[Machine::place({5, 2, 0})] = card();
    Inventory inventory(machine);
    ASSERT_TRUE(inventory.scan());
    ASSERT_EQ(inventory.count(), 1u);
    EXPECT_EQ(inventory[0].address.bus, 5);
}

TEST(HostileConfiguration, CapabilitiesInACircle) {
    for (const std::uint8_t back : {0x40, 0x4c, 0x60, 0x74, 0x43})
        base::expect_teeth(Weakness::capability_circle, [back] {
            Space space = card();
            space[0x75] = back;
            const Machine machine = with(space);
            Inventory inventory(machine);
            return base::ends([&] {
                EXPECT_TRUE(inventory.scan());
                EXPECT_TRUE(inventory.structure(inventory[0], 1));
            });
        });
}

TEST(HostileConfiguration, CapabilitiesWithoutNumber) {
    Machine machine;
    // Every word is a capability of the device's own that leads on, for ever.
    machine.answer = [](Address address, unsigned offset) -> std::uint32_t {
        if (address.bus != 0 || address.device != 0 || address.function != 0)
            return UINT32_MAX;
        switch (offset) {
        case 0x00: return 0x10411af4;
        case 0x04: return std::uint32_t{config::status_capabilities} << 16;
        case 0x0c: return 0;
        case 0x34: return 0x40;
        default: return 0x09 | (offset >= 0x40 ? (offset + 4) % 0x100 << 8 : 0);
        }
    };
    Inventory inventory(machine);
    EXPECT_TRUE(base::ends([&] { EXPECT_TRUE(inventory.scan()); }));
    EXPECT_LE(inventory[0].structure_count, Function::most_structures);
    EXPECT_LT(machine.reads, 2000u);
}

TEST(HostileConfiguration, CapabilityAcrossTheEnd) {
    for (const std::uint8_t id : {0x09, 0x11})
        for (const std::uint8_t at : {0xf8, 0xfc})
            base::expect_teeth(Weakness::capability_place, [id, at] {
                Space space = card();
                space[0x75] = at;
                space[at] = id;
                // The MSI-X table of before is none.
                space[0x40] = 0;
                const Machine machine = with(space);
                Inventory inventory(machine);
                EXPECT_TRUE(inventory.scan());
                return !machine.outside && inventory[0].structure_count == 3 && inventory[0].interrupts.capability == 0;
            });
}

// Every function of every bus is a bridge to the next one, or to many.
TEST(HostileConfiguration, BridgesWithoutNumber) {
    Machine machine;
    machine.answer = [](Address address, unsigned offset) -> std::uint32_t {
        const unsigned behind = (address.bus + 1u + address.device) & 0xff;
        return offset == 0x0c ? 0x0081'0000 : offset == 0x18 ? behind << 8 : 0x12341b36;
    };
    Inventory inventory(machine);
    EXPECT_TRUE(base::ends([&] { EXPECT_TRUE(inventory.scan()); }));
    EXPECT_EQ(inventory.count(), 0u);
}

TEST(HostileConfiguration, FunctionsWithoutNumber) {
    Machine machine;
    machine.answer = [](Address address, unsigned offset) -> std::uint32_t {
        if (address.device == 0 && address.function == 0)
            return offset == 0x0c ? 0x0081'0000 : offset == 0x18 ? (address.bus + 1u) % 256 << 8 : 0x12341b36;
        return offset == 0x0c ? 0x0080'0000 : 0x12341b36;
    };
    Inventory inventory(machine);
    EXPECT_TRUE(base::ends([&] { EXPECT_TRUE(inventory.scan()); }));
    EXPECT_EQ(inventory.count(), Inventory::most_functions);
}

TEST(HostileConfiguration, StructuresThatContradict) {
    const Machine machine = with(card(0xfebd'1000, 0xfe00'0000, {{1, 4, 0, 0x1000}, {2, 7, 0, 0x1000}, {3, 2, 0, 0x1000}, {4, 255, 0xffff'ffff, 0xffff'ffff}}));
    Inventory inventory(machine);
    ASSERT_TRUE(inventory.scan());
    EXPECT_TRUE(inventory.structure(inventory[0], 1));
    for (const unsigned type : {2u, 3u, 4u})
        EXPECT_EQ(inventory.structure(inventory[0], type).error(), base::Error::not_found) << type << " lies in no BAR";
}

TEST(HostileConfiguration, BarRoundTheEnd) {
    base::expect_teeth(Weakness::bar_wrap, [] {
        const Machine machine = with(card(0xfebd'1000, 0xffff'ffff'ffff'f000, {{1, 4, 0, 0x1000}, {2, 4, 0x1000, 0x1000}}));
        Inventory inventory(machine);
        EXPECT_TRUE(inventory.scan());
        const auto bar = inventory.bar(inventory[0], 4);
        return !bar || bar->address + bar->size > bar->address;
    });
}

TEST(HostileConfiguration, BarOverAnother) {
    struct Case {
        std::uint64_t own, other;
    };
    // The same place, the other one inside of it, and it inside of the other one.
    for (const Case& lie : {Case{0xfe00'0000, 0xfe00'0000}, {0xfe00'0000, 0xfe00'3000}, {0xfe00'2000, 0xfe00'0000}})
        base::expect_teeth(Weakness::bar_alone, [&lie] {
            Machine machine = with(card(0xfebd'1000, lie.own));
            machine.functions[Machine::place({0, 4, 0})] = card(0xfebd'2000, lie.other);
            Inventory inventory(machine);
            EXPECT_TRUE(inventory.scan());
            return !inventory.bar(inventory[0], 4);
        });
    Machine machine = with(card(0xfebd'1000, 0xfe00'0000));
    machine.functions[Machine::place({0, 4, 0})] = card(0xfebd'2000, 0xfe00'4000);
    Inventory inventory(machine);
    ASSERT_TRUE(inventory.scan());
    EXPECT_TRUE(inventory.bar(inventory[0], 4));
    EXPECT_TRUE(inventory.bar(inventory[1], 4));
}

TEST(HostileConfiguration, BarWithTheInterruptTable) {
    base::expect_teeth(Weakness::bar_table, [] {
        const Machine machine = with(card());
        Inventory inventory(machine);
        EXPECT_TRUE(inventory.scan());
        EXPECT_TRUE(inventory.interrupt_table(inventory[0]));
        return !inventory.bar(inventory[0], 1);
    });
}

TEST(HostileConfiguration, BarInsideAPage) {
    const Machine machine = with(card(0xfebd'1000, 0xfe00'0800));
    Inventory inventory(machine);
    ASSERT_TRUE(inventory.scan());
    EXPECT_EQ(inventory.bar(inventory[0], 4).error(), base::Error::not_found);
}

// What was checked is what is used: the device is asked at the scan, and not again.
TEST(HostileConfiguration, AnswersThatChange) {
    Machine machine = with(card());
    Inventory inventory(machine);
    ASSERT_TRUE(inventory.scan());
    const unsigned before = machine.reads;
    for (unsigned type = 0; type < 8; ++type) {
        (void)inventory.structure(inventory[0], type);
        (void)inventory.bar(inventory[0], type);
        (void)inventory.interrupt_table(inventory[0]);
    }
    EXPECT_EQ(machine.reads, before);
}

// Configuration space at random: the scan ends, and what may be had lies in a BAR that lies in the address space and in no other.
TEST(InventoryCampaign, NoAnswerDoesHarm) {
    unsigned found = 0;
    for (unsigned seed = 1; seed <= 5000; ++seed) {
        std::mt19937_64 random(seed);
        Machine machine;
        for (unsigned i = 0; i < 4; ++i) {
            Space space = card(0xfebd'0000 + random() % 4 * page, 0xfe00'0000 + random() % 8 * page);
            for (unsigned changes = random() % 8; changes > 0; --changes)
                space[4 + random() % 252] = static_cast<std::uint8_t>(random());
            machine.functions[Machine::place({0, static_cast<std::uint8_t>(i), 0})] = space;
        }
        Inventory inventory(machine);
        ASSERT_TRUE(base::ends([&] { EXPECT_TRUE(inventory.scan()); })) << seed;
        ASSERT_FALSE(machine.outside) << seed;
        for (std::size_t i = 0; i < inventory.count(); ++i) {
            const Function& function = inventory[i];
            for (unsigned index = 0; index < Function::bar_count; ++index)
                if (const auto bar = inventory.bar(function, index)) {
                    ++found;
                    ASSERT_GT(bar->address + bar->size, bar->address) << seed;
                    for (std::size_t k = 0; k < inventory.count(); ++k)
                        for (const Bar& other : inventory[k].bars)
                            if (&other != &function.bars[index] && other.address != 0) {
                                ASSERT_FALSE(other.address >= bar->address && other.address < bar->address + bar->size) << seed;
                                ASSERT_FALSE(bar->address >= other.address && bar->address < other.address + other.size) << seed;
                            }
                }
            for (unsigned type = 0; type < 6; ++type)
                if (const auto structure = inventory.structure(function, type)) {
                    ASSERT_LE(structure->offset + structure->length, function.bars[structure->bar].size) << seed;
                }
            if (const auto table = inventory.interrupt_table(function)) {
                ASSERT_GT(table->address + table->size, table->address) << seed;
            }
        }
    }
    EXPECT_GT(found, 1000u) << "the campaign does not get far";
}

} // namespace
} // namespace pci
