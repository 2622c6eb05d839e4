// A personality that was taken over: the usual one, which in a sandbox of this host's name first does to its rings what their handles allow, and rings the bells.
#include "abi/ring.hpp"
#include "abi/runtime.hpp"
#include "abi/tlv.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

namespace call = native::call;

// Linked with --wrap: the program's start calls the first, and the personality's own is the second.
extern "C" int __wrap__Z11native_mainv();
extern "C" int __real__Z11native_mainv();

namespace {

bool captured() {
    abi::TlvReader reader(native::argument_bytes());
    abi::TlvRecord record;
    while (reader.next(record))
        if (record.tag == static_cast<std::uint16_t>(abi::runtime::Tag::hostname)) return record.text() == "captured";
    return false;
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

} // namespace

int __wrap__Z11native_mainv() {
    if (captured()) {
        const unsigned network = take("net.ring", "net.signal"), control = take("control.ring", "control.signal");
        native::print("captured ", native::granted("net.ring") != abi::no_handle ? "both rings" : "no network", ": ", network, " and ", control, " granted");
    }
    return __real__Z11native_mainv();
}
