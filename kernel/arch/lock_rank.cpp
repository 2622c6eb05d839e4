#include "kernel/arch/lock_rank.hpp"

#ifdef KERNEL_LOCK_RANKS

#include <initializer_list>

#include "kernel/arch/cpu.hpp"
#include "kernel/arch/upcalls.hpp"

namespace kernel::lock_ranks {

namespace {

// A handler's way to a log line is not half as deep.
constexpr std::size_t most_held = 16;

struct Held {
    const SpinLock* lock;
    LockRank rank;
};

struct HeldLocks {
    Held list[most_held];
    std::size_t count;
};
constinit HeldLocks of_cpus[arch::max_cpus] = {};

// Null before the CPU knows itself: it takes locks for its own stacks.
HeldLocks* own() {
    const arch::Cpu* const cpu = arch::find_this_cpu();
    return cpu != nullptr ? &of_cpus[cpu->index] : nullptr;
}

[[noreturn]] void fail(const char* first, const char* second, const char* third, const char* fourth) {
    char text[128];
    std::size_t length = 0;
    for (const char* part : {first, second, third, fourth})
        for (; *part != 0 && length < sizeof text - 1; ++part)
            text[length++] = *part;
    text[length] = 0;
    arch::upcall::panic(text);
}

const Held* innermost(const HeldLocks& held) {
    const Held* found = nullptr;
    for (std::size_t i = 0; i < held.count; ++i)
        if (found == nullptr || held.list[i].rank > found->rank)
            found = &held.list[i];
    return found;
}

} // namespace

void check(LockRank rank) {
    const HeldLocks* const held = own();
    if (held == nullptr)
        return;
    if (const Held* const last = innermost(*held); last != nullptr && last->rank >= rank)
        fail("order of locks: ", name_of(rank), " is taken under ", name_of(last->rank));
}

void check_beside(LockRank rank) {
    const HeldLocks* const held = own();
    if (held == nullptr)
        return;
    if (const Held* const last = innermost(*held); last == nullptr || last->rank != rank)
        fail("order of locks: ", name_of(rank), " is taken as a second one under ", last == nullptr ? "none" : name_of(last->rank));
}

void note_taken(const SpinLock& lock, LockRank rank) {
    HeldLocks* const held = own();
    if (held == nullptr)
        return;
    if (held->count == most_held)
        fail("order of locks: too many are held under ", name_of(rank), "", "");
    held->list[held->count++] = {&lock, rank};
}

void note_released(const SpinLock& lock, LockRank rank) {
    HeldLocks* const held = own();
    if (held == nullptr)
        return;
    for (std::size_t i = held->count; i-- > 0;) {
        if (held->list[i].lock != &lock)
            continue;
        for (; i + 1 < held->count; ++i)
            held->list[i] = held->list[i + 1];
        --held->count;
        return;
    }
    fail("order of locks: ", name_of(rank), " is given back and was not held", "");
}

void expect_held(const SpinLock& lock, LockRank rank) {
    const HeldLocks* const held = own();
    if (held == nullptr)
        return;
    for (std::size_t i = 0; i < held->count; ++i)
        if (held->list[i].lock == &lock)
            return;
    fail("order of locks: ", name_of(rank), " is not held", "");
}

void expect_none(const char* place) {
    const HeldLocks* const held = own();
    if (held != nullptr && held->count != 0)
        fail("order of locks: ", name_of(innermost(*held)->rank), " is held at ", place);
}

} // namespace kernel::lock_ranks

#endif
