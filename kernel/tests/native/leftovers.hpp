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
template <class Condition> bool comes_true(Condition&& condition) {
    for (int turn = 0; turn < 1500; ++turn) {
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

// Whoever begins while another is on its way out needs one more of the kernel's stacks, which keeps its frames: there are some before.
inline void make_stacks() {
    abi::Handle threads[8] = {};
    for (abi::Handle& thread : threads) thread = native::call::thread_create(native::self().process, budget()).value_or(0);
    for (const abi::Handle thread : threads) CHECK(thread && native::call::handle_close(thread));
}

// Threads and processes of the tests before may still be on their way out: the attempts begin once nothing grows less, and what they made may take as long to go.
template <class Attempts> void leaves_nothing_behind(Attempts&& attempts) {
    make_stacks();
    auto before = figures();
    for (bool less = true; less;) {
        nap();
        const auto now = figures();
        less = is_more(before, now);
        before = now;
    }
    attempts();
    CHECK(comes_true([&] { return !is_more(figures(), before); }));
}

} // namespace kernel_test
