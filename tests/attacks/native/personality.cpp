// Somebody has full control of a container's personality and makes every native call it can think of. Its neighbour must not notice.
#include <algorithm>

#include "kernel/tests/native/leftovers.hpp"
#include "lib/native/clock.hpp"
#include "tests/attacks/native/cell.hpp"
#include "tests/attacks/native/random.hpp"
#include "tests/kernel_negative.inc"

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
namespace protection = abi::protection;

extern "C" std::uint64_t native_ipc(std::uint64_t number, std::uint64_t handle, std::uint64_t (*registers)[10]);

namespace {

constexpr unsigned rounds = 256;
constexpr unsigned calls_a_round = 2500;
constexpr std::uint64_t quota_pages = 1500;
constexpr std::uint64_t round_nanoseconds = 400'000'000; // a round in which the attacker has stopped itself goes on to the next one
constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t tally_at = abi::heap_base + (1ull << 38);
constexpr std::uint64_t canary_at = abi::heap_base + (1ull << 37);
constexpr std::size_t canary_words = page / sizeof(std::uint64_t);

// What the attacker counts where its own death does not lose it.
struct Tally {
    std::uint64_t calls;
    std::uint64_t granted; // ended without an error
    std::uint64_t leaks;   // words of the neighbour that came into the attacker's buffer
};

// --- canaries

// A word that shows by itself that it is the neighbour's: the low half follows from the high one.
constexpr std::uint64_t canary(std::uint64_t seed, std::size_t index) {
    const std::uint64_t high = Random(seed + index).next() & 0xffff'ffff'0000'0000;
    return high | Random(high ^ 0xca11a4).next() >> 32;
}
constexpr bool is_canary(std::uint64_t word) { return word << 32 >> 32 == Random((word & 0xffff'ffff'0000'0000) ^ 0xca11a4).next() >> 32; }
static_assert(is_canary(canary(1, 2)) && !is_canary(0) && !is_canary(~std::uint64_t{0}));

// The neighbour: keeps canaries in memory of its own and looks at them, and at the shared layer, when the bell rings. Behind what is its own
// it has the bell and the layer. Ends with the number of words that changed.
std::uint64_t live_next_door(std::uint64_t seed) {
    if (!call::space_map(given(1), abi::no_handle, canary_at, 0, page, protection::read | protection::write)) return ~std::uint64_t{0};
    auto* const words = reinterpret_cast<volatile std::uint64_t*>(canary_at);
    for (std::size_t i = 0; i < canary_words; ++i) words[i] = canary(seed, i);
    (void)call::notification_wait(given(given_itself), abi::never);
    std::uint64_t changed = 0;
    for (std::size_t i = 0; i < canary_words; ++i) changed += words[i] != canary(seed, i);
    for (std::size_t i = 0; i < canary_words; ++i) {
        std::uint64_t word = 0;
        changed += !call::memory_read(given(given_itself + 1), i * sizeof(word), std::as_writable_bytes(std::span(&word, 1))) || word != i;
    }
    return changed;
}

// --- the attacker

alignas(page) std::uint64_t room[8 * canary_words];

struct Known {
    abi::Handle handle;
    abi::ObjectKind kind; // none: it did not say
};
Known known[64];

class Attacker {
public:
    explicit Attacker(std::uint64_t seed) : random_(seed) {
        for (std::size_t i = 0; i < most_given && given(i) != abi::no_handle; ++i) learn(given(i));
    }

    void one_call() {
        Tally& tally = *reinterpret_cast<Tally*>(tally_at);
        ++tally.calls;
        if (random_.below(8) == 0) {
            message();
        } else {
            const auto& chosen = random_.one_of(negative::calls).as_named;
            if (chosen.custom) return message();
            // What ends the attacker at once ends the attack: seldom.
            if ((chosen.number == 17 || chosen.number == 24) && random_.below(256) != 0) return;
            std::uint64_t words[6] = {};
            for (unsigned i = 0; i < chosen.count; ++i) words[i] = argument(chosen.arguments[i]);
            const auto result = call::raw_losing_registers(static_cast<abi::KernelCall>(chosen.number), words[0], words[1], words[2], words[3], words[4], words[5]);
            tally.granted += result.status >= 0;
            if (result.status >= 0 && result.value != 0) learn(result.value);
        }
        // Only what came lately can be new; the rest was looked at.
        for (std::size_t i = 0; i < 64; ++i) tally.leaks += is_canary(room[i]);
    }

private:
    // What it was given stays known; what it made gives way to what it makes.
    void learn(abi::Handle handle) {
        abi::HandleInfo info{};
        const bool told = call::handle_inspect(handle, info).has_value();
        const std::size_t place = known_count_ < std::size(known) ? known_count_++ : most_given + random_.below(std::size(known) - most_given);
        known[place] = {handle, told ? static_cast<abi::ObjectKind>(info.kind) : abi::ObjectKind::none};
    }

    // Mostly one of the right kind, else the call would not get far.
    abi::Handle handle(abi::ObjectKind kind) {
        if (random_.below(16) == 0) return random_.next();
        for (unsigned attempt = 0; attempt < 8; ++attempt) {
            const Known& candidate = known[random_.below(known_count_)];
            if (kind == abi::ObjectKind::none || candidate.kind == kind) return candidate.handle;
        }
        return known[random_.below(known_count_)].handle;
    }

    std::uint64_t value() {
        static constexpr std::uint64_t values[] = {
            0, 1, 2, 3, 4, 5, 7, 8, 64, page - 1, page, page + 1, 8 * page, 1 << 20, 1ull << 32, 1ull << 47, 1ull << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - page + 1,
            0x10000, 0x400000, abi::guest_end, abi::guest_end - page, abi::personality_base, abi::program_base, abi::heap_base, abi::heap_base + page, abi::heap_base + (1 << 30),
            abi::thread_pages_base, abi::stack_base, abi::personality_end - page, abi::personality_end, 0xffff'a000'0000'0000, 0xffff'ffff'8000'0000};
        switch (random_.below(8)) {
        case 0: return random_.next();
        case 1: return random_.below(0x800);
        case 2: return abi::heap_base + random_.below(256) * page;
        case 3: return random_.below(256) * page;
        default: return random_.one_of(values);
        }
    }

    std::uint64_t address() { return random_.below(4) == 0 ? value() : reinterpret_cast<std::uint64_t>(room) + random_.below(32) * 8; }

    std::uint64_t argument(const negative::Argument& wanted) {
        using Type = negative::ArgumentType;
        switch (wanted.type) {
        case Type::handle: return handle(wanted.kind);
        case Type::optional_handle: return random_.below(2) == 0 ? abi::no_handle : handle(wanted.kind);
        case Type::pointer:
        case Type::buffer: return address();
        case Type::length: return random_.below(4) == 0 ? value() : random_.below(256);
        case Type::deadline: return random_.below(3); // long past: it must not wait
        case Type::value: break;
        }
        return value();
    }

    // The four calls with registers of their own.
    void message() {
        std::uint64_t registers[10];
        for (auto& word : registers) word = value();
        registers[0] = random_.below(4) == 0 ? random_.next() : random_.below(0x800);
        registers[1] = random_.below(3);
        (void)native_ipc(45 + random_.below(4), handle(abi::ObjectKind::endpoint), &registers);
    }

    Random random_;
    std::size_t known_count_ = 0;
};

std::uint64_t attack(std::uint64_t seed) {
    Attacker attacker(seed);
    for (unsigned i = 0; i < calls_a_round; ++i) attacker.one_call();
    return 0;
}

// What all personalities share, and each gets as a container's does (servers/runtime/sandbox.cpp).
struct Shared {
    abi::Handle layer, endpoint, tally;
};

base::Result<void> one_round(std::uint64_t seed, const Shared& shared) {
    const native::Owned payer(TRY(call::quota_create(quota(), quota_pages)));
    const native::Owned ring(TRY(call::memory_create(quota(), 4 * page, 0)));
    const native::Owned bell(TRY(call::notification_create(quota())));
    {
        auto cell = TRY(Cell::create(payer.get()));
        TRY(cell.give_itself());
        TRY(cell.give(ring.get(), right::read | right::write | right::map | right::transfer | right::inspect));
        TRY(cell.give(bell.get(), right::receive | right::bind | right::transfer | right::inspect));
        TRY(cell.give(bell.get(), right::send | right::transfer | right::inspect));
        TRY(cell.give(shared.layer, right::read | right::map | right::execute | right::inspect | right::duplicate));
        TRY(cell.give(shared.endpoint, right::send));
        TRY(cell.give(native::granted("clock"), right::read | right::map | right::inspect));
        TRY(cell.share(shared.tally, tally_at, page));
        TRY(cell.start(attack, seed));
        (void)cell.wait(native::monotonic_nanoseconds() + round_nanoseconds);
    }
    return call::quota_destroy(payer.get());
}

// Frames are free again but for what the kernel keeps for its next threads' stacks: far less than one for each round.
bool same(const abi::QuotaInfo& a, const abi::QuotaInfo& b) {
    return a.used_pages == b.used_pages && a.table_pages == b.table_pages && a.free_pages < b.free_pages + rounds / 4 &&
           std::equal(std::begin(a.object_count), std::end(a.object_count), std::begin(b.object_count));
}

void print_difference(const abi::QuotaInfo& before, const abi::QuotaInfo& after) {
    native::print("used ", before.used_pages, " then ", after.used_pages, ", free ", before.free_pages, " then ", after.free_pages, ", tables ", before.table_pages, " then ",
                  after.table_pages);
    for (std::size_t kind = 0; kind < std::size(before.object_count); ++kind)
        if (before.object_count[kind] != after.object_count[kind])
            native::print("objects of kind ", kind, ": ", before.object_count[kind], " then ", after.object_count[kind]);
}

} // namespace

KERNEL_USER_TEST(a_lost_personality_harms_nobody_else) {
    const auto layer = call::memory_create(quota(), page, 0);
    const auto endpoint = call::endpoint_create(quota());
    const auto bell = call::notification_create(quota());
    const auto tally = call::memory_create(quota(), page, abi::memory_flag::populate);
    REQUIRE(layer && endpoint && bell && tally);
    for (std::uint64_t i = 0; i < canary_words; ++i) REQUIRE(call::memory_write(*layer, i * sizeof(i), std::as_bytes(std::span(&i, 1))));
    const auto badged = call::handle_duplicate(*endpoint, 0, 0x11, 0);
    REQUIRE(badged);
    auto neighbour = Cell::create(quota());
    REQUIRE(neighbour && neighbour->give_itself());
    REQUIRE(neighbour->give(*bell) && neighbour->give(*layer));
    // A seed that the attacker's copy of this program does not hold.
    REQUIRE(neighbour->start([](std::uint64_t seed) { return live_next_door(seed); }, native::monotonic_nanoseconds()));

    const Shared shared{*layer, *badged, *tally};
    CHECK(one_round(0, shared)); // what the first of its kind costs once
    const auto before = settled(20);
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) CHECK(one_round(seed, shared));
    auto after = before;
    const bool nothing_left = comes_true([&] { return same(before, after = figures()); });
    CHECK(nothing_left);
    if (!nothing_left) print_difference(before, after);

    Tally counted{};
    CHECK(call::memory_read(*tally, 0, std::as_writable_bytes(std::span(&counted, 1))));
    native::print("calls ", counted.calls, ", granted ", counted.granted);
    CHECK(counted.leaks == 0);
    abi::MemoryInfo info{};
    CHECK(call::memory_inspect(*layer, info));
    CHECK(info.size == page && info.sealed == 0);
    CHECK(counted.calls > 10'000 && counted.granted > 1000);
    CHECK(call::notification_signal(*bell, 1));
    const auto end = neighbour->wait();
    CHECK(end && end->reason == abi::EndReason::exit && end->status == 0);
    for (const auto handle : {*layer, *endpoint, *badged, *bell, *tally}) CHECK(call::handle_close(handle));
}
