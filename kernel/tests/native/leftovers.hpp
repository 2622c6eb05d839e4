// Whether what was done left something behind in the figures of the whole node.
#pragma once
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"

#include <iterator>

namespace kernel_test {

// Takes no object, which would be in the figures.
inline void nap(std::uint64_t milliseconds = 20) {
    const std::uint32_t never_changes = 0;
    (void)native::futex_wait(&never_changes, 0, native::after_milliseconds(milliseconds));
}

// Whether `condition` is true, now or once the others had their turns, which on a processor that its host runs seldom may take long.
template <class Condition> bool comes_true(Condition&& condition, int turns = 1500) {
    for (int turn = 0; turn < turns; ++turn) {
        if (condition()) return true;
        nap();
    }
    return condition();
}

inline bool is_more(const abi::QuotaInfo& now, const abi::QuotaInfo& before) {
    bool more = now.used_pages > before.used_pages || now.table_pages > before.table_pages || now.free_pages < before.free_pages;
    for (std::size_t kind = 0; kind < std::size(now.object_count); ++kind) more |= now.object_count[kind] > before.object_count[kind];
    return more;
}

inline void print_more(const abi::QuotaInfo& now, const abi::QuotaInfo& before) {
    native::print("used pages ", before.used_pages, ", then ", now.used_pages, "; table pages ", before.table_pages, ", then ", now.table_pages, "; free pages ", before.free_pages, ", then ",
                  now.free_pages);
    for (std::size_t kind = 0; kind < std::size(now.object_count); ++kind)
        if (now.object_count[kind] != before.object_count[kind]) native::print("objects of kind ", kind, ": ", before.object_count[kind], ", then ", now.object_count[kind]);
}

// The figures once nothing has become less for a while: what was used before may still be on its way back.
inline abi::QuotaInfo settled(unsigned naps = 1) {
    auto before = figures();
    for (unsigned quiet = 0; quiet < naps;) {
        nap();
        const auto now = figures();
        quiet = is_more(before, now) ? 0 : quiet + 1;
        before = now;
    }
    return before;
}

// Whoever begins while another is on its way out needs one more of the kernel's stacks, which keeps its frames: there are some before.
inline void make_stacks() {
    abi::Handle threads[8] = {};
    for (abi::Handle& thread : threads) thread = native::call::thread_create(native::self().process, budget()).value_or(0);
    for (const abi::Handle thread : threads) CHECK(thread && native::call::handle_close(thread));
}

// Threads and processes of the tests before may still be on their way out: the attempts begin once nothing grows less, and what they made may take as long to go. Who begins beside one that
// is on its way out may get a place where nothing was yet, and a table for it, which stays: what is left behind is left by each round.
template <class Attempts> void leaves_nothing_behind(Attempts&& attempts) {
    constexpr int rounds = 3;
    make_stacks();
    for (int round = 1; round <= rounds; ++round) {
        const auto before = settled();
        attempts();
        const auto gone = [&] { return !is_more(figures(), before); };
        if (round < rounds ? comes_true(gone, 100) : comes_true(gone)) return;
        print_more(figures(), before);
    }
    CHECK(!"something is left behind by each round");
}

} // namespace kernel_test
