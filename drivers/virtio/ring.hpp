// A split virtqueue (VirtIO 1.1, 2.6) with a buffer of its own for each descriptor, in memory that it is given. The device is hostile: what it writes into the used ring is
// read once and checked; it can damage the contents of the queue's own buffers, and nothing else.
#pragma once
#include "drivers/virtio/control.hpp"
#include "lib/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace virtio {

class Ring {
public:
    enum class Direction : std::uint8_t { to_device, from_device };
    static constexpr std::uint16_t most = 256;

    // Bytes of memory for `size` (a power of two, at most `most`) buffers of `buffer_bytes`.
    static std::uint64_t bytes_for(std::uint16_t size, std::uint32_t buffer_bytes);

    Ring() = default;
    // `memory`: bytes_for, zero, on a page of its own; the device sees it at `bus`. Borrowed.
    Ring(std::span<std::byte> memory, std::uint64_t bus, std::uint16_t size, std::uint32_t buffer_bytes, Direction direction);

    QueueAddresses addresses() const;
    std::uint16_t size() const { return size_; }
    std::span<std::byte> buffer(std::uint16_t id) const { return memory_.subspan(buffers_ + std::size_t{id} * buffer_bytes_, buffer_bytes_); }
    // A buffer that the device does not have. False: there is none.
    bool take_free(std::uint16_t& id);
    // Gives buffer `id` with `length` bytes to the device; visible to it from publish on.
    void give(std::uint16_t id, std::uint32_t length);
    // Makes what was given visible. True: the device wants to be told.
    bool publish();

    struct Used {
        std::uint16_t id;
        std::uint32_t length; // at most what was given
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
    template <class T> T* at(std::uint64_t offset) const { return reinterpret_cast<T*>(memory_.data() + offset); }

    std::span<std::byte> memory_;
    std::uint64_t bus_ = 0;
    std::uint64_t driver_ring_ = 0, device_ring_ = 0, buffers_ = 0; // offsets
    std::uint32_t buffer_bytes_ = 0;
    std::uint16_t size_ = 0;
    std::uint16_t given_ = 0, published_ = 0, seen_ = 0; // indices that only grow, and come round
    Direction direction_ = Direction::to_device;
    std::uint16_t free_[most] = {};
    std::uint16_t free_count_ = 0;
    bool owned_by_device_[most] = {};
    std::uint32_t lengths_[most] = {};
};

} // namespace virtio
