// What an attacker reads that nobody wrote for it: registers and memory of others, and where the kernel keeps its tables.
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/memory.hpp"
#include "tests/attacks/native/cell.hpp"

#include <algorithm>
#include <array>

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

extern "C" {
extern std::uint64_t seen_registers[16];
extern const unsigned char keep_registers[];
[[noreturn]] void hold_canaries(std::uint64_t canary, std::uint64_t turns);
extern const unsigned char read_vector[], read_vector_end[], read_interrupt_table[], read_interrupt_table_end[], read_descriptor_table[], read_descriptor_table_end[];
}

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t canary = 0xca11'ab1e'ca11'ab1e;
constexpr std::uint64_t no_device = 7, general_protection = 13, page_fault = 14;
constexpr std::uint64_t code_at = abi::heap_base + (1ull << 38);
constexpr std::uint64_t not_set_up = 1000;

// Runs code that no compiler makes. Its value is what is in rax then.
std::uint64_t run_code(const unsigned char* begin, const unsigned char* end) {
    const auto memory = call::memory_create(given(2), page, 0);
    if (!memory || !call::memory_write(*memory, 0, std::as_bytes(std::span(begin, end)))) return not_set_up;
    if (!call::space_map(given(1), *memory, code_at, 0, page, protection::read | protection::execute)) return not_set_up;
    std::uint64_t told[2] = {};
    return reinterpret_cast<std::uint64_t (*)(std::uint64_t*)>(code_at)(told);
}

std::uint64_t read_idt(std::uint64_t) { return run_code(read_interrupt_table, read_interrupt_table_end); }
std::uint64_t read_gdt(std::uint64_t) { return run_code(read_descriptor_table, read_descriptor_table_end); }

bool processor_hides_its_tables() {
    std::uint32_t a = 7, b = 0, c = 0, d = 0;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c >> 2 & 1) != 0;
}

// --- vector registers; both on the first processor
constexpr std::size_t vector_bytes = 512, control_at = 0, status_at = 24, first_at = 160; // SDM volume 1, 10.5.1

std::uint64_t fill_vectors(std::uint64_t) {
    alignas(64) static std::array<std::byte, vector_bytes> area{};
    const auto put = [](std::size_t at, auto value) { std::copy_n(reinterpret_cast<const std::byte*>(&value), sizeof(value), area.data() + at); };
    put(control_at, std::uint16_t{0x37f});
    put(status_at, std::uint32_t{0x1f80});
    for (std::size_t i = 0; i < 32; ++i) put(first_at + 8 * i, canary);
    const auto guest = call::space_create(given(2), 0); // whoever has none has no vector registers
    if (!guest || !call::restricted_attach(*guest) || !call::thread_choose(given(4), 1) || !call::vector_state(1, area)) return not_set_up;
    (void)call::notification_signal(given(given_itself), 1);
    for (;;) (void)call::thread_yield();
}

std::uint64_t read_vectors(std::uint64_t) {
    if (!call::thread_choose(given(4), 1)) return not_set_up;
    for (unsigned i = 0; i < 100; ++i) (void)call::thread_yield();
    return run_code(read_vector, read_vector_end);
}

// --- memory
constexpr std::uint64_t pages = 1000;

std::uint64_t fill_memory(std::uint64_t) {
    if (!call::space_map(given(1), abi::no_handle, code_at, 0, pages * page, protection::read | protection::write)) return not_set_up;
    for (std::uint64_t at = 0; at < pages * page; at += sizeof(canary)) *reinterpret_cast<volatile std::uint64_t*>(code_at + at) = canary;
    return 0;
}

} // namespace

KERNEL_USER_TEST(user_mode_does_not_learn_where_the_processors_tables_are) {
    REQUIRE(processor_hides_its_tables());
    for (const Attack attack : {read_idt, read_gdt}) {
        auto cell = Cell::create(quota());
        REQUIRE(cell && cell->give_itself());
        const auto end = run(*cell, attack);
        REQUIRE(end);
        CHECK(end->reason == abi::EndReason::fault && end->status == general_protection);
    }
}

// Kernel stacks, with the registers of their threads at the top, are used again without being zeroed.
KERNEL_USER_TEST(a_new_thread_has_no_registers_of_another) {
    std::uint64_t told = 0;
    for (unsigned round = 0; round < 10; ++round) {
        {
            auto victim = Cell::create(quota());
            REQUIRE(victim);
            const auto end = run(*victim, [](std::uint64_t word) -> std::uint64_t { hold_canaries(word, 1'000'000); }, canary);
            REQUIRE(end);
            CHECK(end->reason == abi::EndReason::fault && end->status == page_fault);
        }
        // More than one: the victim's stack goes to one of them.
        for (unsigned i = 0; i < 4; ++i) {
            std::fill(std::begin(seen_registers), std::end(seen_registers), 1);
            const native::Owned thread(call::thread_create(native::self().process, budget()).value_or(0));
            REQUIRE(thread && call::thread_start(thread.get(), reinterpret_cast<std::uint64_t>(keep_registers), abi::stack_base, 0));
            const auto* const last = reinterpret_cast<const volatile std::uint64_t*>(seen_registers);
            while (last[15] == 1) (void)call::thread_yield();
            for (const std::uint64_t word : seen_registers) told += word != 0;
        }
    }
    CHECK(told == 0);
}

KERNEL_USER_TEST(native_code_reads_no_vector_registers_of_another) {
    const native::Owned ready(call::notification_create(quota()).value_or(0));
    auto victim = Cell::create(quota());
    REQUIRE(victim && victim->give_itself() && victim->give(ready.get()));
    REQUIRE(victim->start(fill_vectors, 0));
    REQUIRE(call::notification_wait(ready.get(), abi::never));
    auto attacker = Cell::create(quota());
    REQUIRE(attacker && attacker->give_itself());
    const auto end = run(*attacker, read_vectors);
    REQUIRE(end);
    CHECK(end->reason == abi::EndReason::fault && end->status == no_device);
    CHECK(end->reason != abi::EndReason::exit || end->status != canary);
}

KERNEL_USER_TEST(memory_comes_without_what_another_left_in_it) {
    std::uint64_t found = 0;
    {
        auto victim = Cell::create(quota());
        REQUIRE(victim && victim->give_itself());
        const auto end = run(*victim, fill_memory);
        REQUIRE(end);
        CHECK(end->reason == abi::EndReason::exit && end->status == 0);
    }
    const std::uint64_t at = native::reserve_range(2 * pages * page).value_or(0);
    REQUIRE(at && call::space_map(space(), abi::no_handle, at, 0, 2 * pages * page, protection::read | protection::write));
    for (std::uint64_t offset = 0; offset < 2 * pages * page; offset += sizeof(found)) found += *reinterpret_cast<const volatile std::uint64_t*>(at + offset) != 0;
    CHECK(found == 0);
    CHECK(call::space_unmap(space(), at, 2 * pages * page));
    native::release_range(at, 2 * pages * page);
}
