// Interrupts, ranges of devices and of ports, with no device but the machine's timers.
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using native::Owned;

namespace {

constexpr std::uint64_t message_signalled = UINT64_MAX;
constexpr std::uint64_t free_line = 21; // nothing of the test machine uses it
constexpr std::uint64_t timer_line = 2; // of the PIT, which the kernel leaves alone after its start
constexpr std::uint64_t timers = 0xfed0'0000; // of the HPET

Owned make_irq(std::uint64_t source = message_signalled) { return Owned(call::irq_create(native::granted("irq"), quota(), source, 0).value_or(0)); }
Owned make_notification() { return Owned(call::notification_create(quota()).value_or(0)); }

// The PIT interrupts once, in a millisecond.
void start_timer() {
    const abi::Handle ports = native::granted("io_port");
    CHECK(call::io_port_write(ports, 0x43, 1, 0x30));
    CHECK(call::io_port_write(ports, 0x40, 1, 1193 & 0xff));
    CHECK(call::io_port_write(ports, 0x40, 1, 1193 >> 8));
}

base::Result<abi::Handle> slice_ports(abi::Handle ports, std::uint32_t first, std::uint32_t count) { return call::io_port_slice(ports, quota(), first, count); }

} // namespace

KERNEL_USER_TEST(a_message_signalled_interrupt_has_an_address) {
    const Owned irq = make_irq();
    abi::IrqInfo info{};
    CHECK(call::irq_inspect(irq.get(), info));
    CHECK(info.message_address >> 20 == 0xfee && info.message_data == info.vector && info.vector >= 32 && info.count == 0);
}

KERNEL_USER_TEST(message_signalled_interrupts_have_vectors_of_their_own) {
    const Owned first = make_irq(), second = make_irq();
    abi::IrqInfo one{}, two{};
    CHECK(call::irq_inspect(first.get(), one) && call::irq_inspect(second.get(), two));
    CHECK(one.vector != two.vector);
}

KERNEL_USER_TEST(a_line_is_taken_once_and_given_back) {
    Owned irq = make_irq(free_line);
    REQUIRE(irq);
    CHECK_ERROR(call::irq_create(native::granted("irq"), quota(), free_line, 0), exists);
    irq.reset();
    CHECK(make_irq(free_line));
}

KERNEL_USER_TEST(an_interrupt_line_past_the_last_is_refused) {
    CHECK_ERROR(call::irq_create(native::granted("irq"), quota(), 256, 0), bad_argument);
    CHECK_ERROR(call::irq_create(native::granted("irq"), quota(), message_signalled - 1, 0), bad_argument);
}

KERNEL_USER_TEST(undefined_flags_of_an_interrupt_are_refused) { CHECK_ERROR(call::irq_create(native::granted("irq"), quota(), free_line, 4), bad_argument); }

KERNEL_USER_TEST(interrupts_come_from_the_root_alone) {
    const Owned irq = make_irq();
    const auto again = call::irq_create(irq.get(), quota(), message_signalled, 0);
    CHECK(!again && (again.error() == abi::Error::missing_right || again.error() == abi::Error::bad_argument));
}

KERNEL_USER_TEST(an_interrupt_is_bound_once) {
    const Owned irq = make_irq(), bell = make_notification();
    CHECK(call::irq_bind(irq.get(), bell.get(), 1));
    CHECK_ERROR(call::irq_bind(irq.get(), bell.get(), 1), bad_state);
    // The right to bind is of several kinds.
    const Owned port(call::port_create(quota()).value_or(0));
    CHECK_ERROR(call::port_bind(port.get(), irq.get(), 1), wrong_kind);
}

KERNEL_USER_TEST(an_interrupt_without_bits_is_not_bound) {
    const Owned irq = make_irq(), bell = make_notification();
    CHECK_ERROR(call::irq_bind(irq.get(), bell.get(), 0), bad_state);
    CHECK(call::irq_bind(irq.get(), bell.get(), 1));
}

KERNEL_USER_TEST(the_root_interrupt_is_not_bound) {
    const Owned bell = make_notification();
    CHECK_ERROR(call::irq_bind(native::granted("irq"), bell.get(), 1), bad_state);
}

KERNEL_USER_TEST(an_unbound_interrupt_is_not_acknowledged) {
    const Owned irq = make_irq();
    CHECK_ERROR(call::irq_acknowledge(irq.get()), bad_state);
}

KERNEL_USER_TEST(revocation_frees_an_interrupt_for_another_bind) {
    const Owned lease(call::lease_create(quota(), 0).value_or(0)), irq = make_irq(), bell = make_notification();
    const Owned leased(native::duplicate(irq.get(), 0, 0, lease.get()).value_or(0));
    REQUIRE(leased);
    CHECK(call::irq_bind(leased.get(), bell.get(), 1));
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::irq_acknowledge(leased.get()), revoked);
    CHECK_ERROR(call::irq_acknowledge(irq.get()), bad_state);
    CHECK(call::irq_bind(irq.get(), bell.get(), 1));
}

KERNEL_USER_TEST(a_range_of_ports_covers_no_other) {
    const Owned few(slice_ports(native::granted("io_port"), 0x80, 2).value_or(0));
    REQUIRE(few);
    CHECK(call::io_port_read(few.get(), 0x80, 1));
    CHECK_ERROR(call::io_port_read(few.get(), 0x7f, 1), bad_argument);
    CHECK_ERROR(call::io_port_read(few.get(), 0x82, 1), bad_argument);
}

KERNEL_USER_TEST(an_access_does_not_reach_over_a_range_of_ports) {
    const Owned few(slice_ports(native::granted("io_port"), 0x80, 2).value_or(0));
    CHECK(call::io_port_read(few.get(), 0x80, 2));
    CHECK_ERROR(call::io_port_read(few.get(), 0x81, 2), bad_argument);
    CHECK_ERROR(call::io_port_read(few.get(), 0x80, 4), bad_argument);
}

KERNEL_USER_TEST(ports_are_read_in_one_two_or_four_bytes) {
    for (const std::uint32_t width : {0u, 3u, 5u, 8u, 0xffff'ffffu}) CHECK_ERROR(call::io_port_read(native::granted("io_port"), 0x80, width), bad_argument);
}

KERNEL_USER_TEST(a_port_past_the_last_is_refused) {
    CHECK_ERROR(call::io_port_read(native::granted("io_port"), 0x1'0000, 1), bad_argument);
    CHECK_ERROR(call::io_port_read(native::granted("io_port"), 0xffff, 2), bad_argument);
}

KERNEL_USER_TEST(a_slice_of_ports_stays_within) {
    const Owned few(slice_ports(native::granted("io_port"), 0x80, 4).value_or(0));
    CHECK_ERROR(slice_ports(few.get(), 0x7f, 1), bad_argument);
    CHECK_ERROR(slice_ports(few.get(), 0x80, 5), bad_argument);
    CHECK_ERROR(slice_ports(few.get(), 0x80, 0), bad_argument);
    CHECK_ERROR(slice_ports(few.get(), 0x83, 0xffff'ffff), bad_argument);
    CHECK(Owned(slice_ports(few.get(), 0x83, 1).value_or(0)));
}

KERNEL_USER_TEST(a_slice_has_no_more_rights_than_its_ports) {
    const Owned read_only(native::duplicate(native::granted("io_port"), right::read | right::duplicate).value_or(0));
    const Owned slice(slice_ports(read_only.get(), 0x80, 1).value_or(0));
    REQUIRE(slice);
    CHECK_ERROR(call::io_port_write(slice.get(), 0x80, 1, 0), missing_right);
}

KERNEL_USER_TEST(a_device_range_is_of_whole_pages) {
    const abi::Handle device = native::granted("device");
    CHECK_ERROR(call::device_slice(device, quota(), 0xfed0'0001, abi::page_size), bad_argument);
    CHECK_ERROR(call::device_slice(device, quota(), 0xfed0'0000, abi::page_size + 1), bad_argument);
    CHECK_ERROR(call::device_slice(device, quota(), 0xfed0'0000, 0), bad_argument);
}

KERNEL_USER_TEST(a_device_range_does_not_wrap) {
    CHECK_ERROR(call::device_slice(native::granted("device"), quota(), 0xfed0'0000, 0 - abi::page_size), bad_argument);
    CHECK_ERROR(call::device_slice(native::granted("device"), quota(), 0 - abi::page_size, 2 * abi::page_size), bad_argument);
}

// None of it: what the kernel keeps about each frame is at the begin, and below the first MiB what other processors start with. As the emulator lays it out, without reserved ranges.
KERNEL_USER_TEST(memory_is_no_device) {
    unsigned given = 0;
    for (std::uint64_t at = abi::page_size; at < 512 << 20; at += abi::page_size) {
        if (at >= 0x9f000 && at < 1 << 20) continue;
        const auto slice = call::device_slice(native::granted("device"), quota(), at, abi::page_size);
        if (!slice) continue;
        CHECK(call::handle_close(*slice));
        if (given++ == 0) native::print("  ", at, " is a device");
    }
    CHECK(given == 0);
}

KERNEL_USER_TEST(a_device_is_mapped_readable_and_never_executable) {
    const Owned slice(call::device_slice(native::granted("device"), quota(), 0xfed0'0000, abi::page_size).value_or(0));
    REQUIRE(slice);
    for (const abi::Protection bad : {abi::protection::none, abi::protection::write, abi::protection::read | abi::protection::execute, 8u})
        CHECK_ERROR(call::device_map(slice.get(), abi::heap_base + (1ull << 37), bad), bad_argument);
}

KERNEL_USER_TEST(a_read_only_device_is_not_mapped_writable) {
    const Owned slice(call::device_slice(native::granted("device"), quota(), 0xfed0'0000, abi::page_size).value_or(0));
    const Owned read_only(native::duplicate(slice.get(), right::read).value_or(0));
    REQUIRE(read_only);
    CHECK_ERROR(call::device_map(read_only.get(), abi::heap_base + (1ull << 37), abi::protection::read | abi::protection::write), missing_right);
}

KERNEL_USER_TEST(a_line_that_fires_is_masked_until_it_is_acknowledged) {
    const Owned irq = make_irq(timer_line), bell = make_notification();
    REQUIRE(irq);
    start_timer(); // before there is a binding nobody hears of it
    CHECK(call::irq_bind(irq.get(), bell.get(), 4));
    for (int i = 0; i < 2; ++i) {
        CHECK(i == 0 || call::irq_acknowledge(irq.get()));
        start_timer();
        CHECK(call::notification_wait(bell.get(), abi::never).value_or(0) == 4);
    }
    abi::IrqInfo info{};
    CHECK(call::irq_inspect(irq.get(), info) && info.count >= 2 && info.message_address == 0);
}

KERNEL_USER_TEST(an_interrupt_signals_nobody_whose_lease_is_gone) {
    const Owned irq = make_irq(timer_line), bell = make_notification(), lease(call::lease_create(quota(), 0).value_or(0));
    const Owned leased(native::duplicate(bell.get(), 0, 0, lease.get()).value_or(0));
    REQUIRE(irq && leased && call::irq_bind(irq.get(), leased.get(), 4) && call::lease_revoke(lease.get()));
    start_timer();
    abi::IrqInfo info{};
    while (call::irq_inspect(irq.get(), info) && info.count == 0) (void)call::thread_yield();
    CHECK_ERROR(call::notification_wait(bell.get(), abi::poll), would_block);
}

KERNEL_USER_TEST(a_line_that_the_machine_has_not_is_refused_and_not_kept) {
    for (int i = 0; i < 2; ++i) CHECK_ERROR(call::irq_create(native::granted("irq"), quota(), 255, 3), bad_argument);
}

KERNEL_USER_TEST(a_revoked_lease_binds_no_interrupt) {
    const Owned lease(call::lease_create(quota(), 0).value_or(0)), irq = make_irq(free_line), bell = make_notification();
    const Owned leased(native::duplicate(irq.get(), 0, 0, lease.get()).value_or(0));
    REQUIRE(leased && call::irq_bind(leased.get(), bell.get(), 1));
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::irq_bind(leased.get(), bell.get(), 1), revoked);
    CHECK(call::irq_bind(irq.get(), bell.get(), 1));
}

KERNEL_USER_TEST(interrupts_end_before_their_vectors_do) {
    // Each takes one: the last is refused, and all come back.
    for (int round = 0; round < 2; ++round) {
        Owned irqs[256];
        unsigned count = 0;
        while (count < std::size(irqs) && (irqs[count] = make_irq())) ++count;
        CHECK(count > 16 && count < std::size(irqs));
        CHECK_ERROR(call::irq_create(native::granted("irq"), quota(), message_signalled, 0), no_memory);
    }
}

KERNEL_USER_TEST(a_device_is_mapped_where_nothing_is) {
    const std::uint64_t at = native::reserve_range(4 * abi::page_size).value_or(0);
    const Owned lease(call::lease_create(quota(), 0).value_or(0));
    const Owned slice(call::device_slice(native::granted("device"), quota(), timers, abi::page_size).value_or(0));
    const Owned leased(native::duplicate(slice.get(), 0, 0, lease.get()).value_or(0));
    REQUIRE(at && leased);
    constexpr abi::Protection read_write = abi::protection::read | abi::protection::write;
    CHECK_ERROR(call::device_map(slice.get(), at + 1, read_write), bad_argument);
    CHECK_ERROR(call::device_map(slice.get(), 0x1000, read_write), bad_argument);
    CHECK(call::device_map(slice.get(), at, read_write));
    CHECK(call::device_map(leased.get(), at + abi::page_size, abi::protection::read));
    CHECK_ERROR(call::device_map(slice.get(), at + abi::page_size, read_write), exists);
    // The identity of the block of timers is the same wherever it is read.
    const auto identity = [&](unsigned page) { return *reinterpret_cast<const volatile std::uint32_t*>(at + page * abi::page_size); };
    CHECK(identity(0) != 0 && identity(0) == identity(1));
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::device_map(leased.get(), at + 2 * abi::page_size, abi::protection::read), revoked);
    CHECK(call::space_map(space(), 0, at + abi::page_size, 0, abi::page_size, read_write));
    CHECK(call::space_unmap(space(), at, 4 * abi::page_size));
    native::release_range(at, 4 * abi::page_size);
}

KERNEL_USER_TEST(a_slice_of_a_device_stays_within) {
    const Owned slice(call::device_slice(native::granted("device"), quota(), timers, 2 * abi::page_size).value_or(0));
    REQUIRE(slice);
    CHECK_ERROR(call::device_slice(slice.get(), quota(), timers - abi::page_size, abi::page_size), bad_argument);
    CHECK_ERROR(call::device_slice(slice.get(), quota(), timers + 3 * abi::page_size, abi::page_size), bad_argument);
    CHECK_ERROR(call::device_slice(slice.get(), quota(), timers + abi::page_size, 2 * abi::page_size), bad_argument);
    CHECK(Owned(call::device_slice(slice.get(), quota(), timers + abi::page_size, abi::page_size).value_or(0)));
}

KERNEL_USER_TEST(ports_are_written_within_their_range) {
    const Owned few(slice_ports(native::granted("io_port"), 0x80, 4).value_or(0));
    REQUIRE(few);
    for (const std::uint32_t width : {1u, 2u, 4u}) {
        CHECK(call::io_port_write(few.get(), 0x80, width, 0));
        CHECK(call::io_port_read(few.get(), 0x80, width));
        CHECK_ERROR(call::io_port_write(few.get(), 0x84, width, 0), bad_argument);
    }
    CHECK_ERROR(call::io_port_write(few.get(), 0x80, 3, 0), bad_argument);
}

KERNEL_USER_TEST(what_the_log_takes_is_read_again) {
    const abi::Handle log = native::granted("log");
    char text[1025] = {};
    CHECK_ERROR(call::log_write(log, std::as_bytes(std::span(text))), too_large);
    std::byte all[4096];
    std::uint64_t position = 0;
    const auto part = [&] { return call::log_read(log, position, std::span(all)).value_or(0); };
    for (auto length = part(); length != 0; length = part()) position += length;
    const std::string_view written = "log \x1b[2J \x7f \xc3\xa9\n", shown = "log ?[2J ? \xc3\xa9\n";
    CHECK(call::log_write(log, std::as_bytes(std::span(written))));
    CHECK(part() == shown.size() && std::string_view(reinterpret_cast<const char*>(all), shown.size()) == shown);
    CHECK_ERROR(call::log_read(log, position, std::span(reinterpret_cast<std::byte*>(0x1000), 16)), bad_pointer);
}
