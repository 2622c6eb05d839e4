// What a driver may have of its PCI function: its memory, its interrupts, the right to read and write memory itself.
#pragma once
#include "drivers/pci/inventory.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

namespace pci {

class Functions {
public:
    // `device`: the machine's physical addresses; `irq`: the root interrupt capability; `io_space`: the root of
    // the IoSpaces. All borrowed.
    Functions(const Configuration& configuration, abi::Handle device, abi::Handle irq, abi::Handle io_space)
        : configuration_(configuration), inventory_(configuration), device_(device), irq_(irq), io_space_(io_space) {}

    // Errors: no_memory.
    base::Result<void> scan();
    const Inventory& inventory() const { return inventory_; }

    struct Slice {
        native::Owned device;
        std::uint64_t size;
    };
    // A memory BAR as a Device. Errors: as Inventory::bar, and those of device_slice.
    base::Result<Slice> bar(std::size_t function, std::uint32_t index) const;
    // MSI-X entry `index`, unmasked, with an interrupt of its own. Errors: not_found (no MSI-X), bad_argument, and those of the calls.
    base::Result<native::Owned> interrupt(std::size_t function, std::uint32_t index);
    void set_bus_master(std::size_t function, bool enable) const;
    // The function's own IoSpace, without pins. Errors: bad_state (bus mastering is on), and those of the calls.
    base::Result<native::Owned> dma_space(std::size_t function);

private:
    base::Result<native::Mapping> map_interrupt_table(const Function& function) const;

    const Configuration& configuration_;
    Inventory inventory_;
    base::Vector<native::Mapping> interrupt_tables_; // one a function, once a driver asked for an interrupt
    base::Vector<native::Owned> io_spaces_; // one a function, once a driver asked for it
    abi::Handle device_, irq_, io_space_;
};

} // namespace pci
