#include "kernel/arch/x86_64/mitigations.hpp"

#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace kernel::arch {
namespace {

struct Words {
    std::uint32_t eax, ebx, ecx, edx;
};

// A processor as its manual describes it. An MSR that it has not faults, as on the machine.
struct Processor {
    std::map<std::uint32_t, Words> leaves;
    std::map<std::uint32_t, std::uint64_t> registers;
    std::vector<std::uint64_t> commands;
    int fills = 0, clears = 0;

    Words cpuid(std::uint32_t leaf) const {
        const auto found = leaves.find(leaf);
        return found == leaves.end() ? Words{} : found->second;
    }
    std::uint64_t read_msr(std::uint32_t number) const {
        EXPECT_TRUE(registers.contains(number)) << "#GP: read of " << std::hex << number;
        return registers.contains(number) ? registers.at(number) : 0;
    }
    void write_msr(std::uint32_t number, std::uint64_t value) {
        if (number == speculation::command)
            return commands.push_back(value);
        EXPECT_TRUE(registers.contains(number)) << "#GP: write of " << std::hex << number;
        registers[number] = value;
    }
    void fill_return_stack() { ++fills; }
    void clear_buffers() { ++clears; }
};

constexpr Words intel{0x16, 0x756e6547, 0x6c65746e, 0x49656e69}, amd{0x10, 0x68747541, 0x444d4163, 0x69746e65};
constexpr std::uint32_t bit(unsigned number) { return 1u << number; }

Processor skylake() { return {{{0, intel}, {7, {0, bit(11), 0, bit(10) | bit(26) | bit(27)}}}, {{speculation::control, 0}}}; }
Processor cascade_lake() {
    return {{{0, intel}, {7, {0, bit(11), 0, bit(10) | bit(26) | bit(27) | bit(29)}}}, {{speculation::control, 0}, {speculation::properties, 0x2b | bit(8)}}};
}
Processor zen2() { return {{{0, amd}, {0x80000000, {0x80000020, 0, 0, 0}}, {0x80000008, {0, bit(12) | bit(14) | bit(15), 0, 0}}}, {{speculation::control, 0}}}; }
Processor zen4() {
    return {{{0, amd}, {0x80000000, {0x80000028, 0, 0, 0}}, {0x80000008, {0, bit(12) | bit(14) | bit(15), 0, 0}}, {0x80000021, {bit(8), 0, 0, 0}}},
            {{speculation::control, 0}, {speculation::efer, 0xd01}}};
}
// QEMU's own interpreter: AMD by name, and nothing of the kind.
Processor interpreter() { return {{{0, amd}, {0x80000000, {0x8000000a, 0, 0, 0}}, {0x80000008, {0x3028, 0, 0, 0}}}, {}}; }

TEST(mitigations, skylake_forgets_and_clears_but_is_steered) {
    auto machine = skylake();
    const auto chosen = choose_mitigations(machine);
    EXPECT_TRUE(chosen.ibpb && chosen.stibp && chosen.fill_return_stack && chosen.clear_buffers);
    EXPECT_FALSE(chosen.enhanced_ibrs || chosen.automatic_ibrs);
    EXPECT_TRUE(chosen.unprotected_branches && chosen.unprotected_meltdown);
    start_mitigations(machine, chosen);
    EXPECT_EQ(machine.registers[speculation::control], speculation::control_stibp);
}

TEST(mitigations, cascade_lake_holds_ibrs_and_samples_nothing) {
    auto machine = cascade_lake();
    const auto chosen = choose_mitigations(machine);
    EXPECT_TRUE(chosen.enhanced_ibrs && chosen.ibpb && chosen.stibp);
    EXPECT_FALSE(chosen.clear_buffers || chosen.unprotected_branches || chosen.unprotected_meltdown);
    start_mitigations(machine, chosen);
    EXPECT_EQ(machine.registers[speculation::control], speculation::control_ibrs | speculation::control_stibp);
    // With transactions that abort asynchronously, buffers are sampled after all.
    machine.registers[speculation::properties] &= ~std::uint64_t{bit(8)};
    EXPECT_TRUE(choose_mitigations(machine).clear_buffers);
}

TEST(mitigations, register_files_are_cleared_where_microcode_can) {
    auto machine = cascade_lake();
    machine.registers[speculation::properties] |= bit(28);
    EXPECT_TRUE(choose_mitigations(machine).clear_buffers);
    machine.registers[speculation::properties] |= bit(27);
    EXPECT_FALSE(choose_mitigations(machine).clear_buffers);
}

TEST(mitigations, zen2_forgets_and_zen4_holds_ibrs_too) {
    auto older = zen2();
    const auto chosen = choose_mitigations(older);
    EXPECT_TRUE(chosen.ibpb && chosen.stibp && chosen.unprotected_branches);
    EXPECT_FALSE(chosen.clear_buffers || chosen.automatic_ibrs || chosen.enhanced_ibrs || chosen.unprotected_meltdown);
    start_mitigations(older, chosen);
    EXPECT_EQ(older.registers[speculation::control], speculation::control_stibp);

    auto newer = zen4();
    const auto better = choose_mitigations(newer);
    EXPECT_TRUE(better.ibpb && better.automatic_ibrs);
    EXPECT_FALSE(better.unprotected_branches);
    start_mitigations(newer, better);
    EXPECT_EQ(newer.registers[speculation::efer], 0xd01 | speculation::efer_automatic_ibrs);
}

// Each access to a register that is not there fails the test.
TEST(mitigations, nothing_is_touched_where_nothing_is) {
    auto machine = interpreter();
    const auto chosen = choose_mitigations(machine);
    EXPECT_FALSE(chosen.ibpb || chosen.stibp || chosen.enhanced_ibrs || chosen.automatic_ibrs || chosen.clear_buffers || chosen.fill_return_stack);
    start_mitigations(machine, chosen);
    std::uint64_t last = 0;
    for (const std::uint64_t domain : {7, 0, 8})
        enter_domain(machine, chosen, last, domain);
    EXPECT_TRUE(machine.commands.empty() && machine.registers.empty());
    EXPECT_EQ(machine.fills + machine.clears, 0);
}

TEST(mitigations, a_change_of_domain_forgets_once) {
    auto machine = skylake();
    const auto chosen = choose_mitigations(machine);
    std::uint64_t last = 0;
    // 0 is trusted code; the first domain after the start follows nobody.
    for (const std::uint64_t domain : {7, 7, 7, 8, 8, 7})
        enter_domain(machine, chosen, last, domain);
    EXPECT_EQ(machine.commands, (std::vector<std::uint64_t>{speculation::command_ibpb, speculation::command_ibpb}));
    EXPECT_EQ(machine.fills, 2);
    EXPECT_EQ(machine.clears, 3); // what ran before the first domain was trusted
}

TEST(mitigations, what_trusted_code_leaves_in_the_buffers_goes_and_its_predictions_stay) {
    auto machine = skylake();
    const auto chosen = choose_mitigations(machine);
    std::uint64_t last = 0;
    for (const std::uint64_t domain : {7, 0, 7, 0, 0, 7, 7, 0})
        enter_domain(machine, chosen, last, domain);
    EXPECT_EQ(machine.clears, 3);
    EXPECT_TRUE(machine.commands.empty());
    EXPECT_EQ(machine.fills, 0);
    // Another domain behind trusted code.
    enter_domain(machine, chosen, last, 8);
    EXPECT_EQ(machine.clears, 4);
    EXPECT_EQ(machine.commands.size(), 1U);
}

} // namespace
} // namespace kernel::arch
