// The time server: owner of the real-time clock. Handles: `time` (endpoint, receive), `rtc` (ports 0x70 and 0x71), `clock` (with write), `log`. Reads the clock once and
// puts the offset of the time of day into the clock page; from then on the processor's counter keeps the time.
#include "abi/time_server.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"
#include "servers/time/rtc.hpp"

namespace {

using namespace native::time;
using timekeeping::RtcRegisters;

constexpr std::uint32_t index_port = 0x70, data_port = 0x71, byte = 1;
constexpr std::uint8_t status_a = 0x0a, status_b = 0x0b, century = 0x32; // the place of the century on PCs, QEMU's q35 among them
constexpr std::uint8_t updating = 1u << 7;
// An update takes 2 ms; a port access under emulation about a microsecond.
constexpr unsigned most_tries = 100'000;

base::Result<std::uint8_t> read_register(abi::Handle ports, std::uint8_t index) {
    (void)TRY(native::call::io_port_write(ports, index_port, byte, index));
    return static_cast<std::uint8_t>(TRY(native::call::io_port_read(ports, data_port, byte)));
}

base::Result<RtcRegisters> read_once(abi::Handle ports) {
    unsigned tries = 0;
    while ((TRY(read_register(ports, status_a)) & updating) != 0)
        if (++tries == most_tries)
            return base::fail(abi::Error::timed_out);
    RtcRegisters registers{};
    registers.second = TRY(read_register(ports, 0));
    registers.minute = TRY(read_register(ports, 2));
    registers.hour = TRY(read_register(ports, 4));
    registers.day = TRY(read_register(ports, 7));
    registers.month = TRY(read_register(ports, 8));
    registers.year = TRY(read_register(ports, 9));
    registers.century = TRY(read_register(ports, century));
    registers.status_b = TRY(read_register(ports, status_b));
    return registers;
}

// An update between two registers shows in the second look.
base::Result<RtcRegisters> read_clock(abi::Handle ports) {
    RtcRegisters before = TRY(read_once(ports));
    for (unsigned tries = 0; tries < most_tries; ++tries) {
        const RtcRegisters now = TRY(read_once(ports));
        if (now == before)
            return now;
        before = now;
    }
    return base::fail(abi::Error::timed_out);
}

base::Result<void> set_offset(std::uint64_t seconds) {
    const native::Mapping mapping =
        TRY(native::Mapping::of(TRY(native::require("clock")), 0, abi::page_size, abi::protection::read | abi::protection::write));
    auto& page = *mapping.as<abi::ClockPage>();
    __atomic_fetch_add(&page.sequence, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&page.realtime_offset, seconds * native::nanoseconds_per_second - native::monotonic_nanoseconds(), __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&page.sequence, 1, __ATOMIC_SEQ_CST);
    return {};
}

class Server final : public native::time::Server {
public:
    base::Result<NowReply> now(std::uint64_t, const NowRequest&) override { return NowReply{native::realtime_nanoseconds()}; }
    void discard(abi::Handle handle) override { (void)native::call::handle_close(handle); }
};

base::Result<void> run() {
    const auto seconds = timekeeping::seconds_since_1970(TRY(read_clock(TRY(native::require("rtc")))));
    if (seconds)
        TRY(set_offset(*seconds));
    else
        native::print("the real-time clock shows no date; the node's time begins at 1970");
    Server server;
    const abi::Handle endpoint = TRY(native::require("time"));
    native::Message message;
    for (;;) {
        auto incoming = native::receive(endpoint, message);
        if (!incoming) {
            if (incoming.error() == abi::Error::canceled)
                continue;
            return base::fail(incoming.error());
        }
        serve(server, incoming->badge, message);
        (void)native::answer(incoming->reply, message);
    }
}

} // namespace

int native_main() {
    if (auto ran = run(); !ran)
        native::print(native::error_name(ran.error()));
    return 1;
}
