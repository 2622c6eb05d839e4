// A mapping that is cut by a move while something is taken from all of it: what went to the new place loses it too.
#include <atomic>

#include "kernel/tests/native/test.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;
// What moves begins where the mapping does: it stays the mapping that something is taken from, and the rest becomes another one.
constexpr std::uint64_t mapped = 6 * page, moved = 4 * page;
constexpr std::uint64_t first = page; // of what is replaced
constexpr unsigned rounds = 120;

enum class Way { seal, shrink, shrink_in_part, revoke };
constexpr unsigned ways = 4;
constexpr std::uint64_t kept = 2 * page; // by a shrink in part

// The one that takes away, beside the one that moves. Each round it begins a little later.
struct Taker {
    Way way;
    abi::Handle memory, lease;
    unsigned delay;
    std::atomic<unsigned> ready = 0;
    bool done = false;

    void meet() {
        for (++ready; ready < 2;) asm volatile("pause");
    }
    static void run(void* argument) {
        auto& self = *static_cast<Taker*>(argument);
        self.meet();
        for (unsigned i = 0; i < self.delay; ++i) asm volatile("pause");
        switch (self.way) {
        case Way::seal: self.done = call::memory_seal(self.memory).has_value(); break;
        case Way::shrink: self.done = call::memory_resize(self.memory, 0).has_value(); break;
        case Way::shrink_in_part: self.done = call::memory_resize(self.memory, kept).has_value(); break;
        case Way::revoke: self.done = call::lease_revoke(self.lease).has_value(); break;
        }
    }
};

// The kernel's own accesses for this program.
bool reads(abi::Handle scratch, std::uint64_t at) { return call::memory_write(scratch, 0, {reinterpret_cast<const std::byte*>(at), 8}).has_value(); }
bool writes(abi::Handle scratch, std::uint64_t at) { return call::memory_read(scratch, 0, {reinterpret_cast<std::byte*>(at), 8}).has_value(); }

// A range that shows a Memory under a lease, from which one thread takes while this one does `meanwhile`, which gives its call's outcome: where it may fail is where the lease
// was revoked before.
template <class Meanwhile> bool take_beside(Way way, unsigned delay, std::uint64_t from, Meanwhile&& meanwhile) {
    const native::Owned memory(call::memory_create(quota(), mapped, abi::memory_flag::populate).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
    const native::Owned leased(call::handle_duplicate(memory.get(), 0, 0, lease.get()).value_or(0));
    Taker taker{way, memory.get(), lease.get(), delay};
    auto* thread = native::Thread::create(Taker::run, &taker).value_or(nullptr);
    const bool shown = call::space_map(space(), leased.get(), from, 0, mapped, protection::read | protection::write).has_value();
    taker.meet();
    const bool done = meanwhile().has_value();
    if (thread) thread->join();
    CHECK(thread && shown && taker.done && (done || way == Way::revoke));
    return done;
}

// How many pages kept what was taken from them.
unsigned left_by(Way way, unsigned delay, abi::Handle scratch, std::uint64_t from, std::uint64_t to) {
    (void)take_beside(way, delay, from, [&] { return call::space_move(space(), from, to, moved); });
    unsigned left = 0;
    const auto look = [&](std::uint64_t begin, std::uint64_t end) {
        for (std::uint64_t at = begin; at < end; at += page) left += writes(scratch, at) || (way != Way::seal && reads(scratch, at));
    };
    const std::uint64_t stays = way == Way::shrink_in_part ? kept : 0;
    look(from + stays, from + mapped);
    look(to + stays, to + moved);
    CHECK(call::space_unmap(space(), from, mapped) && call::space_unmap(space(), to, moved));
    return left;
}

// How many pages of what was mapped in the middle of the mapping, in its place, lost something with it.
unsigned lost_by(Way way, unsigned delay, abi::Handle scratch, std::uint64_t from, unsigned& replaced) {
    constexpr std::uint32_t flags = protection::read | protection::write | abi::map_flag::replace | abi::map_flag::populate;
    const bool done = take_beside(way, delay, from, [&] { return call::space_map(space(), abi::no_handle, from + first, 0, moved, flags); });
    unsigned lost = 0;
    for (std::uint64_t at = from + first; done && at < from + first + moved; at += page) lost += !writes(scratch, at);
    replaced += done;
    CHECK(call::space_unmap(space(), from, mapped));
    return lost;
}

} // namespace

KERNEL_USER_TEST(what_came_in_a_mappings_place_is_not_taken_with_it) {
    NEEDS_PROCESSORS(2);
    const native::Owned scratch(call::memory_create(quota(), page, 0).value_or(0));
    const std::uint64_t from = native::reserve_range(mapped).value_or(0);
    REQUIRE(scratch && from != 0);
    unsigned lost[ways] = {}, replaced[ways] = {};
    for (unsigned round = 0; round < rounds; ++round)
        for (const Way way : {Way::seal, Way::shrink, Way::shrink_in_part, Way::revoke}) {
            const auto index = static_cast<unsigned>(way);
            lost[index] += lost_by(way, round % 40 * 8, scratch.get(), from, replaced[index]);
        }
    native::print("lost by a seal ", lost[0], ", a shrink ", lost[1], ", one in part ", lost[2], ", a revocation ", lost[3]);
    for (const unsigned pages : lost) CHECK(pages == 0);
    for (const unsigned times : replaced) CHECK(times != 0);
    native::release_range(from, mapped);
}

KERNEL_USER_TEST(what_is_taken_from_a_mapping_is_taken_where_it_moved) {
    NEEDS_PROCESSORS(2);
    const native::Owned scratch(call::memory_create(quota(), page, 0).value_or(0));
    const std::uint64_t from = native::reserve_range(mapped).value_or(0), to = native::reserve_range(moved).value_or(0);
    REQUIRE(scratch && from != 0 && to != 0);
    unsigned left[ways] = {};
    for (unsigned round = 0; round < rounds; ++round)
        for (const Way way : {Way::seal, Way::shrink, Way::shrink_in_part, Way::revoke}) left[static_cast<unsigned>(way)] += left_by(way, round % 40 * 8, scratch.get(), from, to);
    native::print("left by a seal ", left[0], ", a shrink ", left[1], ", one in part ", left[2], ", a revocation ", left[3]);
    for (const unsigned pages : left) CHECK(pages == 0);
    native::release_range(from, mapped);
    native::release_range(to, moved);
}
