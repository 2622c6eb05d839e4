// What drivers hold: ranges of device memory, I/O ports, and the view that devices have of memory.
#pragma once
#include <cstdint>

#include "kernel/space/memory.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/list.hpp"

namespace kernel {

// A range of physical addresses that is not memory. Page-aligned.
class Device final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::device;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::read | abi::right::write;

    Device(std::uint64_t base, std::uint64_t size) : Object(object_kind), base_(base), size_(size) {}

    std::uint64_t base() const { return base_; }
    std::uint64_t size() const { return size_; }
    // Errors: bad_argument (not aligned, not within this range, touches memory that the kernel manages).
    base::Result<base::Ref<Device>> slice(Quota& quota, std::uint64_t base, std::uint64_t size) const;

private:
    std::uint64_t base_;
    std::uint64_t size_;
};

// A range of x86 I/O ports.
class IoPort final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::io_port;
    static constexpr abi::Rights rights = Device::rights;

    IoPort(std::uint32_t first, std::uint32_t count) : Object(object_kind), first_(first), count_(count) {}

    // Errors: bad_argument.
    base::Result<base::Ref<IoPort>> slice(Quota& quota, std::uint32_t first, std::uint32_t count) const;
    // `width` 1, 2 or 4; all of its ports in the range. Errors: bad_argument.
    base::Result<std::uint32_t> read(std::uint32_t port, std::uint32_t width) const;
    base::Result<void> write(std::uint32_t port, std::uint32_t width, std::uint32_t value) const;

private:
    bool covers(std::uint32_t port, std::uint32_t width) const {
        return (width == 1 || width == 2 || width == 4) && port >= first_ && port - first_ <= count_ && width <= count_ - (port - first_);
    }

    std::uint32_t first_;
    std::uint32_t count_;
};

// The addresses that devices use. Without an IOMMU they are physical addresses, and a driver is trusted with all memory; the object holds a reference to what is given
// to devices, so that no frame goes back to the allocator while a device may write to it. That ends by `release` alone: an IoSpace with pins stays, with or without
// handles, since memory that is lost harms less than memory that a device still writes to.
class IoSpace final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::io_space;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::map |
                                          abi::right::control;
    static constexpr std::size_t max_pins = 4096;

    IoSpace() : Object(object_kind) {}

    // The device's address of a contiguous Memory, pinned from here on. Once more in the same IoSpace, nothing changes. Errors: bad_state (see `Memory::pin`), no_slots
    // (max_pins).
    base::Result<std::uint64_t> map(Memory& memory);
    // Gives up the pins that are there. In steps; no locks held.
    void release_pins();

private:
    SpinLock lock_{LockRank::io_space};
    base::List<Memory, InIoSpace> pinned_ BASE_GUARDED_BY(lock_); // a reference each; this object's own one for all of them
    std::size_t pins_ BASE_GUARDED_BY(lock_) = 0;
};

} // namespace kernel
