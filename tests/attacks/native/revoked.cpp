// What was given under a lease and is in use when that is revoked: a page, a call, its Reply, an interrupt, and memory that a device writes to.
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"
#include "tests/attacks/native/cell.hpp"

#include <atomic>

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;
namespace right = abi::right;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t page_fault = 14;
constexpr std::uint64_t patience = 2000; // milliseconds until what should have happened is given up

native::Owned make_lease() { return native::Owned(call::lease_create(quota(), 0).value_or(0)); }
native::Owned under(abi::Handle handle, const native::Owned& lease) { return native::Owned(native::duplicate(handle, 0, 0, lease.get()).value_or(0)); }
native::Owned make_bell() { return native::Owned(call::notification_create(quota()).value_or(0)); }

void let_time_pass(std::uint64_t milliseconds) {
    const native::Owned bell = make_bell();
    (void)call::notification_wait(bell.get(), native::after_milliseconds(milliseconds));
}

// --- a page
constexpr std::uint64_t taken_at = abi::heap_base + (1ull << 38);

// Counts in memory that it maps by a leased handle, and never looks up. given: its own, then the Memory.
std::uint64_t count_for_ever(std::uint64_t) {
    if (!call::space_map(given(1), given(given_itself), taken_at, 0, page, protection::read | protection::write)) return 1;
    for (auto* const count = reinterpret_cast<volatile std::uint64_t*>(taken_at);;) *count = *count + 1;
}

// --- a call
constexpr std::uint64_t forged = 0xbad, honest = 0x600d;

struct Caller {
    abi::Handle leased = 0;
    abi::Handle other = 0;
    std::atomic<bool> revoked = false;
    bool second_answered = false;
    std::uint64_t second_word = 0;

    static void run(void* argument) {
        auto& self = *static_cast<Caller*>(argument);
        native::Message message{};
        message.tag = abi::make_tag(1, 1, 0);
        self.revoked = error_of(native::send_call(self.leased, message)) == static_cast<std::int32_t>(abi::Error::revoked);
        message = {};
        message.tag = abi::make_tag(2, 1, 0);
        self.second_answered = native::send_call(self.other, message).has_value();
        self.second_word = message.words[0];
    }
};

native::Message answer_of(std::uint64_t word) {
    native::Message message{};
    message.tag = abi::make_tag(0, 1, 0);
    message.words[0] = word;
    return message;
}

// Both endpoints, a caller, and the Reply of its first call, which was revoked after the server had taken it.
struct RevokedCall {
    native::Owned first{call::endpoint_create(quota()).value_or(0)}, second{call::endpoint_create(quota()).value_or(0)};
    native::Owned lease = make_lease();
    native::Owned leased = under(first.get(), lease);
    Caller caller;
    native::Thread* thread = nullptr;
    abi::Handle reply = abi::no_handle;

    bool begin() {
        caller.leased = leased.get();
        caller.other = second.get();
        thread = native::Thread::create(Caller::run, &caller).value_or(nullptr);
        native::Message message{};
        const auto incoming = native::receive(first.get(), message, native::after_milliseconds(patience));
        if (!thread || !incoming) return false;
        reply = incoming->reply;
        return call::lease_revoke(lease.get()).has_value();
    }
};

// --- the clock's interrupt (MC146818)
constexpr std::uint32_t clock_index = 0x70, clock_data = 0x71;
constexpr std::uint64_t clock_line = 8;
constexpr std::uint32_t register_b = 11, register_c = 12, periodic = 0x40;

std::uint32_t read_clock(std::uint32_t index) {
    (void)call::io_port_write(native::granted("io_port"), clock_index, 1, index);
    return static_cast<std::uint32_t>(call::io_port_read(native::granted("io_port"), clock_data, 1).value_or(0));
}
void write_clock(std::uint32_t index, std::uint32_t value) {
    (void)call::io_port_write(native::granted("io_port"), clock_index, 1, index);
    (void)call::io_port_write(native::granted("io_port"), clock_data, 1, value);
}

// --- a device that copies (QEMU's edu)
class CopyingDevice {
public:
    // Whether there is one. Maps its registers and lets it reach memory.
    bool find() {
        for (std::uint32_t device = 0; device < 32; ++device) {
            config_ = 0x8000'0000 | device << 11;
            if (config(0) != 0x11e8'1234) continue;
            const std::uint64_t base = config(0x10) & ~0xfu;
            set_config(4, config(4) | 6);
            const native::Owned slice(call::device_slice(native::granted("device"), quota(), base, size).value_or(0));
            at_ = native::reserve_range(size).value_or(0);
            return base != 0 && at_ != 0 && call::device_map(slice.get(), at_, protection::read | protection::write);
        }
        return false;
    }
    void start(std::uint64_t from, std::uint64_t to, std::uint64_t command) {
        put(0x80, from);
        put(0x88, to);
        put(0x90, page / 2);
        put(0x98, command | 1);
    }
    bool wait() const {
        for (const std::uint64_t end = native::after_milliseconds(10 * patience); native::monotonic_nanoseconds() < end; let_time_pass(1))
            if ((*reinterpret_cast<const volatile std::uint64_t*>(at_ + 0x98) & 1) == 0) return true;
        return false;
    }
    static constexpr std::uint64_t own_buffer = 0x40000;
    static constexpr std::uint64_t into_memory = 2;

private:
    static constexpr std::uint64_t size = 1 << 20;
    std::uint32_t config(std::uint32_t offset) const {
        (void)call::io_port_write(native::granted("io_port"), 0xcf8, 4, config_ | offset);
        return static_cast<std::uint32_t>(call::io_port_read(native::granted("io_port"), 0xcfc, 4).value_or(0));
    }
    void set_config(std::uint32_t offset, std::uint32_t value) const {
        (void)call::io_port_write(native::granted("io_port"), 0xcf8, 4, config_ | offset);
        (void)call::io_port_write(native::granted("io_port"), 0xcfc, 4, value);
    }
    void put(std::uint64_t offset, std::uint64_t value) const { *reinterpret_cast<volatile std::uint64_t*>(at_ + offset) = value; }

    std::uint32_t config_ = 0;
    std::uint64_t at_ = 0;
};

constexpr std::size_t page_words = page / sizeof(std::uint64_t);
alignas(64) constinit std::uint64_t one_page[page_words];

native::Owned page_of(std::uint64_t word, std::uint32_t flags) {
    native::Owned memory(call::memory_create(quota(), page, flags).value_or(0));
    for (std::uint64_t& each : one_page) each = word;
    if (!memory || !call::memory_write(memory.get(), 0, std::as_bytes(std::span(one_page)))) return {};
    return memory;
}

std::uint64_t words_but(const native::Owned& memory, std::uint64_t word) {
    if (!call::memory_read(memory.get(), 0, std::as_writable_bytes(std::span(one_page)))) return page_words;
    std::uint64_t count = 0;
    for (const std::uint64_t each : one_page) count += each != word;
    return count;
}

} // namespace

KERNEL_USER_TEST(a_revoked_page_is_written_by_nobody) {
    const std::uint64_t at = native::reserve_range(page).value_or(0);
    REQUIRE(at);
    for (unsigned round = 0; round < 10; ++round) {
        const native::Owned lease = make_lease(), memory(call::memory_create(quota(), page, 0).value_or(0));
        const native::Owned leased = under(memory.get(), lease);
        auto cell = Cell::create(quota());
        REQUIRE(cell && cell->give_itself() && cell->give(leased.get()));
        REQUIRE(call::space_map(space(), memory.get(), at, 0, page, protection::read));
        const auto* const count = reinterpret_cast<const volatile std::uint64_t*>(at);
        REQUIRE(cell->start(count_for_ever, 0));
        while (*count < 1000) (void)call::thread_yield();
        CHECK(call::lease_revoke(lease.get()));
        const std::uint64_t seen = *count;
        let_time_pass(3);
        CHECK(*count == seen);
        const auto end = cell->wait(native::after_milliseconds(patience));
        CHECK(end && end->reason == abi::EndReason::fault && end->status == page_fault && end->fault_address == taken_at);
        CHECK(call::space_unmap(space(), at, page));
        if (!end) break;
    }
    native::release_range(at, page);
}

// Several times: one that has not begun to wait yet finds out by itself.
KERNEL_USER_TEST(a_revoked_call_ends_where_its_server_does_not_answer) {
    bool revoked = true;
    for (unsigned round = 0; revoked && round < 8; ++round) {
        RevokedCall attack;
        REQUIRE(attack.begin());
        const std::uint64_t end = native::after_milliseconds(patience);
        while (!attack.caller.revoked && native::monotonic_nanoseconds() < end) (void)call::thread_yield();
        revoked = attack.caller.revoked;
        CHECK(revoked);
        (void)native::answer(attack.reply, answer_of(forged));
        native::Message message{};
        const auto second = native::receive(attack.second.get(), message);
        REQUIRE(second && native::answer(second->reply, answer_of(honest)));
        attack.thread->join();
    }
}

// The server keeps the Reply and answers when its caller waits for somebody else's answer.
KERNEL_USER_TEST(a_late_answer_is_no_other_calls_answer) {
    for (unsigned round = 0; round < 20; ++round) {
        RevokedCall attack;
        REQUIRE(attack.begin());
        native::Message message{};
        const auto second = native::receive(attack.second.get(), message, native::after_milliseconds(patience));
        REQUIRE(second);
        (void)native::answer(attack.reply, answer_of(forged));
        (void)native::answer(second->reply, answer_of(honest));
        attack.thread->join();
        CHECK(attack.caller.second_answered && attack.caller.second_word == honest);
    }
}

// A driver lost its interrupt to another one; the device goes on.
KERNEL_USER_TEST(a_revoked_interrupt_wakes_its_new_owner_alone) {
    const native::Owned lease = make_lease(), irq(call::irq_create(native::granted("irq"), quota(), clock_line, 0).value_or(0));
    const native::Owned leased = under(irq.get(), lease), old = make_bell(), fresh = make_bell();
    REQUIRE(leased && call::irq_bind(leased.get(), old.get(), 1));
    const std::uint32_t before = read_clock(register_b);
    write_clock(register_b, before | periodic);
    (void)read_clock(register_c);
    CHECK(call::notification_wait(old.get(), native::after_milliseconds(patience)));
    CHECK(call::lease_revoke(lease.get()));
    (void)call::notification_wait(old.get(), abi::poll);
    CHECK(call::irq_bind(irq.get(), fresh.get(), 2));
    for (unsigned i = 0; i < 5; ++i) {
        (void)read_clock(register_c);
        (void)call::irq_acknowledge(irq.get());
        CHECK(call::notification_wait(fresh.get(), native::after_milliseconds(patience)).value_or(0) == 2);
    }
    CHECK_ERROR(call::notification_wait(old.get(), abi::poll), would_block);
    write_clock(register_b, before);
    (void)read_clock(register_c);
}

// A copy that the device was told to make, and makes when its driver's handles and lease are long gone. Its own buffer has the pattern.
KERNEL_USER_TEST(a_device_writes_to_nobody_after_the_revocation) {
    constexpr std::uint64_t pattern = 0xd3ad'beef'd3ad'beef, canary = 0xca11'ca11'ca11'ca11;
    CopyingDevice device;
    REQUIRE(device.find());
    const native::Owned io_space(call::io_space_create(native::granted("io_space"), quota()).value_or(0)), lease = make_lease();
    native::Owned memory = page_of(pattern, abi::memory_flag::contiguous);
    // The processor's cache of frames has room after the first of these, for the device's page and what lies above it then.
    const auto populated = [](std::uint64_t pages) { return native::Owned(call::memory_create(quota(), pages * page, abi::memory_flag::populate).value_or(0)); };
    const native::Owned kept = populated(64);
    native::Owned cover = populated(8);
    REQUIRE(memory && kept && cover);
    native::Owned leased = under(memory.get(), lease);
    const std::uint64_t address = call::io_space_map(io_space.get(), leased.get()).value_or(0);
    REQUIRE(address);
    device.start(address, CopyingDevice::own_buffer, 0);
    REQUIRE(device.wait());
    device.start(CopyingDevice::own_buffer, address, CopyingDevice::into_memory);
    CHECK(call::lease_revoke(lease.get()));
    leased.reset();
    memory.reset();
    // What comes back last is used again first, and by the kernel itself: that is not to be the device's page.
    cover.reset();
    static native::Owned neighbours[64];
    for (native::Owned& neighbour : neighbours) neighbour = page_of(canary, 0);
    REQUIRE(device.wait());
    std::uint64_t changed = 0;
    for (native::Owned& neighbour : neighbours) {
        changed += words_but(neighbour, canary);
        neighbour.reset();
    }
    CHECK(changed == 0);
    CHECK(call::io_space_release(io_space.get()));
}
