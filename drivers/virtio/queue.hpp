// A device's virtqueue: the ring, with memory of the program's own that the device reaches.
#pragma once
#include "drivers/virtio/ring.hpp"
#include "drivers/virtio/transport.hpp"

namespace virtio {

class Queue : public Ring {
public:
    // Sets queue `index` up with at most `size` (a power of two) buffers of `buffer_bytes`. Errors: no_memory, and those of the transport.
    static base::Result<Queue> create(Transport& transport, std::uint16_t index, std::uint16_t size, std::uint32_t buffer_bytes, Direction direction);

    // Makes what was given visible, and tells the device where it wants to be told.
    void publish() {
        if (Ring::publish())
            transport_->notify(index_);
    }

private:
    Queue(Transport& transport, std::uint16_t index, native::MappedMemory memory, const Ring& ring)
        : Ring(ring), transport_(&transport), memory_(std::move(memory)), index_(index) {}

    Transport* transport_;
    native::MappedMemory memory_;
    std::uint16_t index_;
};

} // namespace virtio
