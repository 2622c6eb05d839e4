#include "drivers/virtio/queue.hpp"

#include "lib/native/start.hpp"

#include <algorithm>

namespace virtio {

base::Result<Queue> Queue::create(Transport& transport, std::uint16_t index, std::uint16_t size, std::uint32_t buffer_bytes, Direction direction) {
    const std::uint16_t count = std::min({size, most, TRY(transport.queue_size(index))});
    const std::uint64_t bytes = native::page_round(bytes_for(count, buffer_bytes));
    auto memory = TRY(native::MappedMemory::create(native::self().quota, bytes, abi::memory_flag::contiguous));
    const std::uint64_t bus = TRY(native::call::io_space_map(transport.dma(), memory.memory.get()));
    const Ring ring(memory.mapping.bytes(), bus, count, buffer_bytes, direction);
    TRY(transport.set_queue(index, count, ring.addresses()));
    return Queue(transport, index, std::move(memory), ring);
}

} // namespace virtio
