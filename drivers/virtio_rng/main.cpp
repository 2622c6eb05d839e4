// The source of randomness (VirtIO 1.1, 5.4). Handles: `entropy` (endpoint, receive), `pci` (endpoint badged for the device), `clock`, `log`. The device's bytes are never
// given out: they go into a pool, and so do the processor's generator and the clock, so that a device that lies does no harm where another source is good.
#include "abi/entropy_server.hpp"
#include "drivers/virtio/queue.hpp"
#include "drivers/virtio_rng/collect.hpp"
#include "lib/base/sha256.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/event_loop.hpp"
#include "lib/native/log.hpp"
#include "lib/native/port.hpp"
#include "lib/native/start.hpp"

#include <cpuid.h>

#include <cstring>
#include <memory>
#include <new>

namespace {

constexpr std::uint32_t buffer_bytes = 64;
constexpr std::uint32_t reads_per_seed = 64;
constexpr std::uint64_t patience_milliseconds = 5000;

bool processor_random(std::uint64_t& value) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_RDRND) == 0)
        return false;
    for (int i = 0; i < 10; ++i) {
        unsigned char good = 0;
        asm volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good)::"cc");
        if (good != 0)
            return true;
    }
    return false;
}

class Source final : public native::entropy::Server {
public:
    ~Source() { drop_device(); }

    base::Result<void> prepare() {
        interrupt_ = TRY(native::Notification::create());
        transport_.reset(new (std::nothrow) virtio::Transport(TRY(virtio::Transport::open(TRY(native::require("pci"))))));
        if (!transport_)
            return base::fail(abi::Error::no_memory);
        (void)TRY(transport_->negotiate(0));
        TRY(transport_->bind_interrupt(interrupt_.handle(), 1));
        queue_.reset(new (std::nothrow) virtio::Queue(TRY(virtio::Queue::create(*transport_, 0, 1, buffer_bytes, virtio::Queue::Direction::from_device))));
        if (!queue_)
            return base::fail(abi::Error::no_memory);
        transport_->driver_ok();
        return seed();
    }

    base::Result<native::entropy::ReadReply> read(std::uint64_t, const native::entropy::ReadRequest&) override {
        // What the pool has of the device's first bytes stays good without any more of them.
        if (++reads_ % reads_per_seed == 0 && transport_)
            if (auto seeded = seed(); !seeded) {
                native::print("the device is not asked any more: ", native::error_name(seeded.error()));
                drop_device();
            }
        native::entropy::ReadReply reply;
        const auto bytes = next(1);
        std::memcpy(reply.bytes.data(), bytes.data(), reply.bytes.size());
        // What was given out cannot be computed from the pool as it is from now on.
        pool_ = next(2);
        return reply;
    }
    void discard(abi::Handle handle) override { (void)native::call::handle_close(handle); }

private:
    base::Sha256::Digest next(std::uint64_t purpose) {
        const std::uint64_t words[3] = {purpose, ++counter_, native::monotonic_nanoseconds()};
        base::Sha256 hash;
        hash.update(pool_);
        hash.update(std::as_bytes(std::span(words)));
        return hash.finish();
    }

    // Errors: as virtio_rng::collect; the device is to be dropped then.
    base::Result<void> seed() {
        std::byte bytes[buffer_bytes];
        const abi::Deadline deadline = native::after_milliseconds(patience_milliseconds);
        TRY(virtio_rng::collect(*queue_, bytes, [&] {
            return virtio_rng::wait_until(deadline, native::monotonic_nanoseconds, [&]() -> base::Result<void> {
                const auto came = interrupt_.wait(deadline);
                transport_->acknowledge();
                if (!came && came.error() != abi::Error::timed_out)
                    return base::fail(came.error());
                return {};
            });
        }));
        std::uint64_t words[5] = {native::monotonic_nanoseconds()};
        for (unsigned i = 1; i < 5; ++i)
            (void)processor_random(words[i]);
        base::Sha256 hash;
        hash.update(pool_);
        hash.update(bytes);
        hash.update(std::as_bytes(std::span(words)));
        pool_ = hash.finish();
        return {};
    }
    // Before the memory of the queue goes, the device is stopped.
    void drop_device() {
        if (transport_)
            transport_->stop();
        queue_.reset();
        transport_.reset();
    }

    native::Notification interrupt_;
    std::unique_ptr<virtio::Transport> transport_;
    std::unique_ptr<virtio::Queue> queue_;
    base::Sha256::Digest pool_{};
    std::uint64_t counter_ = 0, reads_ = 0;
};

base::Result<void> run() {
    const std::unique_ptr<Source> source(new (std::nothrow) Source);
    if (!source)
        return base::fail(abi::Error::no_memory);
    TRY(source->prepare());
    native::ProtocolEndpoint<native::entropy::Server> endpoint(TRY(native::require("entropy")), *source, native::entropy::serve);
    return base::fail(endpoint.run());
}

} // namespace

int native_main() {
    if (auto ran = run(); !ran)
        native::print(native::error_name(ran.error()));
    return 1;
}
