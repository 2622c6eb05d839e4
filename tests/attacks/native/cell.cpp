#include "tests/attacks/native/cell.hpp"

#include <algorithm>

#include "lib/elf/plan.hpp"

namespace call = native::call;

extern "C" {
extern const unsigned char __executable_start[];
extern const unsigned char cell_entry[];
[[noreturn]] void cell_main();
}

namespace attacks {

namespace {

// The file's size is not known any more; its segments were in it.
constexpr std::uint64_t file_limit = 1 << 30;

// What the copy finds in its own memory.
struct Orders {
    Attack attack;
    std::uint64_t argument;
    abi::Handle given[most_given];
};
constinit Orders orders{};

} // namespace

abi::Handle given(std::size_t index) { return orders.given[index]; }

base::Result<Cell> Cell::create(abi::Handle payer) {
    Cell cell(payer);
    cell.process_ = native::Owned(TRY(call::process_create(payer, kernel_test::budget())));
    cell.watch_ = native::Owned(TRY(call::notification_create(kernel_test::quota())));
    TRY(call::process_watch(cell.process_.get(), cell.watch_.get(), 1));
    cell.thread_ = native::Owned(TRY(call::thread_create(cell.process_.get(), kernel_test::budget())));
    return cell;
}

Cell::~Cell() {
    if (process_) kill();
}

base::Result<void> Cell::give(abi::Handle handle, abi::Rights rights) {
    if (given_count_ == most_given) return std::unexpected(abi::Error::no_slots);
    given_[given_count_] = TRY(call::process_grant(process_.get(), handle, rights, abi::no_handle));
    ++given_count_;
    return {};
}

base::Result<void> Cell::give_itself() {
    const native::Owned space(TRY(call::process_space(process_.get())));
    TRY(give(process_.get(), abi::right::inspect | abi::right::control | abi::right::stop | abi::right::start));
    TRY(give(space.get(), abi::right::map));
    TRY(give(payer_, abi::right::charge | abi::right::inspect));
    TRY(give(kernel_test::budget(), abi::right::charge | abi::right::inspect));
    return give(thread_.get(), abi::right::inspect | abi::right::suspend | abi::right::resume | abi::right::stop);
}

base::Result<void> Cell::share(abi::Handle memory, std::uint64_t address, std::uint64_t length) {
    const native::Owned space(TRY(call::process_space(process_.get())));
    return call::space_map(space.get(), memory, address, 0, length, abi::protection::read | abi::protection::write);
}

// Segment by segment, with the content that it has now.
base::Result<void> Cell::copy_program(abi::Handle space) {
    const std::span head(reinterpret_cast<const std::byte*>(__executable_start), elf::header_bytes);
    const elf::Plan plan = TRY(elf::make_plan(head, file_limit, {abi::program_base, abi::heap_base}));
    for (const elf::Segment& segment : plan.all()) {
        const std::uint64_t begin = segment.first_page(), length = segment.end_page() - begin;
        const native::Owned memory(TRY(call::memory_create(payer_, length, 0)));
        TRY(call::memory_write(memory.get(), 0, {reinterpret_cast<const std::byte*>(begin), length}));
        TRY(call::space_map(space, memory.get(), begin, 0, length, segment.protection));
    }
    return {};
}

base::Result<void> Cell::start(Attack attack, std::uint64_t argument) {
    orders.attack = attack;
    orders.argument = argument;
    std::copy(std::begin(given_), std::end(given_), orders.given);
    const native::Owned space(TRY(call::process_space(process_.get())));
    TRY(copy_program(space.get()));
    TRY(call::space_map(space.get(), abi::no_handle, abi::stack_base + abi::page_size, 0, abi::stack_size - abi::page_size,
                        abi::protection::read | abi::protection::write));
    return call::thread_start(thread_.get(), reinterpret_cast<std::uint64_t>(cell_entry), abi::stack_base + abi::stack_size - 8, 0);
}

base::Result<abi::ProcessInfo> Cell::wait(abi::Deadline deadline) {
    TRY(call::notification_wait(watch_.get(), deadline));
    abi::ProcessInfo info{};
    TRY(call::process_inspect(process_.get(), info));
    return info;
}

base::Result<abi::ProcessInfo> run(Cell& cell, Attack attack, std::uint64_t argument) {
    TRY(cell.start(attack, argument));
    return cell.wait();
}

} // namespace attacks

void cell_main() {
    (void)call::process_exit(attacks::orders.attack(attacks::orders.argument));
    for (;;)
        (void)call::thread_exit();
}
