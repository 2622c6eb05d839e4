// Whether what was done left something behind in the figures of the whole node.
#pragma once
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"

#include <iterator>

namespace kernel_test {

inline void nap(abi::Handle bell) { (void)native::call::notification_wait(bell, native::monotonic_nanoseconds() + 20'000'000); }

inline bool is_more(const abi::QuotaInfo& now, const abi::QuotaInfo& before) {
    bool more = now.used_pages > before.used_pages || now.table_pages > before.table_pages || now.free_pages < before.free_pages;
    for (std::size_t kind = 0; kind < std::size(now.object_count); ++kind) more |= now.object_count[kind] > before.object_count[kind];
    return more;
}

// Threads and processes of the tests before may still be on their way out: the attempts begin once nothing grows less, and what they made may take as long to go.
template <class Attempts> void leaves_nothing_behind(Attempts&& attempts) {
    const auto bell = native::call::notification_create(quota());
    REQUIRE(bell);
    auto before = figures();
    for (bool less = true; less;) {
        nap(*bell);
        const auto now = figures();
        less = is_more(before, now);
        before = now;
    }
    attempts();
    for (int turn = 0; turn < 500 && is_more(figures(), before); ++turn) nap(*bell);
    CHECK(!is_more(figures(), before));
    CHECK(native::call::handle_close(*bell));
}

} // namespace kernel_test
