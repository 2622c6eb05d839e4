#include "kernel/device/device.hpp"

#include "kernel/arch/instructions.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/core/preempt.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

base::Result<base::Ref<Device>> Device::slice(Quota& quota, std::uint64_t base, std::uint64_t size) const {
    if (size == 0 || base % abi::page_size || size % abi::page_size) return std::unexpected(abi::Error::bad_argument);
    if (base < base_ || base - base_ > size_ || size > size_ - (base - base_)) return std::unexpected(abi::Error::bad_argument);
    // A device range over memory would be a way around every other capability.
    constexpr std::uint64_t pages_of_step = 1024;
    for (std::uint64_t page = base; page < base + size && page < frames::top(); page += abi::page_size) {
        if (frames::is_memory(page)) return std::unexpected(abi::Error::bad_argument);
        if (page / abi::page_size % pages_of_step == 0) preemption_point();
    }
    return make_object<Device>(quota, base, size);
}

base::Result<base::Ref<IoPort>> IoPort::slice(Quota& quota, std::uint32_t first, std::uint32_t count) const {
    const bool ends_within = base::weakened(base::Weakness::slice_bounds) ? first + count <= first_ + count_ : count <= count_ - (first - first_);
    if (count == 0 || first < first_ || first - first_ > count_ || !ends_within) {
        return std::unexpected(abi::Error::bad_argument);
    }
    return make_object<IoPort>(quota, first, count);
}

base::Result<std::uint32_t> IoPort::read(std::uint32_t port, std::uint32_t width) const {
    if (!covers(port, width)) return std::unexpected(abi::Error::bad_argument);
    const auto number = static_cast<std::uint16_t>(port);
    return width == 1 ? arch::in8(number) : width == 2 ? arch::in16(number) : arch::in32(number);
}

base::Result<void> IoPort::write(std::uint32_t port, std::uint32_t width, std::uint32_t value) const {
    if (!covers(port, width)) return std::unexpected(abi::Error::bad_argument);
    const auto number = static_cast<std::uint16_t>(port);
    if (width == 1) {
        arch::out8(number, static_cast<std::uint8_t>(value));
    } else if (width == 2) {
        arch::out16(number, static_cast<std::uint16_t>(value));
    } else {
        arch::out32(number, value);
    }
    return {};
}

base::Result<std::uint64_t> IoSpace::map(Memory& memory) {
    LockGuard guard(lock_);
    const Memory::Pin pin = TRY(memory.pin(*this));
    if (!pin.fresh) return pin.address;
    if (pins_ == max_pins) {
        memory.unpin();
        return std::unexpected(abi::Error::no_slots);
    }
    if (base::weakened(base::Weakness::device_pin)) return pin.address;
    memory.retain();
    pinned_.push_back(memory);
    if (pins_++ == 0) retain();
    return pin.address;
}

void IoSpace::release_pins() {
    std::size_t left = 0;
    {
        LockGuard guard(lock_);
        left = pins_;
    }
    for (; left; --left) {
        base::Ref<Memory> memory;
        bool last = false;
        {
            LockGuard guard(lock_);
            // Another release may have come first.
            Memory* const first = pinned_.pop_front();
            if (!first) return;
            first->unpin();
            memory = base::Ref<Memory>::adopt(*first);
            last = --pins_ == 0;
        }
        memory = nullptr;
        // The caller has a reference of its own.
        if (last) release();
        preemption_point();
    }
}

} // namespace kernel
