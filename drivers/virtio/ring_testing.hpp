// A ring in memory of the tests' own, and the device's side of it: it can write what it likes.
#pragma once
#include "drivers/virtio/ring.hpp"

#include <cstring>
#include <memory>
#include <utility>

namespace virtio {

class TestRing {
public:
    static constexpr std::uint64_t bus = 0x1234'5000;

    // Exactly the ring's bytes, so that AddressSanitizer sees every step out of it.
    TestRing(std::uint16_t size, std::uint32_t buffer_bytes, Ring::Direction direction)
        : size_(size), bytes_(Ring::bytes_for(size, buffer_bytes)), memory_(new(std::align_val_t{4096}) std::byte[bytes_]{}),
          ring({memory_.get(), bytes_}, bus, size, buffer_bytes, direction) {}

    // Gives `count` buffers and makes them visible.
    void give(unsigned count, std::uint32_t length) {
        std::uint16_t id = 0;
        while (count-- > 0 && ring.take_free(id))
            ring.give(id, length);
        (void)ring.publish();
    }

    // --- the device
    std::uint16_t available() const { return load<std::uint16_t>(driver() + 2); }
    std::uint16_t available_id(std::uint16_t index) const { return load<std::uint16_t>(driver() + 4 + 2 * (index % size_)); }
    std::uint32_t descriptor_length(std::uint16_t id) const { return load<std::uint32_t>(16 * std::uint64_t{id} + 8); }
    void set_used(std::uint16_t place, std::uint32_t id, std::uint32_t length) {
        store(device() + 4 + 8 * (place % size_), id);
        store(device() + 8 + 8 * (place % size_), length);
    }
    void set_used_index(std::uint16_t index) { store(device() + 2, index); }
    void set_flags(std::uint16_t flags) { store(device(), flags); }
    // As an honest device answers.
    void use(std::uint32_t id, std::uint32_t length) {
        set_used(used_, id, length);
        set_used_index(++used_);
    }
    std::span<std::byte> all() { return {memory_.get(), bytes_}; }
    std::uint64_t device() const { return ring.addresses().device - bus; }
    std::uint64_t driver() const { return ring.addresses().driver - bus; }

private:
    struct Free {
        void operator()(std::byte* memory) const { operator delete[](memory, std::align_val_t{4096}); }
    };
    template <class T> T load(std::uint64_t offset) const {
        T value;
        std::memcpy(&value, memory_.get() + offset, sizeof value);
        return value;
    }
    template <class T> void store(std::uint64_t offset, T value) { std::memcpy(memory_.get() + offset, &value, sizeof value); }

    std::uint16_t size_, used_ = 0;
    std::size_t bytes_;
    std::unique_ptr<std::byte[], Free> memory_;

public:
    Ring ring;
};

} // namespace virtio
