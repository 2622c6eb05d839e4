// What faults, mappings and a fork cost. A fault is what a sweep over pages costs that are not there, less the same sweep once more.
#include <cstring>

#include "abi/thread_page.hpp"
#include "kernel/tests/native/costs.hpp"
#include "lib/native/thread_block.hpp"

extern "C" const unsigned char guest_sweep[], guest_sweep_end[];

namespace kernel_test {

namespace {

namespace call = native::call;
namespace protection = abi::protection;

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = protection::read | protection::write;
// One last-level table reaches so far; the first page of it is touched before, so that the table is there.
constexpr std::uint64_t table_pages = 512;
constexpr std::uint64_t own_at = abi::heap_base + (1ull << 38);
constexpr std::uint64_t code_at = 0x400000;
constexpr std::uint64_t guest_at = 0x40'0000'0000;

void touch(std::uint64_t address) { *reinterpret_cast<volatile unsigned char*>(address) = 1; }

void sweep(std::uint64_t address, std::uint64_t pages) {
    for (std::uint64_t i = 0; i < pages; ++i) touch(address + i * page);
}

void sweep_as_guest(std::uint64_t address, std::uint64_t pages) {
    auto& registers = native::current_thread().page->restricted.registers;
    registers.rip = code_at;
    registers.rdi = address;
    registers.rsi = pages;
    (void)call::restricted_enter(0);
}

template <class Sweep>
void measure_faults(const char* name, abi::Handle where, std::uint64_t at, Sweep&& function) {
    Cost with, without;
    (void)call::space_map(where, 0, at, 0, table_pages * page, read_write);
    function(at, 1);
    with.begin();
    function(at + page, table_pages - 1);
    with.end();
    without.begin();
    function(at + page, table_pages - 1);
    without.end();
    (void)call::space_unmap(where, at, table_pages * page);
    with.print(name, table_pages - 1, without);
}

// The Memory gets its frames after it is mapped: those that are there are entered at once.
void measure_memory_faults(const char* name) {
    const auto memory = call::memory_create(quota(), table_pages * page, 0);
    if (!memory) return;
    const unsigned char one = 1;
    Cost with, without;
    (void)call::space_map(space(), *memory, own_at, 0, table_pages * page, read_write);
    for (std::uint64_t i = 0; i < table_pages; ++i) (void)call::memory_write(*memory, i * page, {reinterpret_cast<const std::byte*>(&one), 1});
    sweep(own_at, 1);
    with.begin();
    sweep(own_at + 16 * page, table_pages - 16);
    with.end();
    without.begin();
    sweep(own_at + 16 * page, table_pages - 16);
    without.end();
    (void)call::space_unmap(space(), own_at, table_pages * page);
    (void)call::handle_close(*memory);
    with.print(name, table_pages - 16, without);
}

// Of a Memory that has its pages.
void print_memory_mapping_costs(const char* shared, const char* copied) {
    constexpr std::uint64_t pages = 64, rounds = 100;
    const auto memory = call::memory_create(quota(), pages * page, abi::memory_flag::populate);
    if (!memory || !call::memory_seal(*memory)) return;
    Cost costs[2];
    for (std::uint64_t i = 0; i <= rounds; ++i) {
        if (i == 1) costs[0] = costs[1] = {};
        for (unsigned kind = 0; kind < 2; ++kind) {
            costs[kind].begin();
            (void)call::space_map(space(), *memory, own_at + page, 0, pages * page, protection::read | (kind ? abi::map_flag::copy_on_write : 0));
            costs[kind].end();
            (void)call::space_unmap(space(), own_at + page, pages * page);
        }
    }
    (void)call::handle_close(*memory);
    costs[0].print(shared, rounds);
    costs[1].print(copied, rounds);
}

void print_mapping_costs(std::uint64_t pages, const char* map, const char* unmap, const char* protect) {
    constexpr std::uint64_t rounds = 100;
    Cost mapping, unmapping, protecting;
    for (std::uint64_t i = 0; i <= rounds; ++i) {
        if (i == 1) mapping = unmapping = protecting = {}; // the first brings tables and caches in
        mapping.begin();
        (void)call::space_map(space(), 0, own_at + page, 0, pages * page, read_write);
        mapping.end();
        sweep(own_at + page, pages);
        protecting.begin();
        (void)call::space_protect(space(), own_at + page, pages * page, protection::read);
        protecting.end();
        unmapping.begin();
        (void)call::space_unmap(space(), own_at + page, pages * page);
        unmapping.end();
    }
    mapping.print(map, rounds);
    protecting.print(protect, rounds);
    unmapping.print(unmap, rounds);
}

void print_fork_costs(abi::Handle guest) {
    constexpr std::uint64_t pages = 1000, rounds = 10;
    Cost forking, ending, copying, plain;
    (void)call::space_map(guest, 0, guest_at, 0, pages * page, read_write);
    sweep(guest_at, pages);
    for (std::uint64_t i = 0; i < rounds; ++i) {
        forking.begin();
        const auto copy = call::space_fork(guest, quota());
        forking.end();
        if (!copy) return;
        copying.begin();
        sweep(guest_at, pages);
        copying.end();
        plain.begin();
        sweep(guest_at, pages);
        plain.end();
        ending.begin();
        (void)call::handle_close(*copy);
        ending.end();
    }
    (void)call::space_unmap(guest, guest_at, pages * page);
    forking.print("space_fork of 1,000 touched pages", rounds);
    copying.print("copy fault after space_fork, copying included", rounds * pages, plain);
    ending.print("end of a space of 1,000 pages", rounds);
}

} // namespace

void print_memory_costs() {
    // The kernel has the same two functions of lib/base.
    alignas(4096) static unsigned char source[page], target[page];
    void* (*volatile const clear)(void*, int, std::size_t) = std::memset;
    measure("zeroing of a page", [&] { (void)clear(target, 0, page); });
    void* (*volatile const copy)(void*, const void*, std::size_t) = std::memcpy;
    measure("copy of a page", [&] { (void)copy(target, source, page); });

    measure_faults("fault on a demand-zero page, own half, zeroing included", space(), own_at, sweep);
    const auto guest = call::space_create(quota(), 0);
    const auto code = call::memory_create(quota(), page, 0);
    if (!guest || !code) return;
    (void)call::memory_write(*code, 0, {reinterpret_cast<const std::byte*>(guest_sweep), static_cast<std::size_t>(guest_sweep_end - guest_sweep)});
    (void)call::space_map(*guest, *code, code_at, 0, page, protection::read | protection::execute);
    (void)call::restricted_attach(*guest);
    native::current_thread().page->restricted.registers = {};
    measure_faults("fault on a demand-zero page, guest half by its personality, zeroing included", *guest, guest_at, sweep);
    measure_faults("fault on a demand-zero page, by the guest, zeroing included", *guest, guest_at, sweep_as_guest);
    measure_memory_faults("page of a Memory that has it, by faults on pages next to each other");
    print_fork_costs(*guest);
    (void)call::restricted_attach(0);
    for (const auto handle : {*guest, *code}) (void)call::handle_close(handle);

    // Keeps the last-level table.
    (void)call::space_map(space(), 0, own_at, 0, page, read_write);
    touch(own_at);
    print_mapping_costs(1, "space_map of a page", "space_unmap of a touched page", "space_protect of a touched page");
    print_mapping_costs(64, "space_map of 64 pages", "space_unmap of 64 touched pages", "space_protect of 64 touched pages");
    print_memory_mapping_costs("space_map of 64 pages that a Memory has, shared", "space_map of 64 pages that a Memory has, private");
    (void)call::space_unmap(space(), own_at, page);
}

} // namespace kernel_test
