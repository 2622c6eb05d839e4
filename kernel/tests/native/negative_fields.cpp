// What a call reads out of memory or takes with a handle, wrong in each of its fields: refused with the error that the interface names, and nothing is another.
#include <cstring>
#include <string_view>

#include "abi/info.hpp"
#include "kernel/tests/native/guest.hpp"
#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/negative_world.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

extern "C" {
extern const unsigned char guest_touch[], guest_touch_end[];
std::int64_t native_peek(std::uint64_t address, std::uint64_t* out);
std::int64_t native_poke(std::uint64_t address, std::uint64_t value);
}

namespace {

constexpr std::uint64_t largest = ~std::uint64_t{0};
constexpr abi::Protection read_write = protection::read | protection::write;
constexpr abi::Handle invented = 0x7777'0000'0003;

// --- budgets: how wrong parameters are told from the right ones around them

constexpr std::uint32_t priority = 3;
constexpr abi::BudgetParameters right_parameters{1024, priority, 0, 0, 1};

struct WrongParameters {
    const char* what;
    abi::BudgetParameters parameters;
};
constexpr WrongParameters wrong_parameters[] = {
    {"no weight", {0, 0, 0, 0, 0}},
    {"a weight above the highest", {10'001, 0, 0, 0, 0}},
    {"the largest weight", {0xffff'ffff, 0, 0, 0, 0}},
    {"a priority above the parent's", {1024, priority + 1, 0, 0, 0}},
    {"a priority that there is not", {1024, 32, 0, 0, 0}},
    {"the largest priority", {1024, 0xffff'ffff, 0, 0, 0}},
    {"a limit in no period", {1024, 0, 1, 0, 0}},
    {"a limit in a period above the longest", {1024, 0, 1, 10'000'001, 0}},
    {"a limit in the largest period", {1024, 0, 1, largest, 0}},
    {"a limit that no number of processors reaches", {1024, 0, 64 * 1000 + 64, 1000, 0}},
    {"the largest limit", {1024, 0, largest, 1000, 0}},
    {"a processor that the parent has not", {1024, 0, 0, 0, 2}},
    {"a processor that there is not", {1024, 0, 0, 0, std::uint64_t{1} << 63}},
};

// A budget of the same parent that `right_parameters` holds for has children of its priority, on its processor and on no other.
bool is_as_it_was(abi::Handle budget) {
    const auto child = call::budget_create(quota(), budget, right_parameters);
    const auto above = call::budget_create(quota(), budget, {1024, priority + 1, 0, 0, 0});
    const auto beside = call::budget_create(quota(), budget, {1024, 0, 0, 0, 2});
    return child && call::handle_close(*child) && !above && !beside;
}

// --- map operations: one that would do, wrong in one field

struct WrongOperation {
    const char* what;
    abi::Error error;
    void (*spoil)(abi::MapOperation& operation);
};
using enum abi::Error;
constexpr WrongOperation wrong_operations[] = {
    {"no kind", bad_argument, [](abi::MapOperation& operation) { operation.kind = abi::MapOperation::Kind{}; }},
    {"a kind that there is not", bad_argument, [](abi::MapOperation& operation) { operation.kind = static_cast<abi::MapOperation::Kind>(4); }},
    {"the largest kind", bad_argument, [](abi::MapOperation& operation) { operation.kind = static_cast<abi::MapOperation::Kind>(0xffff'ffff); }},
    {"an unknown flag", bad_argument, [](abi::MapOperation& operation) { operation.flags |= 1u << 3; }},
    {"the last flag", bad_argument, [](abi::MapOperation& operation) { operation.flags |= 1u << 31; }},
    {"an address within a page", bad_argument, [](abi::MapOperation& operation) { operation.address += 8; }},
    {"an address of the personality", bad_argument, [](abi::MapOperation& operation) { operation.address = abi::personality_base; }},
    {"an address of the kernel", bad_argument, [](abi::MapOperation& operation) { operation.address = 0xffff'ffff'8000'0000; }},
    {"an address that is none", bad_argument, [](abi::MapOperation& operation) { operation.address = 0x8000'0000'0000; }},
    {"no length", bad_argument, [](abi::MapOperation& operation) { operation.length = 0; }},
    {"a length past the half", bad_argument, [](abi::MapOperation& operation) { operation.length = abi::guest_end; }},
    {"a length that wraps around", bad_argument, [](abi::MapOperation& operation) { operation.length = largest - operation.address + 1 + page; }},
    {"the largest length", bad_argument, [](abi::MapOperation& operation) { operation.length = largest; }},
};
constexpr WrongOperation wrong_mappings[] = {
    {"a handle of nothing", bad_handle, [](abi::MapOperation& operation) { operation.memory = invented; }},
    {"a handle of another kind", wrong_kind, [](abi::MapOperation& operation) { operation.memory = quota(); }},
    {"an offset within a page", bad_argument, [](abi::MapOperation& operation) { operation.offset = 8; }},
    {"an offset past the Memory", bad_argument, [](abi::MapOperation& operation) { operation.offset = 2 * page; }},
    {"an offset that wraps around", bad_argument, [](abi::MapOperation& operation) { operation.offset = largest & ~(page - 1); }},
    {"what is there", exists, [](abi::MapOperation& operation) { operation.address = data_at; }},
};

// The two that come before it are done; the one behind it is not, and no guest runs.
void refuses(abi::Handle space, abi::MapOperation wrong, const WrongOperation& row) {
    row.spoil(wrong);
    constexpr std::uint64_t before = 0x3000'0000, behind = 0x3100'0000;
    abi::RestrictedState& own = state();
    own.operations[0] = {abi::MapOperation::Kind::map, read_write, before, page, 0, 0};
    own.operations[1] = {abi::MapOperation::Kind::protect, protection::read, before, page, 0, 0};
    own.operations[2] = wrong;
    own.operations[3] = {abi::MapOperation::Kind::map, read_write, behind, page, 0, 0};
    own.operation_count = 4;
    guest().rip = code_at;
    const auto entered = call::restricted_enter(0);
    std::uint64_t value = 7;
    const bool done = native_peek(before, &value) == 0 && value == 0 && native_poke(before, 1) == -1 && native_peek(behind, &value) == -1;
    const bool same = native_peek(data_at, &value) == 0 && value == 5 && guest().rip == code_at;
    own.operation_count = 0;
    CHECK(call::space_unmap(space, before, page));
    if (error_of(entered) == static_cast<std::int32_t>(row.error) && own.operation_error == -static_cast<std::int32_t>(row.error) && own.operations_done == 2 && done && same) return;
    native::print("  ", row.what, " gives ", error_of(entered), " after ", own.operations_done, same ? "" : ", and something changes");
    fail("a wrong map operation is refused with its error and changes nothing", __FILE__, __LINE__);
}

} // namespace

KERNEL_USER_TEST(every_wrong_parameter_of_a_budget_is_refused) {
    const auto parent = call::budget_create(quota(), budget(), right_parameters);
    REQUIRE(parent);
    const auto child = call::budget_create(quota(), *parent, right_parameters);
    REQUIRE(child && is_as_it_was(*child));
    const auto before = settled();
    for (const auto& [what, parameters] : wrong_parameters) {
        const auto made = call::budget_create(quota(), *parent, parameters);
        const auto configured = call::budget_configure(*child, parameters);
        const bool refused = error_of(made) == static_cast<std::int32_t>(bad_argument) && error_of(configured) == static_cast<std::int32_t>(bad_argument);
        if (!refused || !is_as_it_was(*child)) native::print("  ", what, " gives ", error_of(made), " and ", error_of(configured));
        CHECK(refused && is_as_it_was(*child));
    }
    CHECK(comes_true([&] { return !is_more(figures(), before); }));
    CHECK(call::handle_close(*child) && call::handle_close(*parent));
}

KERNEL_USER_TEST(every_wrong_map_operation_is_refused) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    const auto memory = call::memory_create(quota(), page, 0);
    REQUIRE(memory && native_poke(data_at, 5) == 0);
    const abi::MapOperation maps{abi::MapOperation::Kind::map, protection::read, 0x2000'0000, page, *memory, 0};
    const abi::MapOperation fresh{abi::MapOperation::Kind::map, read_write, 0x2000'0000, page, 0, 0};
    const abi::MapOperation protects{abi::MapOperation::Kind::protect, protection::read, data_at, page, 0, 0};
    const abi::MapOperation unmaps{abi::MapOperation::Kind::unmap, 0, data_at, page, 0, 0};
    for (const auto& row : wrong_operations) {
        // What is unmapped has no protection.
        const bool of_flags = std::string_view(row.what).find("flag") != std::string_view::npos;
        for (const auto& operation : {maps, fresh, protects, unmaps})
            if (!of_flags || operation.kind != abi::MapOperation::Kind::unmap) refuses(one.space, operation, row);
    }
    for (const auto& row : wrong_mappings) refuses(one.space, maps, row);
    state().operation_count = abi::map_operations + 1;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    state().operation_count = 0xffff'ffff;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    CHECK(state().operations_done == 0);
    state().operation_count = 0;
    CHECK(call::handle_close(*memory));
    one.close();
}

KERNEL_USER_TEST(wrong_vector_states_are_refused) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    NegativeWorld world;
    REQUIRE(world.make());
    alignas(64) static std::byte area[abi::page_size], after[abi::page_size];
    const auto used = call::vector_state(0, area);
    REQUIRE(used);
    const auto is_refused = [&](const std::byte* from, std::size_t length, abi::Error error) {
        const auto written = error_of(call::vector_state(1, std::span(const_cast<std::byte*>(from), length)));
        if (written != static_cast<std::int32_t>(error)) native::print("  ", length, " bytes at ", reinterpret_cast<std::uint64_t>(from), " give ", written);
        CHECK(written == static_cast<std::int32_t>(error));
        CHECK(call::vector_state(0, after) && std::memcmp(area, after, *used) == 0);
    };
    for (const std::size_t length : {std::size_t{0}, std::size_t{511}, *used + 1, std::size_t{abi::page_size}}) is_refused(area, length, bad_argument);
    is_refused(area, largest, bad_pointer); // longer than the half
    // A header in part, and one with a component that there is not: on processors that have a header.
    if (*used > 512) {
        is_refused(area, 513, bad_argument);
        alignas(64) static std::byte wrong[abi::page_size];
        std::memcpy(wrong, area, *used);
        wrong[512 + 7] = std::byte{0x80};
        is_refused(wrong, *used, bad_argument);
    }
    // Nothing, the end of what is there, the guest half, and the kernel.
    for (const auto* const from : {world.before_nothing(), world.before_nothing() - 8}) is_refused(from, 512, bad_pointer);
    for (const std::uint64_t address : {std::uint64_t{0}, data_at, std::uint64_t{0x8000'0000'0000}, std::uint64_t{0xffff'ffff'8000'0000}, largest - 7})
        is_refused(reinterpret_cast<const std::byte*>(address), 512, bad_pointer);
    world.drop();
    one.close();
}

KERNEL_USER_TEST(a_badge_is_taken_by_what_has_one_alone) {
    NegativeWorld world;
    REQUIRE(world.make());
    Seen before, after;
    world.look(before);
    unsigned took = 0, refused = 0;
    for (std::size_t number = 1; number < Seen::kinds; ++number) {
        const auto kind = static_cast<abi::ObjectKind>(number);
        const abi::Handle handle = world.of(kind);
        if (!handle) continue;
        const bool takes = kind == abi::ObjectKind::endpoint || kind == abi::ObjectKind::notification;
        ++(takes ? took : refused);
        for (const std::uint64_t badge : {std::uint64_t{1}, std::uint64_t{1} << 63, largest}) {
            const auto badged = call::handle_duplicate(handle, abi::right::duplicate, badge, 0);
            CHECK(error_of(badged) == (takes ? 0 : static_cast<std::int32_t>(bad_argument)));
            if (!badged) continue;
            for (const std::uint64_t other : {badge ^ 2, badge}) CHECK_ERROR(call::handle_duplicate(*badged, abi::right::duplicate, other, 0), bad_argument);
            CHECK(call::handle_close(*badged));
        }
    }
    CHECK(took == 2 && refused >= 10);
    world.look(after);
    CHECK(std::memcmp(&before, &after, sizeof(Seen)) == 0);
    world.drop();
}
