// The modern PCI transport of a virtio device (VirtIO 1.1, 4.1), over the PCI server.
#pragma once
#include "abi/types.hpp"
#include "drivers/virtio/control.hpp"
#include "lib/base/result.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

#include <cstdint>

namespace virtio {

class Transport {
public:
    // `pci`: endpoint badged for the device. Maps the structures, resets the device and says that there is a driver. Errors: not_found, broken (structures that
    // lie outside their BARs), io (a reset without end), and those of the calls.
    static base::Result<Transport> open(abi::Handle pci);
    // The device reads and writes no memory from here on: to be called before that of its queues goes.
    void stop() const;

    // Takes of `wanted` what the device offers; version 1 is required. Errors: not_supported.
    base::Result<std::uint64_t> negotiate(std::uint64_t wanted) const { return control_.negotiate(wanted); }
    // Interrupt of all queues: bound to `notification` with `bits`.
    base::Result<void> bind_interrupt(abi::Handle notification, std::uint64_t bits);
    void acknowledge() const { (void)native::call::irq_acknowledge(interrupt_.get()); }
    // Errors: broken.
    base::Result<std::uint16_t> queue_size(std::uint16_t queue) const { return control_.queue_size(queue); }
    // Errors: broken, io, bad_argument.
    base::Result<void> set_queue(std::uint16_t queue, std::uint16_t size, const QueueAddresses& addresses) {
        return control_.set_queue(queue, size, addresses, interrupt_ ? 0 : no_vector);
    }
    void driver_ok() const { control_.driver_ok(); }
    void notify(std::uint16_t queue) const { control_.notify(queue); }
    std::uint8_t config8(unsigned offset) const { return control_.config8(offset); } // device-specific configuration; 0 behind its end
    // The space that the device reads and writes memory through.
    abi::Handle dma() const { return dma_.get(); }

private:
    class Window {
    public:
        Window() = default;
        Window(native::Mapping mapping, std::uint64_t offset, std::uint64_t length) : mapping_(std::move(mapping)), offset_(offset), length_(length) {}
        std::uint64_t length() const { return length_; }
        template <class T> T read(std::uint64_t where) const { return *mapping_.as<const volatile T>(offset_ + where); }
        template <class T> void write(std::uint64_t where, T value) const { *mapping_.as<volatile T>(offset_ + where) = value; }

    private:
        native::Mapping mapping_;
        std::uint64_t offset_ = 0, length_ = 0;
    };
    // What a structure has at least, and what its offset is a multiple of (4.1.4).
    struct Shape {
        std::uint64_t least, alignment;
    };
    Transport() = default;
    static base::Result<Window> open_window(abi::Handle pci, std::uint32_t type, const Shape& shape, std::uint32_t& multiplier);

    abi::Handle pci_ = abi::no_handle;
    native::Owned interrupt_, dma_;
    Control<Window> control_;
};

} // namespace virtio
