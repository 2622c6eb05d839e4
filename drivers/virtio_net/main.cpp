// The network card (VirtIO 1.1, 5.1): Ethernet frames between the device's queues and the rings of its one client. Handles: `netdev` (endpoint, receive), `pci` (endpoint
// badged for the device), `log`.
#include "abi/netdev_server.hpp"
#include "drivers/virtio/queue.hpp"
#include "drivers/virtio_net/frame.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/log.hpp"
#include "lib/native/port.hpp"
#include "lib/native/start.hpp"
#include "lib/ring/pair.hpp"

#include <cstring>
#include <memory>
#include <new>

namespace {

constexpr std::uint64_t feature_mac = 1u << 5;
constexpr std::uint32_t buffer_bytes = 2048;
constexpr std::uint16_t receive_queue = 0, send_queue = 1, queue_buffers = 256;
constexpr std::uint32_t ethernet_record = 1;
constexpr std::uint64_t ring_bytes = 1 << 20;
constexpr std::uint32_t mtu = 1500;
constexpr std::uint64_t interrupt_key = 1, endpoint_key = 2, bell_key = 3;
constexpr unsigned most_turns = 64;

using virtio_net::header_bytes, virtio_net::largest_frame, virtio_net::smallest_frame;

class Driver final : public native::netdev::Server {
public:
    ~Driver() {
        if (transport_)
            transport_->stop();
    }

    base::Result<void> prepare() {
        endpoint_ = TRY(native::require("netdev"));
        port_ = TRY(native::Port::create());
        interrupt_ = TRY(native::Notification::create());
        transport_.reset(new (std::nothrow) virtio::Transport(TRY(virtio::Transport::open(TRY(native::require("pci"))))));
        if (!transport_)
            return base::fail(abi::Error::no_memory);
        const std::uint64_t features = TRY(transport_->negotiate(feature_mac));
        TRY(transport_->bind_interrupt(interrupt_.handle(), 1));
        receive_.reset(new (std::nothrow) virtio::Queue(TRY(virtio::Queue::create(*transport_, receive_queue, queue_buffers, buffer_bytes, virtio::Queue::Direction::from_device))));
        send_.reset(new (std::nothrow) virtio::Queue(TRY(virtio::Queue::create(*transport_, send_queue, queue_buffers, buffer_bytes, virtio::Queue::Direction::to_device))));
        if (!receive_ || !send_)
            return base::fail(abi::Error::no_memory);
        for (unsigned i = 0; i < 6 && (features & feature_mac) != 0; ++i)
            mac_ |= std::uint64_t{transport_->config8(i)} << 8 * i;
        mac_ = virtio_net::station_address(mac_);
        std::uint16_t id = 0;
        while (receive_->take_free(id))
            receive_->give(id, buffer_bytes);
        transport_->driver_ok();
        receive_->publish();
        TRY(port_.bind(interrupt_.handle(), interrupt_key));
        return port_.bind(endpoint_, endpoint_key);
    }

    // Returns when the device cannot be trusted any more.
    base::Result<void> run() {
        for (;;) {
            const bool all = TRY(move());
            abi::PortEvent events[4];
            const auto came = port_.wait(events, all ? abi::never : abi::poll);
            if (!came)
                continue;
            for (const abi::PortEvent& event : *came) {
                if (event.key == endpoint_key)
                    serve_requests();
                else if (event.key == interrupt_key)
                    transport_->acknowledge();
            }
        }
    }

    base::Result<native::netdev::AttachReply> attach(std::uint64_t, const native::netdev::AttachRequest&) override {
        if (pair_)
            (void)port_.unbind(pair_.bell());
        pair_ = TRY(ring::Pair::create(native::self().quota, abi::RingUse::records, ring_bytes, ring::Side::a));
        TRY(port_.bind(pair_.bell(), bell_key));
        const ring::Handles peer = pair_.peer_handles();
        return native::netdev::AttachReply{peer.memory, peer.wait, peer.signal, mac_, mtu};
    }
    void discard(abi::Handle handle) override { (void)native::call::handle_close(handle); }

private:
    void serve_requests() {
        native::Message message;
        for (unsigned count = 0; count < native::messages_at_once; ++count) {
            const auto incoming = native::receive(endpoint_, message, abi::poll);
            if (!incoming)
                return;
            native::netdev::serve(*this, incoming->badge, message);
            (void)native::answer(incoming->reply, message);
        }
    }

    // True: all that was there was moved, and device and client are known to wake this driver. False: there is more than one turn may take, or the requests would wait for
    // as long as the device has something to say. Errors: broken (the device).
    base::Result<bool> move() {
        for (unsigned turn = 0; turn < most_turns; ++turn) {
            const bool received = TRY(move_received());
            const bool sent = TRY(move_sent());
            if (received || sent)
                continue;
            if (!pair_ || pair_.in().ended() || pair_.in().broken())
                return true;
            std::uint16_t id = 0;
            if (send_->take_free(id)) {
                send_->release(id);
                if (!pair_.in().must_wait())
                    continue;
            }
            return true;
        }
        return false;
    }

    base::Result<bool> move_received() {
        bool any = false;
        for (;;) {
            const auto used = receive_->take_used();
            if (!used) {
                if (used.error() == abi::Error::would_block)
                    break;
                return base::fail(used.error());
            }
            any = true;
            // A full ring drops the frame, as a wire does.
            if (const auto frame = virtio_net::frame_in(receive_->buffer(used->id), used->length); pair_ && !frame.empty())
                (void)pair_.out().write_record(ethernet_record, frame);
            receive_->give(used->id, buffer_bytes);
        }
        if (any) {
            receive_->publish();
            if (pair_)
                pair_.wake_after_write();
        }
        return any;
    }

    base::Result<bool> move_sent() {
        for (;;) {
            const auto used = send_->take_used();
            if (!used) {
                if (used.error() == abi::Error::would_block)
                    break;
                return base::fail(used.error());
            }
            send_->release(used->id);
        }
        if (!pair_)
            return false;
        bool any = false;
        std::uint16_t id = 0;
        while (send_->take_free(id)) {
            const auto record = pair_.in().peek();
            if (!record) {
                send_->release(id);
                break;
            }
            any = true;
            if (record->kind != ethernet_record || record->length > largest_frame || record->length < smallest_frame) {
                send_->release(id);
            } else {
                const auto buffer = send_->buffer(id);
                std::memset(buffer.data(), 0, header_bytes);
                const std::size_t length = pair_.in().copy(*record, 0, buffer.subspan(header_bytes));
                send_->give(id, static_cast<std::uint32_t>(header_bytes + length));
            }
            pair_.in().consume(*record);
        }
        if (any) {
            send_->publish();
            pair_.wake_after_read();
        }
        return any;
    }

    abi::Handle endpoint_ = abi::no_handle;
    native::Port port_;
    native::Notification interrupt_;
    std::unique_ptr<virtio::Transport> transport_;
    std::unique_ptr<virtio::Queue> receive_, send_;
    ring::Pair pair_;
    std::uint64_t mac_ = 0;
};

} // namespace

int native_main() {
    const std::unique_ptr<Driver> driver(new (std::nothrow) Driver);
    if (!driver)
        return 1;
    if (auto prepared = driver->prepare(); !prepared) {
        native::print(native::error_name(prepared.error()));
        // Without a card the node runs on, without a network; whoever asks for the device is told so.
        return prepared.error() == abi::Error::not_found ? 0 : 1;
    }
    if (auto ran = driver->run(); !ran)
        native::print("the device answered what cannot be: ", native::error_name(ran.error()));
    return 1;
}
