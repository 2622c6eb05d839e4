// The PCI functions of the machine, as their configuration space describes them. A device is hostile: what it says is read once, at the scan, and believed as far as it does
// not contradict itself, another device, or the end of the address space.
#pragma once
#include "drivers/pci/configuration.hpp"
#include "lib/base/result.hpp"
#include "lib/base/vector.hpp"

#include <span>

namespace pci {

struct Bar {
    std::uint64_t address = 0, size = 0; // size 0: no memory BAR, or nothing of it is known
};

// A structure of a virtio device (VirtIO 1.1, 4.1.4).
struct VirtioStructure {
    std::uint32_t type = 0, bar = 0;
    std::uint64_t offset = 0, length = 0;
    std::uint32_t notify_multiplier = 0;
};

// The MSI-X table (PCI Local Bus 3.0, 6.8.2).
struct InterruptTable {
    unsigned capability = 0; // its offset; 0: the function has none
    std::uint32_t bar = 0, offset = 0, count = 0;
};

struct Function {
    static constexpr unsigned bar_count = 6, most_structures = 16;
    Address address;
    std::uint16_t vendor = 0;
    std::uint16_t device = 0; // of a transitional virtio device: the modern number
    std::uint32_t class_code = 0;
    std::uint8_t revision = 0;
    Bar bars[bar_count];
    VirtioStructure structures[most_structures];
    unsigned structure_count = 0;
    InterruptTable interrupts;
};

class Inventory {
public:
    static constexpr std::size_t most_functions = 1024;
    static constexpr std::uint64_t table_entry_bytes = 16;

    // `configuration` is borrowed.
    explicit Inventory(const Configuration& configuration) : configuration_(configuration) {}

    // Looks at bus 0 and behind bridges, at each bus once. What is more than most_functions is left out. Errors: no_memory.
    base::Result<void> scan();
    std::size_t count() const { return functions_.size(); }
    const Function& operator[](std::size_t index) const { return functions_[index]; }
    // A driver's badge: vendor in bits 0-15, device in bits 16-31, in bits 32-39 which one of several. The value is an index. Errors: not_found.
    base::Result<std::size_t> find(std::uint64_t badge) const;

    // A memory BAR that is the function's alone, on pages of its own, and in which nothing of its interrupts lies: whoever writes the MSI-X table sends any processor any
    // interrupt. Errors: not_found, bad_argument (no such index).
    base::Result<Bar> bar(const Function& function, std::uint32_t index) const;
    // The first structure of a type that lies in its BAR. Errors: not_found.
    base::Result<VirtioStructure> structure(const Function& function, std::uint32_t type) const;
    // Where the MSI-X table lies in memory. Errors: not_found.
    base::Result<Bar> interrupt_table(const Function& function) const;

private:
    struct Capability {
        std::uint8_t id;
        unsigned offset;
    };
    static constexpr std::size_t most_capabilities = (config::end - config::first_capability) / 4;

    base::Result<void> scan_bus(std::uint8_t bus);
    base::Result<void> add(Address address);
    void read_bars(Function& function) const;
    std::size_t read_capabilities(Address address, std::span<Capability, most_capabilities> to) const;
    void read_structure(Function& function, unsigned offset) const;
    void read_interrupts(Function& function, unsigned offset) const;
    static void extend(Function& function, std::uint32_t bar, std::uint64_t end);
    bool overlaps_another(const Bar& bar) const;

    const Configuration& configuration_;
    base::Vector<Function> functions_;
    bool reachable_[256] = {}; // buses
};

} // namespace pci
