// The rings between a personality and its servers: what a personality that was taken over does to the Memory that the server has mapped too.
#include "lib/ring/pair.hpp"
#include "tests/attacks/native/cell.hpp"

using namespace kernel_test;
using attacks::Cell;
namespace call = native::call;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t ring_bytes = 64 * 1024;

// As its server gives a ring to a personality: rings' handles are read, write and map and nothing that takes from the other side.
base::Result<void> give_ring(Cell& cell, const ring::Pair& pair) {
    const ring::Handles peer = pair.peer_handles();
    TRY(cell.give(peer.memory, ring::Pair::memory_rights()));
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

} // namespace

KERNEL_USER_TEST(a_ring_is_not_taken_from_its_maker) {
    auto pair = ring::Pair::create(quota(), abi::RingUse::records, ring_bytes, ring::Side::a);
    auto cell = Cell::create(quota());
    REQUIRE(pair && cell && give_ring(*cell, *pair));
    const auto end = attacks::run(*cell, take_ring);
    REQUIRE(end && end->reason == abi::EndReason::exit);
    CHECK(end->status == 0);
    abi::MemoryInfo info{};
    REQUIRE(call::memory_inspect(pair->peer_handles().memory, info));
    // Where it is not as it was, a look at it would end this program.
    REQUIRE(info.size == ring::pair_bytes(ring_bytes) && info.sealed == 0);
    const std::byte record[page] = {};
    CHECK(pair->out().write_record(1, record));
    pair->hang_up();
}
