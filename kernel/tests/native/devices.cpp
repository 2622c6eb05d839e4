// Interrupts, ranges of devices and of ports, without a device.
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using native::Owned;

namespace {

constexpr std::uint64_t message_signalled = UINT64_MAX;
constexpr std::uint64_t free_line = 21; // nothing of the test machine uses it

Owned make_irq(std::uint64_t source = message_signalled) { return Owned(call::irq_create(native::granted("irq"), quota(), source, 0).value_or(0)); }
Owned make_notification() { return Owned(call::notification_create(quota()).value_or(0)); }
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

KERNEL_USER_TEST(memory_is_no_device) { CHECK_ERROR(call::device_slice(native::granted("device"), quota(), 16 << 20, abi::page_size), bad_argument); }

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
