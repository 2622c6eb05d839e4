#include "drivers/virtio/queue.hpp"

#include "lib/native/start.hpp"

#include <algorithm>

namespace virtio {

namespace {

constexpr std::uint16_t descriptor_write = 2; // the device writes
constexpr std::uint16_t used_no_notify = 1;

constexpr std::uint64_t up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) & ~(to - 1); }

} // namespace

base::Result<Queue> Queue::create(Transport& transport, std::uint16_t index, std::uint16_t size, std::uint32_t buffer_bytes, Direction direction) {
    Queue queue;
    queue.transport_ = &transport;
    queue.index_ = index;
    queue.size_ = std::min({size, most, transport.queue_size(index)});
    if (queue.size_ == 0 || (queue.size_ & (queue.size_ - 1)) != 0)
        return base::fail(abi::Error::not_found);
    queue.buffer_bytes_ = buffer_bytes;
    queue.direction_ = direction;
    queue.driver_ring_ = up(sizeof(Descriptor) * queue.size_, 16);
    queue.device_ring_ = up(queue.driver_ring_ + 6 + 2 * queue.size_, 16);
    queue.buffers_ = up(queue.device_ring_ + 6 + 8 * queue.size_, abi::page_size);
    const std::uint64_t bytes = queue.buffers_ + std::uint64_t{buffer_bytes} * queue.size_;
    queue.memory_ = TRY(native::MappedMemory::create(native::self().quota, native::page_round(bytes), abi::memory_flag::contiguous));
    queue.bus_ = TRY(native::call::io_space_map(transport.dma(), queue.memory_.memory.get()));
    TRY(transport.set_queue(index, queue.size_, queue.bus_, queue.bus_ + queue.driver_ring_, queue.bus_ + queue.device_ring_));
    for (std::uint16_t id = queue.size_; id-- > 0;)
        queue.release(id);
    return queue;
}

bool Queue::take_free(std::uint16_t& id) {
    if (free_count_ == 0)
        return false;
    id = free_[--free_count_];
    return true;
}

void Queue::give(std::uint16_t id, std::uint32_t length) {
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

void Queue::publish() {
    auto* const index = at<std::uint16_t>(driver_ring_ + 2);
    if (__atomic_load_n(index, __ATOMIC_RELAXED) == given_)
        return;
    __atomic_store_n(index, given_, __ATOMIC_SEQ_CST);
    if ((__atomic_load_n(at<std::uint16_t>(device_ring_), __ATOMIC_SEQ_CST) & used_no_notify) == 0)
        transport_->notify(index_);
}

base::Result<Queue::Used> Queue::take_used() {
    const std::uint16_t produced = __atomic_load_n(at<std::uint16_t>(device_ring_ + 2), __ATOMIC_ACQUIRE);
    if (produced == seen_)
        return base::fail(abi::Error::would_block);
    if (static_cast<std::uint16_t>(produced - seen_) > size_)
        return base::fail(abi::Error::broken);
    const auto* const entry = at<const volatile std::uint32_t>(device_ring_ + 4) + 2 * (seen_ & (size_ - 1));
    const std::uint32_t id = entry[0], length = entry[1];
    if (id >= size_ || !owned_by_device_[id] || (direction_ == Direction::from_device && length > lengths_[id]))
        return base::fail(abi::Error::broken);
    ++seen_;
    owned_by_device_[id] = false;
    return Used{static_cast<std::uint16_t>(id), std::min(length, lengths_[id])};
}

} // namespace virtio
