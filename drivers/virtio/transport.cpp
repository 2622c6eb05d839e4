#include "drivers/virtio/transport.hpp"

#include "abi/pci_client.hpp"
#include "lib/native/ipc.hpp"

namespace virtio {

namespace {

// Structures (4.1.4) and the common configuration's fields (4.1.4.3).
constexpr std::uint32_t common_structure = 1, notify_structure = 2, device_structure = 4;
constexpr std::uint64_t device_feature_select = 0, device_feature = 4, driver_feature_select = 8, driver_feature = 12, config_vector = 16, device_status = 20,
                        queue_select = 22, queue_size_field = 24, queue_vector = 26, queue_enable = 28, queue_notify_offset = 30, queue_descriptors = 32, queue_driver = 40,
                        queue_device = 48, common_bytes = 56;
constexpr std::uint8_t status_acknowledge = 1, status_driver = 2, status_driver_ok = 4, status_features_ok = 8;
constexpr std::uint16_t no_vector = 0xffff;

using Client = native::pci::Client<native::Caller>;

} // namespace

base::Result<Transport::Window> Transport::open_window(std::uint32_t type, std::uint64_t least, std::uint32_t& multiplier) {
    Client client(native::Caller{pci_});
    const auto place = TRY(client.capability({type}));
    const auto bar = TRY(client.bar({place.bar}));
    const native::Owned device(bar.bar);
    if (place.length < least || place.offset > bar.size || place.length > bar.size - place.offset)
        return base::fail(abi::Error::broken);
    Window window;
    window.mapping = TRY(native::Mapping::device(device.get(), bar.size, abi::protection::read | abi::protection::write));
    window.offset = place.offset;
    window.length = place.length;
    multiplier = place.notify_multiplier;
    return window;
}

base::Result<Transport> Transport::open(abi::Handle pci) {
    Transport transport;
    transport.pci_ = pci;
    Client client(native::Caller{pci});
    (void)TRY(client.bus_master({false}));
    std::uint32_t unused = 0;
    transport.common_ = TRY(transport.open_window(common_structure, common_bytes, unused));
    transport.notify_ = TRY(transport.open_window(notify_structure, 2, transport.notify_multiplier_));
    // Devices without configuration have no such structure.
    if (auto device = transport.open_window(device_structure, 0, unused))
        transport.device_ = std::move(*device);
    transport.dma_ = native::Owned(TRY(client.dma_space()).io_space);
    transport.reset();
    // Zero says that the reset is over (4.1.4.3.2); a device that never says so is not waited for any longer.
    for (unsigned i = 0; *transport.common_.at<std::uint8_t>(device_status) != 0; ++i)
        if (i == 1'000'000)
            return base::fail(abi::Error::io);
    *transport.common_.at<std::uint8_t>(device_status) = status_acknowledge;
    *transport.common_.at<std::uint8_t>(device_status) = status_acknowledge | status_driver;
    (void)TRY(client.bus_master({true}));
    return transport;
}

base::Result<std::uint64_t> Transport::negotiate(std::uint64_t wanted) {
    std::uint64_t offered = 0;
    for (std::uint32_t half = 0; half < 2; ++half) {
        *common_.at<std::uint32_t>(device_feature_select) = half;
        offered |= std::uint64_t{*common_.at<std::uint32_t>(device_feature)} << 32 * half;
    }
    const std::uint64_t taken = offered & (wanted | feature_version_1);
    if ((taken & feature_version_1) == 0)
        return base::fail(abi::Error::not_supported);
    for (std::uint32_t half = 0; half < 2; ++half) {
        *common_.at<std::uint32_t>(driver_feature_select) = half;
        *common_.at<std::uint32_t>(driver_feature) = static_cast<std::uint32_t>(taken >> 32 * half);
    }
    *common_.at<std::uint8_t>(device_status) = status_acknowledge | status_driver | status_features_ok;
    if ((*common_.at<std::uint8_t>(device_status) & status_features_ok) == 0)
        return base::fail(abi::Error::not_supported);
    return taken;
}

base::Result<void> Transport::bind_interrupt(abi::Handle notification, std::uint64_t bits) {
    Client client(native::Caller{pci_});
    interrupt_ = native::Owned(TRY(client.interrupt({0})).irq);
    TRY(native::call::irq_bind(interrupt_.get(), notification, bits));
    *common_.at<std::uint16_t>(config_vector) = no_vector;
    return {};
}

std::uint16_t Transport::queue_size(std::uint16_t queue) const {
    *common_.at<std::uint16_t>(queue_select) = queue;
    return *common_.at<std::uint16_t>(queue_size_field);
}

base::Result<void> Transport::set_queue(std::uint16_t queue, std::uint16_t size, std::uint64_t descriptors, std::uint64_t driver, std::uint64_t device) {
    const std::uint16_t offered = queue_size(queue);
    if (offered == 0 || offered < size)
        return base::fail(abi::Error::not_found);
    const auto write64 = [&](std::uint64_t field, std::uint64_t value) {
        *common_.at<std::uint32_t>(field) = static_cast<std::uint32_t>(value);
        *common_.at<std::uint32_t>(field + 4) = static_cast<std::uint32_t>(value >> 32);
    };
    *common_.at<std::uint16_t>(queue_size_field) = size;
    write64(queue_descriptors, descriptors);
    write64(queue_driver, driver);
    write64(queue_device, device);
    *common_.at<std::uint16_t>(queue_vector) = interrupt_ ? 0 : no_vector;
    if (interrupt_ && *common_.at<std::uint16_t>(queue_vector) != 0)
        return base::fail(abi::Error::io);
    if (std::uint64_t{*common_.at<std::uint16_t>(queue_notify_offset)} * notify_multiplier_ + 2 > notify_.length)
        return base::fail(abi::Error::broken);
    *common_.at<std::uint16_t>(queue_enable) = 1;
    return {};
}

void Transport::driver_ok() const { *common_.at<std::uint8_t>(device_status) = status_acknowledge | status_driver | status_features_ok | status_driver_ok; }
void Transport::reset() const { *common_.at<std::uint8_t>(device_status) = 0; }

void Transport::notify(std::uint16_t queue) const {
    *common_.at<std::uint16_t>(queue_select) = queue;
    const std::uint64_t where = std::uint64_t{*common_.at<std::uint16_t>(queue_notify_offset)} * notify_multiplier_;
    // The device may have changed its mind since set_queue.
    if (where + 2 <= notify_.length)
        *notify_.at<std::uint16_t>(where) = queue;
}

std::uint8_t Transport::config8(unsigned offset) const { return offset < device_.length ? *device_.at<std::uint8_t>(offset) : 0; }

} // namespace virtio
