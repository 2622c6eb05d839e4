#include "linux/sandbox/bells.hpp"

#include "lib/base/hash_map.hpp"
#include "lib/native/port.hpp"
#include "lib/native/thread.hpp"
#include "linux/core/lock.hpp"
#include "linux/sandbox/configuration.hpp"

#include <new>

namespace personality {

namespace {

// Sandbox lock, but for the port.
struct Bells {
    explicit Bells(native::Port port) : port(std::move(port)) {}
    native::Port port;
    base::HashMap<std::uint64_t, BellListener*> listeners;
    std::uint64_t next = 1;
};

alignas(Bells) constinit std::byte storage[sizeof(Bells)] = {};
constinit Bells* bells = nullptr;

void listen(void*) {
    for (;;) {
        abi::PortEvent events[16];
        const auto came = bells->port.wait(events);
        if (!came)
            continue;
        const SandboxLock lock;
        // A number that is not known any more is that of a bell which was removed meanwhile.
        for (const abi::PortEvent& event : *came)
            if (BellListener** listener = bells->listeners.find(event.key))
                (*listener)->on_bell();
    }
}

} // namespace

LinuxResult<void> start_bells() {
    auto port = native::Port::create();
    if (!port)
        return fail(Errno::ENOMEM);
    bells = new (storage) Bells(std::move(*port));
    if (!native::start_thread(listen, nullptr, {.budget = configuration().budget}))
        return fail(Errno::ENOMEM);
    return {};
}

LinuxResult<std::uint64_t> add_bell(abi::Handle bell, BellListener& listener) {
    const std::uint64_t number = bells->next++;
    if (!bells->listeners.insert(number, &listener))
        return fail(Errno::ENOMEM);
    if (!bells->port.bind(bell, number)) {
        bells->listeners.erase(number);
        return fail(Errno::ENOMEM);
    }
    return number;
}

void remove_bell(std::uint64_t number, abi::Handle bell) {
    (void)bells->port.unbind(bell);
    bells->listeners.erase(number);
}

} // namespace personality
