#include "drivers/virtio/transport.hpp"

#include "abi/pci_client.hpp"
#include "lib/native/ipc.hpp"

namespace virtio {

namespace {

constexpr std::uint32_t common_structure = 1, notify_structure = 2, device_structure = 4; // 4.1.4

using Client = native::pci::Client<native::Caller>;

} // namespace

base::Result<Transport::Window> Transport::open_window(abi::Handle pci, std::uint32_t type, const Shape& shape, std::uint32_t& multiplier) {
    Client client(native::Caller{pci});
    const auto place = TRY(client.capability({type}));
    const auto bar = TRY(client.bar({place.bar}));
    const native::Owned device(bar.bar);
    if (!structure_lies_within(place.offset, place.length, bar.size, shape.least, shape.alignment))
        return base::fail(abi::Error::broken);
    multiplier = place.notify_multiplier;
    return Window(TRY(native::Mapping::device(device.get(), bar.size, abi::protection::read | abi::protection::write)), place.offset, place.length);
}

base::Result<Transport> Transport::open(abi::Handle pci) {
    Transport transport;
    transport.pci_ = pci;
    Client client(native::Caller{pci});
    (void)TRY(client.bus_master({false}));
    std::uint32_t multiplier = 0, unused = 0;
    Window common = TRY(open_window(pci, common_structure, {common_bytes, 4}, unused));
    Window notify = TRY(open_window(pci, notify_structure, {2, 2}, multiplier));
    // Devices without configuration have no such structure.
    auto device = open_window(pci, device_structure, {0, 4}, unused);
    transport.control_ = Control(std::move(common), std::move(notify), multiplier, device ? std::move(*device) : Window());
    TRY(transport.control_.reset());
    // Only now is it sure that the device has forgotten the rings of an earlier driver, whose memory this gives back.
    transport.dma_ = native::Owned(TRY(client.dma_space()).io_space);
    transport.control_.say_driver();
    (void)TRY(client.bus_master({true}));
    return transport;
}

void Transport::stop() const {
    // Without bus mastering it reaches no memory, whatever it makes of the reset.
    (void)Client(native::Caller{pci_}).bus_master({false});
    (void)control_.reset();
}

base::Result<void> Transport::bind_interrupt(abi::Handle notification, std::uint64_t bits) {
    Client client(native::Caller{pci_});
    interrupt_ = native::Owned(TRY(client.interrupt({0})).irq);
    TRY(native::call::irq_bind(interrupt_.get(), notification, bits));
    control_.silence_configuration();
    return {};
}

} // namespace virtio
