// A personality that was taken over: the usual one, which in a sandbox of host name `captured` first does to its rings what their handles allow, and rings the bells.
// In one of host name `flooding` it fills its rings for as long as they are read, and does nothing else. In one whose host name begins with `mute` it never tells runtime anything,
// and in one of host name `calling` several threads call runtime for ever. In one of host name `deaf` it says that its program started, and does nothing that it is told.
// In those of host name `leaving` and `breaking` it makes processes that compute for ever, and ends, or has runtime end it.
#include "abi/ring.hpp"
#include "abi/runtime.hpp"
#include "abi/sandbox.hpp"
#include "abi/sandbox_control_client.hpp"
#include "abi/tlv.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"
#include "lib/native/thread.hpp"
#include "lib/ring/pair.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <string_view>

namespace call = native::call;

// Linked with --wrap: the program's start calls the first, and the personality's own is the second.
extern "C" int __wrap__Z11native_mainv();
extern "C" int __real__Z11native_mainv();

namespace {

std::string_view host_name() {
    abi::TlvReader reader(native::argument_bytes());
    abi::TlvRecord record;
    while (reader.next(record))
        if (record.tag == static_cast<std::uint16_t>(abi::runtime::Tag::hostname)) return record.text();
    return {};
}

// How many of the ways to take a ring from its server were granted.
unsigned take(const char* ring, const char* signal) {
    const abi::Handle memory = native::granted(ring);
    unsigned granted = call::memory_resize(memory, std::uint64_t{512} << 30).has_value();
    granted += call::memory_resize(memory, 0).has_value();
    granted += call::memory_seal(memory).has_value();
    (void)call::notification_signal(native::granted(signal), abi::doorbell_bit);
    return granted;
}

// A ring that is full of short records, again whenever its server has taken any.
class Flood {
public:
    base::Result<void> begin(const char* ring, const char* signal, std::array<std::uint32_t, 2> kinds) {
        const abi::Handle memory = native::granted(ring);
        signal_ = native::granted(signal);
        mapping_ = TRY(native::Mapping::of(memory, 0, TRY(native::memory_size(memory)), abi::protection::read | abi::protection::write));
        view_ = TRY(ring::check_pair(mapping_.bytes(), abi::RingUse::records)).ring[1];
        constexpr std::uint64_t payload = 8;
        for (std::uint64_t at = 0, count = 0; at < view_.size; at += sizeof(abi::RecordHeader) + payload) {
            const abi::RecordHeader header{payload, kinds[count++ % 2]};
            std::memcpy(view_.data + at, &header, sizeof header);
        }
        return {};
    }
    void fill() {
        const std::uint64_t consumed = std::atomic_ref(view_.header->consumed).load();
        std::atomic_ref(view_.header->produced).store(consumed + view_.size);
        if (std::atomic_ref(view_.header->consumer_waits).exchange(0) != 0) (void)call::notification_signal(signal_, abi::doorbell_bit);
    }
    std::uint64_t taken() const { return std::atomic_ref(view_.header->consumed).load() / view_.size; }

private:
    abi::Handle signal_ = abi::no_handle;
    native::Mapping mapping_;
    ring::View view_;
};

void flood() {
    // What is no frame, and frames that lead nowhere.
    constexpr std::uint32_t no_frame = 77, frame = 1, ready = static_cast<std::uint32_t>(abi::sandbox::Event::ready);
    constexpr std::uint64_t laps = 2;
    Flood network, control;
    if (!network.begin("net.ring", "net.signal", {no_frame, frame}) || !control.begin("control.ring", "control.signal", {ready, ready})) {
        native::print("flooding: no rings");
        return;
    }
    for (bool told = false;;) {
        network.fill();
        control.fill();
        if (!told && network.taken() >= laps && control.taken() >= laps) {
            told = true;
            native::print("flooding: both rings are read");
        }
    }
}

[[noreturn]] void say_nothing() {
    for (;;) (void)call::notification_wait(native::granted("control.wait"), abi::never);
}

// Each end that is given is a record of runtime's in the audit log.
void ask_again_and_again() {
    constexpr unsigned times = 100;
    unsigned given = 0, refused = 0;
    native::sandbox_control::Client client(native::Caller{native::granted("control.streams")});
    for (unsigned count = 0; count < times; ++count) {
        const auto reply = client.stream({1});
        given += reply ? 1 : 0;
        refused += !reply && reply.error() == abi::Error::exists ? 1 : 0;
    }
    native::print("grasping: ", given, " given, ", refused, " refused");
}

[[noreturn]] void start_and_be_deaf() {
    constexpr std::uint32_t start = static_cast<std::uint32_t>(abi::sandbox::Command::start), started = static_cast<std::uint32_t>(abi::sandbox::Event::started);
    auto control = ring::Pair::attach({native::granted("control.ring"), native::granted("control.wait"), native::granted("control.signal")}, abi::RingUse::records, ring::Side::b);
    if (!control) {
        native::print("deaf: no ring");
        say_nothing();
    }
    std::byte bytes[4096];
    for (;;) {
        const auto command = control->in().read_record(bytes);
        if (!command) {
            if (control->in().must_wait()) (void)call::notification_wait(native::granted("control.wait"), abi::never);
            continue;
        }
        native::print("deaf: is told ", command->kind);
        if (command->kind != start) continue;
        if (host_name() == "grasping") ask_again_and_again();
        std::byte answer[32];
        abi::TlvWriter writer(answer);
        writer.number(static_cast<std::uint16_t>(abi::runtime::Tag::linux_error), 0);
        (void)control->out().write_record(started, writer.written());
        control->wake_after_write();
    }
}

// Charged to the sandbox as its maker is; it holds nothing.
base::Result<void> make_process() {
    static constexpr unsigned char jump_to_itself[] = {0xeb, 0xfe};
    const native::Self& self = native::self();
    const native::Owned code = TRY(native::own(call::memory_create(self.quota, abi::page_size, 0)));
    TRY(call::memory_write(code.get(), 0, std::as_bytes(std::span(jump_to_itself))));
    const native::Owned process = TRY(native::own(call::process_create(self.quota, self.budget)));
    const native::Owned space = TRY(native::own(call::process_space(process.get())));
    TRY(call::space_map(space.get(), code.get(), abi::heap_base, 0, abi::page_size, abi::protection::read | abi::protection::execute));
    const native::Owned thread = TRY(native::own(call::thread_create(process.get(), self.budget)));
    return call::thread_start(thread.get(), abi::heap_base, abi::stack_base + abi::stack_size - 8, 0);
}

bool make_processes() {
    constexpr unsigned count = 8;
    for (unsigned made = 0; made < count; ++made)
        if (auto done = make_process(); !done) {
            native::print(host_name(), ": no process: ", native::error_name(done.error()));
            return false;
        }
    native::print(host_name(), ": made ", count, " processes");
    return true;
}

[[noreturn]] void break_the_protocol() {
    constexpr std::uint32_t no_event = 77;
    if (auto control = ring::Pair::attach({native::granted("control.ring"), native::granted("control.wait"), native::granted("control.signal")}, abi::RingUse::records, ring::Side::b)) {
        (void)control->out().write_record(no_event, {});
        control->ring_bell();
    }
    for (;;)
        (void)call::thread_yield();
}

constexpr unsigned callers = 32;
std::atomic<std::uint64_t> answered[callers];

void call_for_ever(void* argument) {
    native::sandbox_control::Client client(native::Caller{native::granted("control.streams")});
    for (;;) {
        (void)client.stream({UINT32_MAX});
        ++*static_cast<std::atomic<std::uint64_t>*>(argument);
    }
}

void call_from_many_threads() {
    constexpr std::uint64_t many = 100;
    for (auto& count : answered)
        if (!native::start_thread(call_for_ever, &count)) return native::print("calling: no threads");
    for (const auto& count : answered)
        while (count < many) (void)call::thread_yield();
    native::print("calling: runtime answers");
    say_nothing();
}

} // namespace

int __wrap__Z11native_mainv() {
    if (host_name() == "flooding") flood();
    if (host_name().starts_with("mute")) {
        native::print(host_name(), ": says no more");
        say_nothing();
    }
    if (host_name() == "deaf" || host_name() == "grasping") start_and_be_deaf();
    if (host_name() == "leaving") return make_processes() ? 0 : 1;
    if (host_name() == "breaking" && make_processes()) break_the_protocol();
    if (host_name() == "calling") call_from_many_threads();
    if (host_name() == "captured") {
        const unsigned network = take("net.ring", "net.signal"), control = take("control.ring", "control.signal");
        native::print("captured ", native::granted("net.ring") != abi::no_handle ? "both rings" : "no network", ": ", network, " and ", control, " granted");
    }
    return __real__Z11native_mainv();
}
