#include "drivers/pci/inventory.hpp"

#include "lib/base/weaken.hpp"

#include <algorithm>

namespace pci {

namespace {

constexpr std::uint16_t no_vendor = 0xffff, virtio_vendor = 0x1af4;
constexpr std::uint16_t virtio_transitional = 0x1000, virtio_modern = 0x1040;
constexpr std::uint8_t capability_vendor = 0x09, capability_msix = 0x11;
constexpr std::uint32_t notify_structure = 2;
constexpr unsigned structure_bytes = 16, notify_structure_bytes = 20, interrupts_bytes = 12;

constexpr std::uint64_t page_round(std::uint64_t length) { return (length + abi::page_size - 1) & ~(abi::page_size - 1); }

// Whether a capability of `bytes` ends within configuration space.
bool ends_within(unsigned offset, unsigned bytes) { return offset + bytes <= config::end || base::weakened(base::Weakness::capability_place); }

} // namespace

base::Result<void> Inventory::scan() {
    reachable_[0] = true;
    // A bridge leads to a higher bus only, so this order reaches all, and none twice.
    for (unsigned bus = 0; bus < 256; ++bus)
        if (reachable_[bus])
            TRY(scan_bus(static_cast<std::uint8_t>(bus)));
    return {};
}

base::Result<void> Inventory::scan_bus(std::uint8_t bus) {
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
                if (const std::uint8_t behind = configuration_.read8(address, config::secondary_bus); behind > bus)
                    reachable_[behind] = true;
            }
            if (function == 0 && (type & 0x80) == 0)
                break;
        }
    return {};
}

base::Result<void> Inventory::add(Address address) {
    if (functions_.size() == most_functions)
        return {};
    Function function;
    function.address = address;
    function.vendor = configuration_.read16(address, config::vendor);
    function.device = configuration_.read16(address, config::device);
    const std::uint32_t kind = configuration_.read32(address, config::revision);
    function.class_code = kind >> 8;
    function.revision = static_cast<std::uint8_t>(kind);
    // A transitional device has its type in the subsystem's number.
    if (function.vendor == virtio_vendor && function.device >= virtio_transitional && function.device < virtio_modern)
        function.device = static_cast<std::uint16_t>(virtio_modern + configuration_.read16(address, config::subsystem));
    read_bars(function);
    Capability capabilities[most_capabilities];
    const std::size_t count = read_capabilities(address, capabilities);
    for (const Capability& capability : std::span(capabilities).first(count)) {
        if (capability.id == capability_vendor)
            read_structure(function, capability.offset);
        else if (capability.id == capability_msix && function.interrupts.capability == 0)
            read_interrupts(function, capability.offset);
    }
    return functions_.push_back(std::move(function));
}

// Where the firmware put the BARs. Their sizes are not probed: that means moving BARs about on a machine whose other processors run. A BAR is as long as the
// structures that the device's own capabilities place in it.
void Inventory::read_bars(Function& function) const {
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
}

std::size_t Inventory::read_capabilities(Address address, std::span<Capability, most_capabilities> to) const {
    if ((configuration_.read16(address, config::status) & config::status_capabilities) == 0)
        return 0;
    bool visited[config::end / 4] = {};
    std::size_t count = 0;
    unsigned at = configuration_.read8(address, config::capabilities) & 0xfcu;
    while (at >= config::first_capability) {
        // A list that runs in a circle ends here, and so no list is longer than `to`.
        if (visited[at / 4] && !base::weakened(base::Weakness::capability_circle))
            break;
        visited[at / 4] = true;
        const std::uint32_t head = configuration_.read32(address, at);
        if (count < to.size())
            to[count++] = {static_cast<std::uint8_t>(head), at};
        at = head >> 8 & 0xfcu;
    }
    return count;
}

void Inventory::extend(Function& function, std::uint32_t bar, std::uint64_t end) {
    if (bar >= Function::bar_count || function.bars[bar].address == 0)
        return;
    const std::uint64_t size = page_round(end);
    if (size > UINT64_MAX - function.bars[bar].address && !base::weakened(base::Weakness::bar_wrap))
        return;
    function.bars[bar].size = std::max(function.bars[bar].size, size);
}

void Inventory::read_structure(Function& function, unsigned offset) const {
    if (function.structure_count == Function::most_structures || !ends_within(offset, structure_bytes))
        return;
    VirtioStructure structure;
    structure.type = configuration_.read8(function.address, offset + 3);
    structure.bar = configuration_.read8(function.address, offset + 4);
    structure.offset = configuration_.read32(function.address, offset + 8);
    structure.length = configuration_.read32(function.address, offset + 12);
    if (structure.type == notify_structure) {
        if (!ends_within(offset, notify_structure_bytes))
            return;
        structure.notify_multiplier = configuration_.read32(function.address, offset + 16);
    }
    extend(function, structure.bar, structure.offset + structure.length);
    function.structures[function.structure_count++] = structure;
}

void Inventory::read_interrupts(Function& function, unsigned offset) const {
    if (!ends_within(offset, interrupts_bytes))
        return;
    const std::uint32_t table = configuration_.read32(function.address, offset + 4);
    const std::uint32_t count = (configuration_.read16(function.address, offset + 2) & 0x7ffu) + 1;
    function.interrupts = {offset, table & 7, table & ~7u, count};
    extend(function, table & 7, (table & ~7u) + count * table_entry_bytes);
}

base::Result<std::size_t> Inventory::find(std::uint64_t badge) const {
    std::uint64_t left = badge >> 32 & 0xff;
    for (std::size_t i = 0; i < functions_.size(); ++i)
        if (functions_[i].vendor == (badge & 0xffff) && functions_[i].device == (badge >> 16 & 0xffff) && left-- == 0)
            return i;
    return base::fail(abi::Error::not_found);
}

// What a driver gets must be its device's alone: no other BAR may begin inside, nor reach into it. `bar` is one of those in the list.
bool Inventory::overlaps_another(const Bar& bar) const {
    const auto begins_inside = [](const Bar& inner, const Bar& outer) { return inner.address - outer.address < outer.size; };
    for (const Function& function : functions_)
        for (const Bar& other : function.bars)
            if (&other != &bar && other.address != 0 && (begins_inside(other, bar) || begins_inside(bar, other)))
                return true;
    return false;
}

base::Result<Bar> Inventory::bar(const Function& function, std::uint32_t index) const {
    if (index >= Function::bar_count)
        return base::fail(abi::Error::bad_argument);
    const Bar& bar = function.bars[index];
    if (bar.size == 0 || bar.address == 0 || bar.address % abi::page_size != 0)
        return base::fail(abi::Error::not_found);
    if (function.interrupts.capability != 0 && function.interrupts.bar == index && !base::weakened(base::Weakness::bar_table))
        return base::fail(abi::Error::not_found);
    if (overlaps_another(bar) && !base::weakened(base::Weakness::bar_alone))
        return base::fail(abi::Error::not_found);
    return bar;
}

base::Result<VirtioStructure> Inventory::structure(const Function& function, std::uint32_t type) const {
    for (const VirtioStructure& structure : std::span(function.structures).first(function.structure_count))
        if (structure.type == type && structure.bar < Function::bar_count && structure.offset + structure.length <= function.bars[structure.bar].size)
            return structure;
    return base::fail(abi::Error::not_found);
}

base::Result<Bar> Inventory::interrupt_table(const Function& function) const {
    const InterruptTable& table = function.interrupts;
    const std::uint64_t bytes = table.count * table_entry_bytes;
    if (table.capability == 0 || table.bar >= Function::bar_count || function.bars[table.bar].address == 0 || table.offset + bytes > function.bars[table.bar].size)
        return base::fail(abi::Error::not_found);
    return Bar{function.bars[table.bar].address + table.offset, bytes};
}

} // namespace pci
