// What a driver says to a modern virtio device through its registers (VirtIO 1.1, 3.1 and 4.1.4), without the way to them: `Window` is a mapping of the device, or a test's
// device. The device is hostile: each answer is read once and checked before it is used, and none is waited for without end.
#pragma once
#include "lib/base/result.hpp"
#include "lib/base/weaken.hpp"

#include <cstdint>
#include <utility>

namespace virtio {

inline constexpr std::uint64_t feature_version_1 = std::uint64_t{1} << 32;

// Fields of the common configuration (4.1.4.3).
namespace field {
inline constexpr std::uint64_t device_feature_select = 0, device_feature = 4, driver_feature_select = 8, driver_feature = 12, config_vector = 16, device_status = 20,
                               queue_select = 22, queue_size = 24, queue_vector = 26, queue_enable = 28, queue_notify_offset = 30, queue_descriptors = 32, queue_driver = 40,
                               queue_device = 48;
}
inline constexpr std::uint64_t common_bytes = 56;

// Bits of the device's status (2.1).
namespace status {
inline constexpr std::uint8_t acknowledge = 1, driver = 2, driver_ok = 4, features_ok = 8;
}

inline constexpr std::uint16_t no_vector = 0xffff;

// Where the parts of a queue lie, as the device sees it.
struct QueueAddresses {
    std::uint64_t descriptors, driver, device;
};

// A Window has `length()`, `read<T>(where)` and `write<T>(where, value)`; it is never asked for what lies behind its length.
template <class Window> class Control {
public:
    static constexpr std::uint16_t most_queues = 4;
    static constexpr unsigned reset_patience = 1'000'000; // reads

    Control() = default;
    // `common` has at least common_bytes. `notify_multiplier`: of the notification structure (4.1.4.4).
    Control(Window common, Window notify, std::uint32_t notify_multiplier, Window device)
        : common_(std::move(common)), notify_(std::move(notify)), device_(std::move(device)), notify_multiplier_(notify_multiplier) {}

    // Ends whatever the device was at. Errors: io, where it does not say that it has ended (4.1.4.3.2).
    base::Result<void> reset() const {
        common_.template write<std::uint8_t>(field::device_status, 0);
        for (unsigned reads = 0; common_.template read<std::uint8_t>(field::device_status) != 0; ++reads)
            if (reads >= reset_patience && !base::weakened(base::Weakness::device_patience))
                return base::fail(base::Error::io);
        return {};
    }
    void say_driver() const {
        set_status(status::acknowledge);
        set_status(status::acknowledge | status::driver);
    }
    // Takes of `wanted` what the device offers; version 1 is required. Errors: not_supported.
    base::Result<std::uint64_t> negotiate(std::uint64_t wanted) const {
        std::uint64_t offered = 0;
        for (std::uint32_t half = 0; half < 2; ++half) {
            common_.template write<std::uint32_t>(field::device_feature_select, half);
            offered |= std::uint64_t{common_.template read<std::uint32_t>(field::device_feature)} << 32 * half;
        }
        const std::uint64_t taken = offered & (wanted | feature_version_1);
        if ((taken & feature_version_1) == 0 && !base::weakened(base::Weakness::device_version))
            return base::fail(base::Error::not_supported);
        for (std::uint32_t half = 0; half < 2; ++half) {
            common_.template write<std::uint32_t>(field::driver_feature_select, half);
            common_.template write<std::uint32_t>(field::driver_feature, static_cast<std::uint32_t>(taken >> 32 * half));
        }
        set_status(status::acknowledge | status::driver | status::features_ok);
        const bool agreed = (common_.template read<std::uint8_t>(field::device_status) & status::features_ok) != 0;
        if (!agreed && !base::weakened(base::Weakness::device_features))
            return base::fail(base::Error::not_supported);
        return taken;
    }
    void driver_ok() const { set_status(status::acknowledge | status::driver | status::features_ok | status::driver_ok); }
    void silence_configuration() const { common_.template write<std::uint16_t>(field::config_vector, no_vector); }

    // How many buffers queue `queue` may have: a power of two. Errors: broken (no such queue, or a number that no queue may have: 2.6, 4.1.4.3).
    base::Result<std::uint16_t> queue_size(std::uint16_t queue) const {
        common_.template write<std::uint16_t>(field::queue_select, queue);
        const std::uint16_t size = common_.template read<std::uint16_t>(field::queue_size);
        if ((size == 0 || (size & (size - 1)) != 0) && !base::weakened(base::Weakness::queue_shape))
            return base::fail(base::Error::broken);
        return size;
    }
    // Enables queue `queue` with `size` buffers, no more than queue_size said; `vector`: of its interrupt, or no_vector. Errors: broken (its notifications would lie outside
    // of their structure), io (the device does not take the vector), bad_argument.
    base::Result<void> set_queue(std::uint16_t queue, std::uint16_t size, const QueueAddresses& addresses, std::uint16_t vector) {
        if (queue >= most_queues)
            return base::fail(base::Error::bad_argument);
        common_.template write<std::uint16_t>(field::queue_select, queue);
        common_.template write<std::uint16_t>(field::queue_size, size);
        write64(field::queue_descriptors, addresses.descriptors);
        write64(field::queue_driver, addresses.driver);
        write64(field::queue_device, addresses.device);
        common_.template write<std::uint16_t>(field::queue_vector, vector);
        if (common_.template read<std::uint16_t>(field::queue_vector) != vector)
            return base::fail(base::Error::io);
        const std::uint64_t where = std::uint64_t{common_.template read<std::uint16_t>(field::queue_notify_offset)} * notify_multiplier_;
        const bool within = where % 2 == 0 && where + 2 <= notify_.length();
        if (!within && !base::weakened(base::Weakness::notify_place))
            return base::fail(base::Error::broken);
        // Kept: what the device says later is not asked for.
        notify_at_[queue] = where;
        common_.template write<std::uint16_t>(field::queue_enable, 1);
        return {};
    }
    // Of a queue that set_queue enabled.
    void notify(std::uint16_t queue) const { notify_.template write<std::uint16_t>(notify_at_[queue], queue); }
    // A byte of the device-specific configuration; 0 behind its end.
    std::uint8_t config8(std::uint64_t offset) const {
        const bool within = offset < device_.length();
        return within || base::weakened(base::Weakness::config_place) ? device_.template read<std::uint8_t>(offset) : 0;
    }

private:
    void set_status(std::uint8_t value) const { common_.template write<std::uint8_t>(field::device_status, value); }
    void write64(std::uint64_t where, std::uint64_t value) const {
        common_.template write<std::uint32_t>(where, static_cast<std::uint32_t>(value));
        common_.template write<std::uint32_t>(where + 4, static_cast<std::uint32_t>(value >> 32));
    }

    Window common_, notify_, device_;
    std::uint32_t notify_multiplier_ = 0;
    std::uint64_t notify_at_[most_queues] = {};
};

// Whether a structure that the device describes lies in its BAR, with `least` bytes at least, at a multiple of `alignment`.
inline bool structure_lies_within(std::uint64_t offset, std::uint64_t length, std::uint64_t bar_bytes, std::uint64_t least, std::uint64_t alignment) {
    if (base::weakened(base::Weakness::structure_place))
        return true;
    return length >= least && offset % alignment == 0 && offset <= bar_bytes && length <= bar_bytes - offset;
}

} // namespace virtio
