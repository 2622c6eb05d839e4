#include "servers/switch/uplink.hpp"

#include "abi/netdev_client.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"

#include <utility>

namespace netswitch {

base::Result<void> Uplink::prepare(abi::Handle netdev) {
    netdev_ = netdev;
    bell_ = TRY(native::Notification::create());
    return {};
}

base::Result<void> Uplink::attach() {
    if (netdev_ == abi::no_handle)
        return {};
    TRY(native::start_thread(attach_thread, this));
    return {};
}

void Uplink::attach_thread(void* self) {
    Uplink& uplink = *static_cast<Uplink*>(self);
    native::netdev::Client client(native::Caller{uplink.netdev_});
    const auto reply = client.attach();
    uplink.error_ = reply ? abi::Error{} : reply.error();
    if (reply) {
        uplink.handles_ = {reply->ring, reply->wait, reply->signal};
        uplink.mac_ = reply->mac;
    }
    uplink.ready_.store(true, std::memory_order_release);
    uplink.bell_.signal(1);
}

base::Result<Uplink::Attached> Uplink::take() {
    if (!ready_.exchange(false, std::memory_order_acquire))
        return base::fail(base::Error::not_found);
    if (error_ != abi::Error{})
        return base::fail(error_);
    // The driver made the pair: it is side A.
    return Attached{TRY(ring::Pair::attach(std::exchange(handles_, {}), abi::RingUse::records, ring::Side::b)), mac_};
}

} // namespace netswitch
