// Calls on devices, interrupts, ports, and the log.
#include <algorithm>

#include "kernel/call/calls.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/audit/audit_log.hpp"
#include "kernel/device/device.hpp"
#include "kernel/device/irq.hpp"
#include "kernel/space/space.hpp"

namespace kernel {

base::Result<std::uint64_t> call_irq_create(Thread& caller, Held<Irq> root, Held<Quota> quota, std::uint64_t source, std::uint32_t flags) {
    if (!root->is_root() || (flags & ~3u)) return std::unexpected(abi::Error::bad_argument);
    return give(caller, TRY(Irq::create(*quota, source, flags)), Irq::rights, root.hold, source);
}

base::Result<std::uint64_t> call_irq_bind(Thread& caller, Held<Irq> irq, Held<Notification> notification, std::uint64_t bits) {
    TRY(irq->bind(std::move(notification.object), bits | notification.badge, irq.hold, notification.hold));
    record(caller, abi::AuditOperation::bind, *irq, irq.rights, 0, irq->source(), irq.hold);
    return 0;
}

base::Result<std::uint64_t> call_irq_acknowledge(Thread&, Held<Irq> irq) {
    TRY(irq->acknowledge());
    return 0;
}

base::Result<std::uint64_t> call_irq_inspect(Thread& caller, Held<Irq> irq, UserPointer<abi::IrqInfo> info) {
    abi::IrqInfo result{};
    irq->inspect(result);
    TRY(info.write(caller, result));
    return 0;
}

base::Result<std::uint64_t> call_device_slice(Thread& caller, Held<Device> device, Held<Quota> quota, std::uint64_t base, std::uint64_t size) {
    auto slice = TRY(device->slice(*quota, base, size));
    if (!quota.valid()) return std::unexpected(abi::Error::revoked); // it was looked through in steps
    return give(caller, std::move(slice), device.rights, device.hold, base);
}

base::Result<std::uint64_t> call_device_map(Thread& caller, Held<Device> device, std::uint64_t address, std::uint32_t protection) {
    const abi::Protection readable = abi::protection::read;
    const abi::Protection writable = abi::protection::write;
    if (!(protection & readable) || (protection & ~(readable | writable))) return std::unexpected(abi::Error::bad_argument);
    if ((protection & writable) && !(device.rights & abi::right::write)) return std::unexpected(abi::Error::missing_right);
    auto space = TRY(caller.process().space());
    TRY(space->map_device(device->base(), device->size(), device.hold, address, protection));
    record(caller, abi::AuditOperation::bind, *device, device.rights, 0, device->base(), device.hold);
    return 0;
}

base::Result<std::uint64_t> call_io_port_slice(Thread& caller, Held<IoPort> ports, Held<Quota> quota, std::uint32_t first, std::uint32_t count) {
    return give(caller, TRY(ports->slice(*quota, first, count)), ports.rights, ports.hold, first);
}

base::Result<std::uint64_t> call_io_port_read(Thread&, Held<IoPort> ports, std::uint32_t port, std::uint32_t width) {
    return TRY(ports->read(port, width));
}

base::Result<std::uint64_t> call_io_port_write(Thread&, Held<IoPort> ports, std::uint32_t port, std::uint32_t width, std::uint32_t value) {
    TRY(ports->write(port, width, value));
    return 0;
}

base::Result<std::uint64_t> call_io_space_map(Thread& caller, Held<IoSpace> io_space, Held<Memory> memory) {
    const std::uint64_t address = TRY(io_space->map(*memory));
    record(caller, abi::AuditOperation::bind, *memory, memory.rights, io_space->number(), address, memory.hold);
    return address;
}

base::Result<std::uint64_t> call_io_space_create(Thread& caller, Held<IoSpace> io_space, Held<Quota> quota) {
    return give(caller, TRY(make_object<IoSpace>(*quota)), IoSpace::rights, io_space.hold);
}

base::Result<std::uint64_t> call_io_space_release(Thread& caller, Held<IoSpace> io_space) {
    io_space->release_pins();
    record(caller, abi::AuditOperation::unbind, *io_space);
    return 0;
}

base::Result<std::uint64_t> call_log_write(Thread& caller, Held<AuditLog> log, UserBytes text) {
    constexpr std::size_t limit = 1024;
    if (text.length > limit) return std::unexpected(abi::Error::too_large);
    char buffer[limit];
    TRY(copy_from_user(caller, buffer, text.address, text.length));
    if (!log.valid()) return std::unexpected(abi::Error::revoked); // the copy may have slept
    log_text({buffer, static_cast<std::size_t>(text.length)});
    return 0;
}

base::Result<std::uint64_t> call_log_read(Thread& caller, Held<AuditLog> log, std::uint64_t position, UserBytes buffer) {
    record_first_read(caller, abi::KernelCall::log_read, *log);
    char step[1024];
    std::uint64_t done = 0;
    while (done < buffer.length) {
        if (!log.valid()) return std::unexpected(abi::Error::revoked);
        const std::size_t room = std::min<std::uint64_t>(buffer.length - done, sizeof(step));
        const std::size_t part = log_copy(position, {step, room});
        if (part == 0) break;
        TRY(copy_to_user(caller, buffer.address + done, step, part));
        done += part;
        position += part;
        // Others may write as fast as it reads.
        if (caller.stopping()) break;
        preemption_point();
    }
    return done;
}

} // namespace kernel
