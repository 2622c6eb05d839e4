// A split virtqueue (VirtIO 1.1, 2.6) with a buffer of its own for each descriptor. The device is hostile: what it writes into the used ring is read once and
// checked; it can damage the contents of the queue's own buffers, and nothing else.
#pragma once
#include "drivers/virtio/transport.hpp"
#include "lib/base/vector.hpp"

#include <span>

namespace virtio {

class Queue {
public:
    enum class Direction : std::uint8_t { to_device, from_device };

    // Sets queue `index` up with at most `size` (a power of two) buffers of `buffer_bytes`. Errors: no_memory, not_found, and those of the transport.
    static base::Result<Queue> create(Transport& transport, std::uint16_t index, std::uint16_t size, std::uint32_t buffer_bytes, Direction direction);

    std::uint16_t size() const { return size_; }
    std::span<std::byte> buffer(std::uint16_t id) const { return memory_.mapping.bytes().subspan(buffers_ + std::size_t{id} * buffer_bytes_, buffer_bytes_); }
    // A buffer that the device does not have. False: there is none.
    bool take_free(std::uint16_t& id);
    // Gives buffer `id` with `length` bytes to the device; visible to it from publish on.
    void give(std::uint16_t id, std::uint32_t length);
    // Makes what was given visible, and tells the device where it wants to be told.
    void publish();

    struct Used {
        std::uint16_t id;
        std::uint32_t length; // at most buffer_bytes
    };
    // The next buffer that the device has done with. Errors: would_block (none), broken (an answer that cannot be: the device is not to be used any more).
    base::Result<Used> take_used();
    // Back to the free ones.
    void release(std::uint16_t id) { free_[free_count_++] = id; }

private:
    struct Descriptor {
        std::uint64_t address;
        std::uint32_t length;
        std::uint16_t flags, next;
    };
    static constexpr std::uint16_t most = 256;
    Queue() = default;
    template <class T> T* at(std::uint64_t offset) const { return memory_.mapping.as<T>(offset); }

    Transport* transport_ = nullptr;
    native::MappedMemory memory_;
    std::uint64_t bus_ = 0; // the device's address of the memory
    std::uint64_t driver_ring_ = 0, device_ring_ = 0, buffers_ = 0; // offsets
    std::uint32_t buffer_bytes_ = 0;
    std::uint16_t index_ = 0, size_ = 0;
    std::uint16_t given_ = 0, seen_ = 0;
    Direction direction_ = Direction::to_device;
    std::uint16_t free_[most] = {};
    std::uint16_t free_count_ = 0;
    bool owned_by_device_[most] = {};
    std::uint32_t lengths_[most] = {};
};

} // namespace virtio
