#include "drivers/virtio/ring.hpp"

#include "abi/types.hpp"
#include "lib/base/weaken.hpp"

#include <algorithm>

namespace virtio {

namespace {

constexpr std::uint16_t descriptor_write = 2; // the device writes
constexpr std::uint16_t used_no_notify = 1;

constexpr std::uint64_t up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) & ~(to - 1); }

struct Layout {
    std::uint64_t driver, device, buffers;
};

constexpr Layout layout_of(std::uint16_t size) {
    constexpr std::uint64_t descriptor_bytes = 16;
    const std::uint64_t driver = up(descriptor_bytes * size, 16);
    const std::uint64_t device = up(driver + 6 + 2 * std::uint64_t{size}, 16);
    return {driver, device, up(device + 6 + 8 * std::uint64_t{size}, abi::page_size)};
}

} // namespace

std::uint64_t Ring::bytes_for(std::uint16_t size, std::uint32_t buffer_bytes) { return layout_of(size).buffers + std::uint64_t{buffer_bytes} * size; }

Ring::Ring(std::span<std::byte> memory, std::uint64_t bus, std::uint16_t size, std::uint32_t buffer_bytes, Direction direction)
    : memory_(memory), bus_(bus), buffer_bytes_(buffer_bytes), size_(size), direction_(direction) {
    static_assert(sizeof(Descriptor) == 16);
    const Layout layout = layout_of(size);
    driver_ring_ = layout.driver;
    device_ring_ = layout.device;
    buffers_ = layout.buffers;
    for (std::uint16_t id = size_; id-- > 0;)
        release(id);
}

QueueAddresses Ring::addresses() const { return {bus_, bus_ + driver_ring_, bus_ + device_ring_}; }

bool Ring::take_free(std::uint16_t& id) {
    if (free_count_ == 0)
        return false;
    id = free_[--free_count_];
    return true;
}

void Ring::give(std::uint16_t id, std::uint32_t length) {
    auto* const descriptor = at<volatile Descriptor>(0) + id;
    descriptor->address = bus_ + buffers_ + std::uint64_t{id} * buffer_bytes_;
    descriptor->length = length;
    descriptor->flags = direction_ == Direction::from_device ? descriptor_write : 0;
    descriptor->next = 0;
    at<volatile std::uint16_t>(driver_ring_ + 4)[given_ & (size_ - 1)] = id;
    ++given_;
    owned_by_device_[id] = true;
    lengths_[id] = length;
}

bool Ring::publish() {
    if (published_ == given_)
        return false;
    published_ = given_;
    __atomic_store_n(at<std::uint16_t>(driver_ring_ + 2), given_, __ATOMIC_SEQ_CST);
    return (__atomic_load_n(at<std::uint16_t>(device_ring_), __ATOMIC_SEQ_CST) & used_no_notify) == 0;
}

base::Result<Ring::Used> Ring::take_used() {
    const std::uint16_t produced = __atomic_load_n(at<std::uint16_t>(device_ring_ + 2), __ATOMIC_ACQUIRE);
    if (produced == seen_)
        return base::fail(abi::Error::would_block);
    // No more can come back than was made visible: so what a driver gives again while it takes is not taken again in the same turn.
    if (static_cast<std::uint16_t>(produced - seen_) > static_cast<std::uint16_t>(published_ - seen_) && !base::weakened(base::Weakness::used_count))
        return base::fail(abi::Error::broken);
    const auto* const entry = at<const volatile std::uint32_t>(device_ring_ + 4) + 2 * (seen_ & (size_ - 1));
    const std::uint32_t id = entry[0], length = entry[1];
    if (id >= size_ && !base::weakened(base::Weakness::used_id))
        return base::fail(abi::Error::broken);
    // The mask holds for what is looked up ahead of the check, too.
    const std::size_t place = id & (most - 1);
    if (!owned_by_device_[place] && !base::weakened(base::Weakness::used_outstanding))
        return base::fail(abi::Error::broken);
    const bool fits = direction_ == Direction::to_device || length <= lengths_[place] || base::weakened(base::Weakness::used_length);
    if (!fits)
        return base::fail(abi::Error::broken);
    ++seen_;
    owned_by_device_[place] = false;
    return Used{static_cast<std::uint16_t>(id), direction_ == Direction::to_device ? std::min(length, lengths_[place]) : length};
}

} // namespace virtio
