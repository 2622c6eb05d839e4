// The PCI functions of the machine, and what a driver may have of its own.
#pragma once
#include "drivers/pci/configuration.hpp"
#include "lib/base/result.hpp"
#include "lib/base/vector.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

namespace pci {

struct Bar {
    std::uint64_t address = 0, size = 0; // size 0: no memory BAR, or nothing of it is known
};

struct Function {
    static constexpr unsigned bar_count = 6;
    Address address;
    std::uint16_t vendor = 0;
    std::uint16_t device = 0; // of a transitional virtio device: the modern number
    std::uint32_t class_code = 0;
    std::uint8_t revision = 0;
    Bar bars[bar_count];
    native::Mapping interrupt_table; // MSI-X, once a driver asked for an interrupt
    std::uint32_t interrupt_count = 0;
};

// A structure of a virtio device (VirtIO 1.1, 4.1.4).
struct VirtioStructure {
    std::uint32_t bar = 0;
    std::uint64_t offset = 0, length = 0;
    std::uint32_t notify_multiplier = 0;
};

class Functions {
public:
    // `device`: the machine's physical addresses; `irq`: the root interrupt capability. Borrowed.
    Functions(Configuration configuration, abi::Handle device, abi::Handle irq) : configuration_(configuration), device_(device), irq_(irq) {}

    // Looks at bus 0 and behind bridges. Errors: no_memory.
    base::Result<void> scan();
    std::size_t count() const { return functions_.size(); }
    // A driver's badge: vendor in bits 0-15, device in bits 16-31, in bits 32-39 which one of several. Errors: not_found.
    base::Result<Function*> find(std::uint64_t badge);

    // A memory BAR as a Device. Errors: not_found, bad_argument, and those of device_slice.
    base::Result<native::Owned> bar(const Function& function, std::uint32_t index) const;
    base::Result<VirtioStructure> structure(const Function& function, std::uint32_t type) const;
    // MSI-X entry `index`, unmasked, with an interrupt of its own. Errors: not_found (no MSI-X), bad_argument, and those of the calls.
    base::Result<native::Owned> interrupt(Function& function, std::uint32_t index) const;
    void set_bus_master(const Function& function, bool enable) const;

private:
    static constexpr unsigned most_buses_deep = 8;
    base::Result<void> scan_bus(std::uint8_t bus, unsigned depth);
    base::Result<void> add(Address address);
    void read_bars(Function& function) const;
    bool overlaps_another(const Bar& bar) const;
    // The offset of a capability, the first behind `after` (0: of all); 0: none.
    unsigned capability(const Function& function, std::uint8_t id, unsigned after) const;
    base::Result<void> map_interrupt_table(Function& function, unsigned capability) const;

    Configuration configuration_;
    abi::Handle device_, irq_;
    base::Vector<Function> functions_;
};

} // namespace pci
