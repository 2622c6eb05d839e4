#include "linux/net/test_support.hpp"

#include "linux/ipc/clock.hpp"

namespace personality {

namespace {
std::uint64_t now = 1'000'000'000;
}

LinuxResult<void> block(WaitQueue&, abi::Deadline deadline) {
    if (net::test::while_asleep && net::test::while_asleep())
        return {};
    if (deadline != abi::never) {
        now = std::max(now, deadline);
        return fail(Errno::ETIMEDOUT);
    }
    return fail(Errno::ERESTARTSYS);
}

std::uint64_t monotonic_now() { return now; }
std::int64_t realtime_offset() { return 1'700'000'000'000'000'000; }

namespace net::test {

std::function<bool()> while_asleep;

void pause(std::uint64_t milliseconds) { now += milliseconds * 1'000'000; }

void pass_time(std::uint64_t milliseconds) {
    for (std::uint64_t i = 0; i < milliseconds; i += 10) {
        now += 10'000'000;
        run_timers();
        settle();
    }
}

bool TestWire::transmit(const pbuf& frame) {
    if (full)
        return false;
    std::vector<std::uint8_t> bytes(frame.tot_len);
    (void)pbuf_copy_partial(&frame, bytes.data(), frame.tot_len, 0);
    sent.push_back(std::move(bytes));
    return true;
}

void TestWire::arrive(const std::vector<std::uint8_t>& bytes) {
    pbuf* frame = make_frame(static_cast<std::uint16_t>(bytes.size()));
    (void)pbuf_take(frame, bytes.data(), static_cast<u16_t>(bytes.size()));
    frame_arrived(frame);
    settle();
}

TestWire& wire() {
    static TestWire* instance = [] {
        auto* made = new TestWire;
        static const std::array<std::byte, 32> secret{std::byte{1}};
        static const InterfaceSettings settings{.address = own_address, .gateway = gateway, .mac = own_mac};
        start_stack(secret, &settings, made);
        return made;
    }();
    return *instance;
}

} // namespace net::test
} // namespace personality
