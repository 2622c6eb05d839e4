// Owners with methods for the kernel's communication objects.
#pragma once
#include <span>

#include "abi/info.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/start.hpp"

namespace native {

class Notification {
public:
    Notification() = default;
    explicit Notification(Owned handle) : handle_(std::move(handle)) {}
    // Charged to `quota`, or to the program's own.
    static base::Result<Notification> create(abi::Handle quota = abi::no_handle) {
        return Notification(TRY(own(call::notification_create(quota != abi::no_handle ? quota : self().quota))));
    }
    abi::Handle handle() const { return handle_.get(); }
    void signal(std::uint64_t bits) const { (void)call::notification_signal(handle_.get(), bits); }
    base::Result<std::uint64_t> wait(abi::Deadline deadline = abi::never) const { return call::notification_wait(handle_.get(), deadline); }

private:
    Owned handle_;
};

// One place to wait for notifications and endpoints.
class Port {
public:
    Port() = default;
    static base::Result<Port> create() {
        Port port;
        port.handle_ = TRY(own(call::port_create(self().quota)));
        return port;
    }
    abi::Handle handle() const { return handle_.get(); }
    // Needs `bind` on the source. The key is any value but UINT64_MAX.
    base::Result<void> bind(abi::Handle source, std::uint64_t key) const { return call::port_bind(handle_.get(), source, key); }
    base::Result<void> unbind(abi::Handle source) const { return call::port_bind(handle_.get(), source, unbind_key); }
    // The events that came, in `events`. Errors: as port_wait.
    base::Result<std::span<abi::PortEvent>> wait(std::span<abi::PortEvent> events, abi::Deadline deadline = abi::never) const {
        return events.first(TRY(call::port_wait(handle_.get(), std::as_writable_bytes(events), deadline)));
    }

private:
    Owned handle_;
};

} // namespace native
