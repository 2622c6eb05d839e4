#include "drivers/pci/functions.hpp"

#include "abi/info.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

#include <algorithm>

namespace pci {

namespace {

constexpr std::uint16_t no_vendor = 0xffff, virtio_vendor = 0x1af4;
constexpr std::uint16_t virtio_transitional = 0x1000, virtio_modern = 0x1040;
constexpr std::uint8_t capability_vendor = 0x09, capability_msix = 0x11;
constexpr std::uint64_t table_entry_bytes = 16;

} // namespace

base::Result<void> Functions::scan() { return scan_bus(0, 0); }

base::Result<void> Functions::scan_bus(std::uint8_t bus, unsigned depth) {
    if (depth > most_buses_deep)
        return {};
    for (std::uint8_t device = 0; device < 32; ++device)
        for (std::uint8_t function = 0; function < 8; ++function) {
            const Address address{bus, device, function};
            if (configuration_.read16(address, config::vendor) == no_vendor) {
                if (function == 0)
                    break;
                continue;
            }
            const std::uint8_t type = configuration_.read8(address, config::header_type);
            if ((type & 0x7f) == 0) {
                TRY(add(address));
            } else if ((type & 0x7f) == 1) {
                const std::uint8_t behind = configuration_.read8(address, config::secondary_bus);
                if (behind > bus)
                    TRY(scan_bus(behind, depth + 1));
            }
            if (function == 0 && (type & 0x80) == 0)
                break;
        }
    return {};
}

base::Result<void> Functions::add(Address address) {
    Function function;
    function.address = address;
    function.vendor = configuration_.read16(address, config::vendor);
    function.device = configuration_.read16(address, config::device);
    function.class_code = configuration_.read32(address, config::revision) >> 8;
    function.revision = configuration_.read8(address, config::revision);
    // A transitional device has its type in the subsystem's number.
    if (function.vendor == virtio_vendor && function.device >= virtio_transitional && function.device < virtio_modern)
        function.device = static_cast<std::uint16_t>(virtio_modern + configuration_.read16(address, config::subsystem));
    read_bars(function);
    return functions_.push_back(std::move(function));
}

// Where the firmware put the BARs. Their sizes are not probed: that means moving BARs about on a machine whose other processors run. A BAR is as long as the
// structures that the device's own capabilities place in it.
void Functions::read_bars(Function& function) const {
    for (unsigned i = 0; i < Function::bar_count; ++i) {
        const unsigned offset = config::bar0 + 4 * i;
        const std::uint32_t low = configuration_.read32(function.address, offset);
        if ((low & 1) != 0)
            continue; // ports
        const bool wide = (low & 6) == 4 && i + 1 < Function::bar_count;
        const std::uint32_t high = wide ? configuration_.read32(function.address, offset + 4) : 0;
        function.bars[i].address = (low & ~15u) | std::uint64_t{high} << 32;
        if (wide)
            ++i;
    }
    const auto extend = [&](std::uint32_t bar, std::uint64_t end) {
        if (bar < Function::bar_count && function.bars[bar].address != 0)
            function.bars[bar].size = std::max(function.bars[bar].size, native::page_round(end));
    };
    for (unsigned at = capability(function, capability_vendor, 0); at != 0; at = capability(function, capability_vendor, at))
        extend(configuration_.read8(function.address, at + 4),
               std::uint64_t{configuration_.read32(function.address, at + 8)} + configuration_.read32(function.address, at + 12));
    if (const unsigned at = capability(function, capability_msix, 0); at != 0) {
        const std::uint32_t table = configuration_.read32(function.address, at + 4);
        extend(table & 7, (table & ~7u) + std::uint64_t{(configuration_.read16(function.address, at + 2) & 0x7ffu) + 1} * table_entry_bytes);
    }
}

// What a driver gets must be its device's alone: no other BAR may begin inside.
bool Functions::overlaps_another(const Bar& bar) const {
    for (const Function& function : functions_)
        for (const Bar& other : function.bars)
            if (other.address > bar.address && other.address < bar.address + bar.size)
                return true;
    return false;
}

base::Result<Function*> Functions::find(std::uint64_t badge) {
    std::uint64_t left = badge >> 32 & 0xff;
    for (Function& function : functions_)
        if (function.vendor == (badge & 0xffff) && function.device == (badge >> 16 & 0xffff) && left-- == 0)
            return &function;
    return base::fail(abi::Error::not_found);
}

base::Result<native::Owned> Functions::bar(const Function& function, std::uint32_t index) const {
    if (index >= Function::bar_count)
        return base::fail(abi::Error::bad_argument);
    const Bar& bar = function.bars[index];
    if (bar.size == 0 || bar.address == 0)
        return base::fail(abi::Error::not_found);
    if (bar.address % abi::page_size != 0 || overlaps_another(bar))
        return base::fail(abi::Error::not_found);
    return native::own(native::call::device_slice(device_, native::self().quota, bar.address, bar.size));
}

unsigned Functions::capability(const Function& function, std::uint8_t id, unsigned after) const {
    if ((configuration_.read16(function.address, config::status) & config::status_capabilities) == 0)
        return 0;
    bool passed = after == 0;
    unsigned at = configuration_.read8(function.address, config::capabilities) & 0xfcu;
    // A list that runs in a circle ends here.
    for (unsigned i = 0; at >= 0x40 && i < 48; ++i) {
        if (passed && configuration_.read8(function.address, at) == id)
            return at;
        passed |= at == after;
        at = configuration_.read8(function.address, at + 1) & 0xfcu;
    }
    return 0;
}

base::Result<VirtioStructure> Functions::structure(const Function& function, std::uint32_t type) const {
    for (unsigned at = capability(function, capability_vendor, 0); at != 0; at = capability(function, capability_vendor, at)) {
        if (configuration_.read8(function.address, at + 3) != type)
            continue;
        VirtioStructure structure;
        structure.bar = configuration_.read8(function.address, at + 4);
        structure.offset = configuration_.read32(function.address, at + 8);
        structure.length = configuration_.read32(function.address, at + 12);
        if (structure.bar >= Function::bar_count || structure.offset + structure.length > function.bars[structure.bar].size)
            continue;
        constexpr std::uint32_t notify = 2;
        if (type == notify)
            structure.notify_multiplier = configuration_.read32(function.address, at + 16);
        return structure;
    }
    return base::fail(abi::Error::not_found);
}

base::Result<void> Functions::map_interrupt_table(Function& function, unsigned at) const {
    const std::uint32_t table = configuration_.read32(function.address, at + 4);
    const std::uint32_t index = table & 7;
    const std::uint64_t offset = table & ~7u;
    const std::uint32_t count = (configuration_.read16(function.address, at + 2) & 0x7ffu) + 1;
    if (index >= Function::bar_count || function.bars[index].address == 0 || offset + count * table_entry_bytes > function.bars[index].size)
        return base::fail(abi::Error::not_found);
    const std::uint64_t begin = function.bars[index].address + offset;
    const std::uint64_t page = begin & ~(abi::page_size - 1);
    const std::uint64_t length = native::page_round(begin + count * table_entry_bytes - page);
    const native::Owned slice = TRY(native::own(native::call::device_slice(device_, native::self().quota, page, length)));
    // The table may begin inside a page; the rest of the mapping is not used.
    if (begin != page)
        return base::fail(abi::Error::not_supported);
    function.interrupt_table = TRY(native::Mapping::device(slice.get(), length, abi::protection::read | abi::protection::write));
    function.interrupt_count = count;
    return {};
}

base::Result<native::Owned> Functions::interrupt(Function& function, std::uint32_t index) const {
    const unsigned at = capability(function, capability_msix, 0);
    if (at == 0)
        return base::fail(abi::Error::not_found);
    if (!function.interrupt_table)
        TRY(map_interrupt_table(function, at));
    if (index >= function.interrupt_count)
        return base::fail(abi::Error::bad_argument);
    native::Owned irq = TRY(native::own(native::call::irq_create(irq_, native::self().quota, UINT64_MAX, 0)));
    abi::IrqInfo info{};
    TRY(native::call::irq_inspect(irq.get(), info));
    auto* const entry = function.interrupt_table.as<volatile std::uint32_t>(index * table_entry_bytes);
    entry[0] = static_cast<std::uint32_t>(info.message_address);
    entry[1] = static_cast<std::uint32_t>(info.message_address >> 32);
    entry[2] = info.message_data;
    entry[3] = 0; // not masked
    constexpr std::uint16_t enable = 0x8000, mask_all = 0x4000;
    const std::uint16_t control = configuration_.read16(function.address, at + 2);
    configuration_.write16(function.address, at + 2, static_cast<std::uint16_t>((control | enable) & ~mask_all));
    return irq;
}

void Functions::set_bus_master(const Function& function, bool enable) const {
    const std::uint16_t before = configuration_.read16(function.address, config::command);
    const std::uint16_t wanted = static_cast<std::uint16_t>(config::command_memory | (enable ? before | config::command_master : before & ~config::command_master));
    if (wanted != before)
        configuration_.write16(function.address, config::command, wanted);
}

} // namespace pci
