// Bytes from an entropy device (VirtIO 1.1, 5.4). It may give fewer than it is asked for, but some, and in time.
#pragma once
#include "drivers/virtio/ring.hpp"

#include <algorithm>
#include <cstring>

namespace virtio_rng {

// Fills `to`. `wait` returns when the device may have answered, and fails once it has had its time, whatever it says by then. Errors: those of `wait`, broken (an answer that
// cannot be). After an error the device still has a buffer: it is to be stopped before the queue's memory goes.
template <class Queue, class Wait> base::Result<void> collect(Queue& queue, std::span<std::byte> to, Wait wait) {
    while (!to.empty()) {
        std::uint16_t id = 0;
        if (!queue.take_free(id))
            return base::fail(base::Error::bad_state);
        queue.give(id, static_cast<std::uint32_t>(std::min(to.size(), queue.buffer(id).size())));
        queue.publish();
        auto used = queue.take_used();
        while (!used) {
            if (used.error() != base::Error::would_block)
                return base::fail(used.error());
            TRY(wait());
            used = queue.take_used();
        }
        if (used->length == 0 && !base::weakened(base::Weakness::entropy_amount))
            return base::fail(base::Error::broken);
        const auto part = to.first(used->length);
        std::memcpy(part.data(), queue.buffer(used->id).data(), part.size());
        to = to.subspan(part.size());
        queue.release(used->id);
    }
    return {};
}

// The wait of `collect`: `now` and `deadline` are of one clock, `sleep` waits for an interrupt until the deadline. A device that interrupts without an answer gains no time.
template <class Now, class Sleep> base::Result<void> wait_until(std::uint64_t deadline, Now now, Sleep sleep) {
    if (now() >= deadline && !base::weakened(base::Weakness::entropy_patience))
        return base::fail(base::Error::timed_out);
    return sleep();
}

} // namespace virtio_rng
