// Attaching to the network device's driver. The call waits until the driver serves it, so it is made on a thread of its own.
#pragma once
#include "lib/native/port.hpp"
#include "lib/ring/pair.hpp"

#include <atomic>

namespace netswitch {

class Uplink {
public:
    // `netdev` may be no_handle: then there is never an uplink. Errors: no_memory, no_slots.
    base::Result<void> prepare(abi::Handle netdev);
    // Signalled when an attachment came.
    abi::Handle bell() const { return bell_.handle(); }
    // Asks the driver for (new) rings. Errors: no_memory, no_slots.
    base::Result<void> attach();

    struct Attached {
        ring::Pair pair;
        std::uint64_t mac;
    };
    // After the bell. Errors: not_found (nothing came), or why attaching failed.
    base::Result<Attached> take();

private:
    static void attach_thread(void* self);

    abi::Handle netdev_ = abi::no_handle;
    native::Notification bell_;
    std::atomic<bool> ready_{false};
    abi::Error error_{};
    ring::Handles handles_;
    std::uint64_t mac_ = 0;
};

} // namespace netswitch
