// Every argument of every call, wrong in every way that its type allows, with all arguments before it right: the call must refuse with the error the interface names.
#include <algorithm>

#include "abi/info.hpp"
#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"

#include "tests/kernel_negative.inc"

using namespace kernel_test;
namespace call = native::call;

namespace {

constexpr abi::Handle invented = 0x7777'0000'0003;
constexpr std::uint64_t bad_addresses[] = {
    0,
    0x1000,                   // the guest half
    0x7fff'ffff'f000,         // its end
    0x8000'0000'0000,         // not canonical
    0xffff'7fff'ffff'fff8,    // not canonical either
    0xffff'a000'0000'0000,    // the kernel's direct map
    0xffff'ffff'8000'0000,    // the kernel
    0xffff'ffff'ffff'fff8,    // wraps around
    0xffff'807f'ffff'f000,    // the personality half, nothing mapped
};
constexpr std::uint64_t buffer_length = 64;

alignas(16) std::byte room[4096];
abi::Handle kinds[static_cast<std::size_t>(abi::ObjectKind::count)];

abi::Handle& of(abi::ObjectKind kind) { return kinds[static_cast<std::size_t>(kind == abi::ObjectKind::none ? abi::ObjectKind::memory : kind)]; }

// One object of each kind; those that only the system can make come from the start.
bool make_objects() {
    using enum abi::ObjectKind;
    of(quota) = ::quota();
    of(budget) = ::budget();
    of(process) = native::self().process;
    of(lease) = call::lease_create(::quota(), 0).value_or(0);
    of(thread) = call::thread_create(native::self().process, ::budget()).value_or(0);
    of(abi::ObjectKind::space) = call::space_create(::quota(), 0).value_or(0);
    of(memory) = call::memory_create(::quota(), abi::page_size, 0).value_or(0);
    of(endpoint) = call::endpoint_create(::quota()).value_or(0);
    of(notification) = call::notification_create(::quota()).value_or(0);
    of(port) = call::port_create(::quota()).value_or(0);
    of(irq) = native::granted("irq");
    of(io_space) = native::granted("io_space");
    of(io_port) = native::granted("io_port");
    of(device) = native::granted("device");
    of(audit_log) = native::granted("log");
    for (const auto kind : {quota, budget, process, lease, thread, abi::ObjectKind::space, memory, endpoint, notification, port, irq, io_space, io_port, device, audit_log})
        if (of(kind) == 0) return false;
    return true;
}

void drop_objects() {
    using enum abi::ObjectKind;
    (void)call::thread_control(of(thread), 1);
    for (const auto kind : {lease, thread, abi::ObjectKind::space, memory, endpoint, notification, port}) (void)call::handle_close(of(kind));
}

std::uint64_t right_value(const negative::Argument& argument) {
    switch (argument.type) {
    case negative::ArgumentType::handle: return of(argument.kind);
    case negative::ArgumentType::optional_handle: return 0;
    case negative::ArgumentType::pointer:
    case negative::ArgumentType::buffer: return reinterpret_cast<std::uint64_t>(room);
    case negative::ArgumentType::length: return buffer_length;
    case negative::ArgumentType::value:
    case negative::ArgumentType::deadline: return 0;
    }
    return 0;
}

const negative::Call* find(std::uint32_t number) {
    for (const auto& entry : negative::calls)
        if (entry.number == number) return &entry;
    return nullptr;
}

void expect(const negative::Call& tested, unsigned index, std::uint64_t value, abi::Error error) {
    std::uint64_t words[6] = {};
    for (unsigned i = 0; i < tested.count; ++i) words[i] = i == index ? value : right_value(tested.arguments[i]);
    const auto result = call::raw(static_cast<abi::KernelCall>(tested.number), words[0], words[1], words[2], words[3], words[4], words[5]);
    if (result.status != -static_cast<std::int64_t>(error)) {
        native::print("  ", std::string_view(tested.name), " argument ", index, " value ", value, " gives ", result.status);
        fail("a wrong argument is refused with its error", __FILE__, __LINE__);
    }
}

void refuse_all() {
    for (const auto& test : negative::tests) {
        const negative::Call* tested = find(test.number);
        REQUIRE(tested != nullptr && test.index < tested->count);
        const negative::Argument& argument = tested->arguments[test.index];
        switch (test.fault) {
        case negative::Fault::bad_handle:
            expect(*tested, test.index, invented, test.expected);
            break;
        case negative::Fault::closed_handle: {
            const auto closed = call::handle_duplicate(of(argument.kind), 0, 0, 0);
            REQUIRE(closed && call::handle_close(*closed));
            expect(*tested, test.index, *closed, test.expected);
            break;
        }
        case negative::Fault::too_wide:
            for (const std::uint64_t value : {std::uint64_t{1} << 32, (std::uint64_t{1} << 63) + 1, ~std::uint64_t{0}}) expect(*tested, test.index, value, test.expected);
            break;
        case negative::Fault::wrong_kind:
            for (const auto kind : {abi::ObjectKind::memory, abi::ObjectKind::notification})
                if (kind != argument.kind) expect(*tested, test.index, of(kind), test.expected);
            break;
        case negative::Fault::missing_right:
            for (abi::Rights right = 1; right <= abi::right::all; right <<= 1) {
                if ((argument.rights & right) == 0) continue;
                abi::HandleInfo info{};
                REQUIRE(call::handle_inspect(of(argument.kind), info));
                const auto weaker = call::handle_duplicate(of(argument.kind), info.rights & ~right, 0, 0);
                REQUIRE(weaker);
                expect(*tested, test.index, *weaker, test.expected);
                (void)call::handle_close(*weaker);
            }
            break;
        case negative::Fault::bad_pointer:
            for (const std::uint64_t address : bad_addresses) expect(*tested, test.index, address, test.expected);
            break;
        }
    }
}

} // namespace

KERNEL_USER_TEST(every_wrong_argument_is_refused) {
    REQUIRE(make_objects());
    abi::ProcessInfo own{};
    // What the first calls of their kind cost once, here and in the kernel.
    refuse_all();
    REQUIRE(call::process_inspect(native::self().process, own));
    const auto before = figures();
    refuse_all();
    // What is refused makes nothing and takes nothing.
    const auto handles = own.handles;
    CHECK(call::process_inspect(native::self().process, own) && own.handles == handles);
    CHECK(comes_true([&] { return !is_more(figures(), before); }));
    drop_objects();
}
