// The modern PCI transport of a virtio device (VirtIO 1.1, 4.1), over the PCI server.
#pragma once
#include "abi/types.hpp"
#include "lib/base/result.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

#include <cstdint>

namespace virtio {

inline constexpr std::uint64_t feature_version_1 = std::uint64_t{1} << 32;

class Transport {
public:
    // `pci`: endpoint badged for the device. Maps the structures, resets the device and says that there is a driver. Errors: not_found, broken (structures that
    // lie outside their BARs), and those of the calls.
    static base::Result<Transport> open(abi::Handle pci);

    // Takes of `wanted` what the device offers; version 1 is required. Errors: not_supported.
    base::Result<std::uint64_t> negotiate(std::uint64_t wanted);
    // Interrupt of all queues: bound to `notification` with `bits`.
    base::Result<void> bind_interrupt(abi::Handle notification, std::uint64_t bits);
    void acknowledge() const { (void)native::call::irq_acknowledge(interrupt_.get()); }
    std::uint16_t queue_size(std::uint16_t queue) const; // 0: no such queue
    // Ring addresses are the device's. Errors: not_found, broken.
    base::Result<void> set_queue(std::uint16_t queue, std::uint16_t size, std::uint64_t descriptors, std::uint64_t driver, std::uint64_t device);
    void driver_ok() const;
    void reset() const;
    void notify(std::uint16_t queue) const;
    std::uint8_t config8(unsigned offset) const; // device-specific configuration; 0 behind its end
    // The space that the device reads and writes memory through.
    abi::Handle dma() const { return dma_.get(); }

private:
    struct Window {
        native::Mapping mapping;
        std::uint64_t offset = 0, length = 0;
        template <class T> volatile T* at(std::uint64_t where) const { return reinterpret_cast<volatile T*>(mapping.address() + offset + where); }
    };
    Transport() = default;
    base::Result<Window> open_window(std::uint32_t type, std::uint64_t least, std::uint32_t& multiplier);

    abi::Handle pci_ = abi::no_handle;
    native::Owned interrupt_, dma_;
    Window common_, notify_, device_;
    std::uint32_t notify_multiplier_ = 0;
};

} // namespace virtio
