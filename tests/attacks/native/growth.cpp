// Rights and ranges that grow: by any two ways of making one capability from another, and by numbers that wrap.
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;

// Hands back what it is sent, with all rights that a message can ask for.
struct Mirror {
    native::Owned endpoint{call::endpoint_create(quota()).value_or(0)};
    abi::Rights asked = 0;

    static void run(void* argument) {
        const auto& self = *static_cast<Mirror*>(argument);
        for (;;) {
            native::Message message{};
            const auto incoming = native::receive(self.endpoint.get(), message);
            if (!incoming || abi::tag_message(message.tag) == 0) {
                if (incoming) (void)native::answer(incoming->reply, message);
                return;
            }
            const native::Owned carried(message.handles[0]);
            message.handle_rights[0] = self.asked;
            (void)native::answer(incoming->reply, message);
        }
    }
    abi::Handle send(abi::Handle handle, abi::Rights rights) {
        asked = rights;
        native::Message message{};
        message.tag = abi::make_tag(1, 1, 1);
        message.handles[0] = handle;
        message.handle_rights[0] = rights;
        if (!native::send_call(endpoint.get(), message) || abi::tag_handles(message.tag) != 1) return abi::no_handle;
        return message.handles[0];
    }
};

// The ways from one capability to the next; no_handle where the way is refused.
enum class Way : unsigned { duplicate, lease, grant, message, slice, count };

abi::Handle derive(Mirror& mirror, Way way, abi::Handle from, abi::Rights rights) {
    switch (way) {
    case Way::duplicate: return call::handle_duplicate(from, rights, 0, 0).value_or(0);
    case Way::lease: {
        const native::Owned lease(call::lease_create(quota(), 0).value_or(0));
        return call::handle_duplicate(from, rights, 0, lease.get()).value_or(0);
    }
    case Way::grant: return call::process_grant(native::self().process, from, rights, 0).value_or(0);
    case Way::message: return mirror.send(from, rights);
    case Way::slice:
        if (const auto slice = call::memory_slice(quota(), from, 0, page)) return *slice;
        return call::io_port_slice(from, quota(), 0x3f8, 8).value_or(0);
    case Way::count: break;
    }
    return abi::no_handle;
}

struct Growth {
    Mirror& mirror;
    std::uint64_t made = 0, grown = 0;

    // Whether `handle` has the right that was taken from what it comes from. A right to look at it may be the one.
    void look_at(abi::Handle handle, abi::Rights taken) {
        abi::HandleInfo info{};
        if (!call::handle_inspect(handle, info)) return;
        ++made;
        grown += (info.rights & taken) != 0;
    }
    void attack(abi::Handle all, abi::Rights taken) {
        abi::HandleInfo whole{};
        if (!call::handle_inspect(all, whole) || (whole.rights & taken) == 0) return;
        const native::Owned weak(call::handle_duplicate(all, whole.rights & ~taken, 0, 0).value_or(0));
        for (unsigned first = 0; first < static_cast<unsigned>(Way::count); ++first)
            for (const abi::Rights wanted : {abi::Rights{0}, whole.rights, whole.rights & ~taken}) {
                const native::Owned one(derive(mirror, static_cast<Way>(first), weak.get(), wanted));
                if (!one) continue;
                look_at(one.get(), taken);
                for (unsigned second = 0; second < static_cast<unsigned>(Way::count); ++second)
                    for (const abi::Rights then : {abi::Rights{0}, whole.rights, taken}) {
                        const native::Owned two(derive(mirror, static_cast<Way>(second), one.get(), then));
                        if (two) look_at(two.get(), taken);
                    }
            }
    }
};

} // namespace

KERNEL_USER_TEST(no_two_operations_give_back_a_right) {
    Mirror mirror;
    native::Thread* const thread = native::Thread::create(Mirror::run, &mirror).value_or(nullptr);
    REQUIRE(thread);
    const native::Owned memory(call::memory_create(quota(), page, 0).value_or(0)), bell(call::notification_create(quota()).value_or(0));
    const native::Owned endpoint(call::endpoint_create(quota()).value_or(0)), process(call::process_create(quota(), budget()).value_or(0));
    const native::Owned ports(call::io_port_slice(native::granted("io_port"), quota(), 0x3f8, 8).value_or(0));
    REQUIRE(call::memory_seal(memory.get()));
    Growth growth{mirror};
    for (const abi::Handle object : {memory.get(), bell.get(), endpoint.get(), process.get(), ports.get()})
        for (abi::Rights taken = 1; taken <= right::all; taken <<= 1) growth.attack(object, taken);
    native::print("derived ", growth.made);
    CHECK(growth.grown == 0);
    CHECK(growth.made > 1000);
    native::Message end{};
    CHECK(native::send_call(mirror.endpoint.get(), end));
    thread->join();
}

// A driver that has the ports of one device.
KERNEL_USER_TEST(a_range_of_ports_does_not_grow_by_a_wrap) {
    constexpr std::uint32_t first = 0x3f8, count = 8, configuration = 0xcf8;
    const native::Owned own(call::io_port_slice(native::granted("io_port"), quota(), first, count).value_or(0));
    REQUIRE(own);
    std::uint64_t reached = 0;
    for (std::uint32_t begin = first; begin < first + count; ++begin)
        for (const std::uint32_t length : {0u - begin, 0u - begin + first, 0u - begin + first + count, 0u - 1, 0x8000'0000u, 0xffff'0000u, 0x1'0000u}) {
            const native::Owned slice(call::io_port_slice(own.get(), quota(), begin, length).value_or(0));
            reached += slice && call::io_port_read(slice.get(), configuration, 4);
        }
    for (const std::uint32_t port : {configuration, 0u, first - 1, first + count, 0x1'0000u + first, ~0u})
        for (const std::uint32_t width : {1u, 2u, 4u, 8u, ~0u}) reached += call::io_port_read(own.get(), port, width).has_value();
    CHECK(reached == 0);
}

// Sizes, offsets and lengths whose sums wrap.
KERNEL_USER_TEST(no_sum_that_wraps_is_taken) {
    const native::Owned memory(call::memory_create(quota(), 2 * page, 0).value_or(0)), bell(call::notification_create(quota()).value_or(0));
    const std::uint64_t at = native::reserve_range(4 * page).value_or(0);
    REQUIRE(memory && at);
    alignas(8) std::byte room[64]{};
    const std::span bytes(room);
    for (const std::uint64_t off : {2 * page - 8, 2 * page + 1, 0 - std::uint64_t{8}, 0 - page, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        CHECK(!call::memory_read(memory.get(), off, bytes));
        CHECK(!call::memory_write(memory.get(), off, bytes));
        const std::uint64_t whole = off & ~(page - 1);
        CHECK(!call::space_map(space(), memory.get(), at, whole, 3 * page, protection::read));
        CHECK(!call::space_map(space(), memory.get(), at, whole, 0 - whole + page, protection::read));
        CHECK(!call::space_map(space(), memory.get(), whole | 1ull << 63, 0, 0 - (whole | 1ull << 63) + page, protection::read));
        CHECK(!call::space_unmap(space(), at, 0 - at + page) && !call::space_unmap(space(), 0 - page, 2 * page));
        CHECK(!call::space_move(space(), at, 0 - page, 2 * page));
        CHECK(!call::memory_resize(memory.get(), 0 - (off & (page - 1)) - 1));
        CHECK(!call::memory_create(quota(), ~std::uint64_t{0} - (off & (page - 1)), 0));
    }
    // The last deadlines that there are do not lie in the past.
    for (const abi::Deadline deadline : {abi::never, abi::never - 1, abi::never / 2}) {
        abi::Handle rung = bell.get();
        native::Thread* const waker = native::Thread::create([](void* handle) { (void)call::notification_signal(*static_cast<abi::Handle*>(handle), 1); }, &rung).value_or(nullptr);
        REQUIRE(waker);
        CHECK(call::notification_wait(bell.get(), deadline));
        waker->join();
    }
    native::release_range(at, 4 * page);
}
