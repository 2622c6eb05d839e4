#include "drivers/pci/functions.hpp"

#include "abi/info.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

namespace pci {

base::Result<void> Functions::scan() {
    TRY(inventory_.scan());
    while (interrupt_tables_.size() < inventory_.count())
        TRY(interrupt_tables_.push_back(native::Mapping()));
    while (io_spaces_.size() < inventory_.count())
        TRY(io_spaces_.push_back(native::Owned()));
    return {};
}

base::Result<Functions::Slice> Functions::bar(std::size_t function, std::uint32_t index) const {
    const Bar bar = TRY(inventory_.bar(inventory_[function], index));
    return Slice{TRY(native::own(native::call::device_slice(device_, native::self().quota, bar.address, bar.size))), bar.size};
}

base::Result<native::Mapping> Functions::map_interrupt_table(const Function& function) const {
    const Bar table = TRY(inventory_.interrupt_table(function));
    // The rest of the mapping is not used.
    if (table.address % abi::page_size != 0)
        return base::fail(abi::Error::not_supported);
    const std::uint64_t length = native::page_round(table.size);
    const native::Owned slice = TRY(native::own(native::call::device_slice(device_, native::self().quota, table.address, length)));
    return native::Mapping::device(slice.get(), length, abi::protection::read | abi::protection::write);
}

base::Result<native::Owned> Functions::interrupt(std::size_t index_of_function, std::uint32_t index) {
    const Function& function = inventory_[index_of_function];
    native::Mapping& table = interrupt_tables_[index_of_function];
    if (!table)
        table = TRY(map_interrupt_table(function));
    if (index >= function.interrupts.count)
        return base::fail(abi::Error::bad_argument);
    native::Owned irq = TRY(native::own(native::call::irq_create(irq_, native::self().quota, UINT64_MAX, 0)));
    abi::IrqInfo info{};
    TRY(native::call::irq_inspect(irq.get(), info));
    auto* const entry = table.as<volatile std::uint32_t>(index * Inventory::table_entry_bytes);
    entry[0] = static_cast<std::uint32_t>(info.message_address);
    entry[1] = static_cast<std::uint32_t>(info.message_address >> 32);
    entry[2] = info.message_data;
    entry[3] = 0; // not masked
    constexpr std::uint16_t enable = 0x8000, mask_all = 0x4000;
    const unsigned control_at = function.interrupts.capability + 2;
    const std::uint16_t control = configuration_.read16(function.address, control_at);
    configuration_.write16(function.address, control_at, static_cast<std::uint16_t>((control | enable) & ~mask_all));
    return irq;
}

void Functions::set_bus_master(std::size_t function, bool enable) const {
    const Address address = inventory_[function].address;
    const std::uint16_t before = configuration_.read16(address, config::command);
    const std::uint16_t wanted = static_cast<std::uint16_t>(config::command_memory | (enable ? before | config::command_master : before & ~config::command_master));
    if (wanted != before)
        configuration_.write16(address, config::command, wanted);
}

base::Result<native::Owned> Functions::dma_space(std::size_t function) {
    // Only what the register says counts: the memory of the last driver goes back to the kernel here.
    if (configuration_.read16(inventory_[function].address, config::command) & config::command_master)
        return base::fail(abi::Error::bad_state);
    native::Owned& own = io_spaces_[function];
    if (own.get() == abi::no_handle)
        own = native::Owned(TRY(native::call::io_space_create(io_space_, native::self().quota)));
    TRY(native::call::io_space_release(own.get()));
    return native::Owned(TRY(native::call::handle_duplicate(own.get(), abi::right::map | abi::right::inspect | abi::right::transfer, 0, abi::no_handle)));
}

} // namespace pci
