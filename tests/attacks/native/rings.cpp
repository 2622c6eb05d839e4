// The rings between a personality and its servers: what a personality that was taken over does to the Memory that the server has mapped too.
#include "lib/ring/pair.hpp"
#include "tests/attacks/native/cell.hpp"

using namespace kernel_test;
using attacks::Cell;
namespace call = native::call;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t ring_bytes = 64 * 1024;

// As its server gives a ring to a personality, with these rights or all that its own handle has: read, write and map, and nothing that takes from the other side.
base::Result<void> give_ring(Cell& cell, const ring::Pair& pair, abi::Rights rights) {
    const ring::Handles peer = pair.peer_handles();
    TRY(cell.give(peer.memory, rights));
    TRY(cell.give(peer.wait, ring::Pair::wait_rights));
    return cell.give(peer.signal, ring::Pair::signal_rights);
}

// How many ways there are to take the ring from who made it, the gentlest first.
std::uint64_t take_ring(std::uint64_t) {
    const abi::Handle memory = attacks::given(0);
    const abi::Handle again = call::handle_duplicate(memory, abi::right::all, 0, abi::no_handle).value_or(memory);
    std::uint64_t ways = 0;
    for (const abi::Handle handle : {memory, again}) {
        ways += call::memory_resize(handle, std::uint64_t{512} << 30).has_value();
        ways += call::memory_seal(handle).has_value();
        ways += call::memory_resize(handle, 0).has_value();
    }
    return ways;
}

// Leaves its payer nothing, says so and stays.
std::uint64_t take_all_memory(std::uint64_t) {
    const abi::Handle payer = attacks::given(2), said = attacks::given(attacks::given_itself);
    for (std::uint64_t size = 256 * page; size >= page; size /= 2)
        while (call::memory_create(payer, size, abi::memory_flag::populate)) {
        }
    (void)call::notification_signal(said, 1);
    for (;;) (void)call::thread_yield();
}

constexpr std::uint64_t ring_at = abi::heap_base;

// The server's side of the ring, whose payer has nothing left: 1 where all of it was written.
std::uint64_t write_ring(std::uint64_t) {
    const auto views = ring::check_pair({reinterpret_cast<std::byte*>(ring_at), ring::pair_bytes(ring_bytes)}, abi::RingUse::bytes);
    if (!views) return 0;
    ring::Producer out(views->ring[0]);
    const std::byte bytes[page] = {};
    std::uint64_t written = 0;
    while (const auto more = out.write(bytes)) {
        if (*more == 0) break;
        written += *more;
    }
    return written == ring_bytes;
}

} // namespace

KERNEL_USER_TEST(a_payer_without_memory_ends_nobody_at_its_ring) {
    const native::Owned payer(call::quota_create(quota(), 4096).value_or(0)), said(call::notification_create(quota()).value_or(0));
    REQUIRE(payer && said);
    {
        auto pair = ring::Pair::create(payer.get(), abi::RingUse::bytes, ring_bytes, ring::Side::a);
        auto personality = Cell::create(payer.get());
        auto server = Cell::create(quota());
        REQUIRE(pair && personality && server);
        REQUIRE(personality->give_itself() && personality->give(said.get()));
        REQUIRE(server->share(pair->peer_handles().memory, ring_at, ring::pair_bytes(ring_bytes)));
        REQUIRE(personality->start(take_all_memory, 0) && call::notification_wait(said.get(), abi::never));
        CHECK_ERROR(call::memory_create(payer.get(), page, abi::memory_flag::populate), no_memory);
        const auto end = attacks::run(*server, write_ring);
        CHECK(end && end->reason == abi::EndReason::exit && end->status == 1);
    }
    CHECK(call::quota_destroy(payer.get()));
}

KERNEL_USER_TEST(a_ring_is_not_taken_from_its_maker) {
    auto pair = ring::Pair::create(quota(), abi::RingUse::records, ring_bytes, ring::Side::a);
    REQUIRE(pair);
    for (const abi::Rights rights : {ring::Pair::memory_rights(), abi::Rights{0}}) {
        auto cell = Cell::create(quota());
        REQUIRE(cell && give_ring(*cell, *pair, rights));
        const auto end = attacks::run(*cell, take_ring);
        REQUIRE(end && end->reason == abi::EndReason::exit);
        CHECK(end->status == 0);
    }
    abi::MemoryInfo info{};
    REQUIRE(call::memory_inspect(pair->peer_handles().memory, info));
    // Where it is not as it was, a look at it would end this program.
    REQUIRE(info.size == ring::pair_bytes(ring_bytes) && info.sealed == 0);
    const std::byte record[page] = {};
    CHECK(pair->out().write_record(1, record));
    pair->hang_up();
}
