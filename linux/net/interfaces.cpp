#include "linux/net/interfaces.hpp"

#include "linux/fs/ioctl.hpp"
#include "linux/net/inet_address.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace personality::net {

namespace {
namespace flag { // IFF_*
constexpr std::uint32_t up = 1, broadcast = 2, loopback = 8, running = 0x40, multicast = 0x1000;
}
constexpr std::uint16_t hardware_ethernet = 1, hardware_loopback = 772;

void put_address(InterfaceRequest& request, std::uint32_t address) {
    const SocketAddress full = socket_address({address, 0});
    std::memset(request.bytes, 0, sizeof request.bytes);
    std::memcpy(request.bytes, full.bytes.data(), full.length);
}

std::optional<InterfaceView> find(const char (&name)[16]) {
    const std::string_view wanted(name, strnlen(name, sizeof name));
    for (std::size_t i = 0; i < interface_count(); ++i)
        if (const InterfaceView view = interface_view(i); wanted == view.name)
            return view;
    return std::nullopt;
}
} // namespace

std::size_t interface_count() { return interface_settings() != nullptr ? 2 : 1; }

InterfaceView interface_view(std::size_t position) {
    if (position == 0)
        return {1, "lo", true, inet::loopback, 0x000000ff, 0, 65536, flag::up | flag::loopback | flag::running, 0};
    const InterfaceSettings& settings = *interface_settings();
    return {2, "eth0", false, settings.address, settings.netmask, settings.address | ~settings.netmask, settings.mtu,
            flag::up | flag::broadcast | flag::running | flag::multicast, settings.mac};
}

bool is_interface_request(std::uint32_t request) { return request >= 0x8901 && request < 0x8a00; } // SIOC* of sockets, routes and devices

LinuxResult<std::uint64_t> interface_request(std::uint32_t request, std::uint64_t argument) {
    using namespace ioctl_request;
    switch (request) {
    case interface_name: case interface_flags: case interface_address: case interface_broadcast: case interface_netmask: case interface_metric: case interface_mtu:
    case interface_hardware: case interface_index: case interface_queue:
        break;
    default: return fail(request >= 0x890b && request <= 0x8955 ? Errno::EPERM : Errno::ENOTTY);
    }
    auto& wanted = *ioctl_argument<InterfaceRequest>(argument);
    if (request == interface_name) {
        if (wanted.number < 1 || static_cast<std::size_t>(wanted.number) > interface_count())
            return fail(Errno::ENODEV);
        const InterfaceView view = interface_view(static_cast<std::size_t>(wanted.number) - 1);
        std::memset(wanted.name, 0, sizeof wanted.name);
        std::memcpy(wanted.name, view.name, std::strlen(view.name));
        return std::uint64_t{0};
    }
    const auto view = find(wanted.name);
    if (!view)
        return fail(Errno::ENODEV);
    switch (request) {
    case interface_flags: wanted.flags = static_cast<std::int16_t>(view->flags); break;
    case interface_address: put_address(wanted, view->address); break;
    case interface_broadcast: put_address(wanted, view->broadcast); break;
    case interface_netmask: put_address(wanted, view->netmask); break;
    case interface_metric: wanted.number = 0; break;
    case interface_mtu: wanted.number = static_cast<std::int32_t>(view->mtu); break;
    case interface_index: wanted.number = view->index; break;
    case interface_queue: wanted.number = 1000; break;
    default: { // interface_hardware
        std::memset(wanted.bytes, 0, sizeof wanted.bytes);
        const std::uint16_t kind = view->loopback ? hardware_loopback : hardware_ethernet;
        std::memcpy(wanted.bytes, &kind, sizeof kind);
        std::memcpy(wanted.bytes + 2, &view->mac, 6);
    }
    }
    return std::uint64_t{0};
}

std::size_t list_interfaces(std::span<InterfaceRequest> to) {
    for (std::size_t i = 0; i < std::min(to.size(), interface_count()); ++i) {
        const InterfaceView view = interface_view(i);
        std::memset(&to[i], 0, sizeof to[i]);
        std::memcpy(to[i].name, view.name, std::strlen(view.name));
        put_address(to[i], view.address);
    }
    return interface_count();
}

} // namespace personality::net
