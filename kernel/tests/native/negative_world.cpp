#include "kernel/tests/native/negative_world.hpp"

#include <algorithm>
#include <cstring>

#include "lib/native/memory.hpp"
#include "lib/native/thread_block.hpp"

namespace call = native::call;
namespace protection = abi::protection;
using enum abi::ObjectKind;

extern "C" std::int64_t native_ipc(std::uint64_t number, std::uint64_t handle, std::uint64_t (*registers)[10]);

namespace kernel_test {

namespace {

constexpr abi::Protection read_write = protection::read | protection::write;
constexpr std::byte filling{0x5a};

template <class Info, class Inspect> Info told(Inspect&& inspect) {
    Info info{};
    CHECK(inspect(info));
    return info;
}

std::span<const std::byte> bytes_at(const std::byte* begin, std::size_t size) { return {begin, size}; }

} // namespace

bool NegativeWorld::make() {
    const auto set = [&](abi::ObjectKind kind, base::Result<abi::Handle> handle) { return (kinds_[static_cast<std::size_t>(kind)] = handle.value_or(0)) != 0; };
    if (!set(abi::ObjectKind::quota, call::quota_create(kernel_test::quota(), 4096))) return false;
    const abi::Handle payer = of(abi::ObjectKind::quota);
    const bool made = set(abi::ObjectKind::budget, kernel_test::budget()) && set(process, native::self().process) && set(lease, call::lease_create(payer, 0)) &&
                      set(thread, call::thread_create(native::self().process, kernel_test::budget())) && set(abi::ObjectKind::space, kernel_test::space()) &&
                      set(memory, call::memory_create(payer, 2 * page, abi::memory_flag::populate)) && set(endpoint, call::endpoint_create(payer)) &&
                      set(notification, call::notification_create(payer)) && set(port, call::port_create(payer)) && set(irq, native::granted("irq")) &&
                      set(io_space, call::io_space_create(native::granted("io_space"), payer)) && set(audit_log, native::granted("log")) &&
                      set(io_port, call::io_port_slice(native::granted("io_port"), payer, first_port, port_count)) &&
                      set(device, call::device_slice(native::granted("device"), payer, device_base, page));
    probe_ = call::memory_create(kernel_test::quota(), page, abi::memory_flag::populate).value_or(0);
    room_ = native::reserve_range(Seen::pages * page).value_or(0);
    if (!made || !probe_ || !room_) return false;
    for (const unsigned own : {0u, 2u, 3u, 5u}) {
        if (!call::space_map(kernel_test::space(), 0, room_ + own * page, 0, page, read_write)) return false;
        std::memset(at(own), static_cast<int>(own), page);
    }
    *word() = 0;
    std::byte pattern[Seen::content];
    std::ranges::fill(pattern, std::byte{0x33});
    return call::memory_write(of(memory), 0, pattern) && call::memory_write(of(memory), page, pattern) &&
           call::space_protect(kernel_test::space(), room_ + 3 * page, page, protection::read) &&
           call::space_map(kernel_test::space(), of(memory), room_ + 6 * page, page, page, protection::read);
}

void NegativeWorld::drop() {
    CHECK(call::thread_control(of(thread), 1));
    CHECK(call::space_unmap(kernel_test::space(), room_, Seen::pages * page));
    native::release_range(room_, Seen::pages * page);
    for (const auto kind : {lease, thread, memory, endpoint, notification, port, io_space, io_port, device, abi::ObjectKind::quota}) CHECK(call::handle_close(of(kind)));
    CHECK(call::handle_close(probe_));
}

abi::Handle NegativeWorld::fit_for(const negative::Argument& argument) const {
    if (argument.kind != none) return of(argument.kind);
    return of(argument.rights & abi::right::bind ? notification : memory);
}

NegativeWorld::Extent NegativeWorld::extent(negative::Place place) const {
    switch (place) {
    case negative::Place::half: return {abi::personality_base, abi::personality_end - page - abi::personality_base};
    case negative::Place::memory: return {0, 2 * page};
    case negative::Place::device: return {device_base, page};
    case negative::Place::io_port: return {first_port, port_count};
    case negative::Place::none: break;
    }
    return {};
}

void NegativeWorld::look(Seen& seen) const {
    std::memset(&seen, 0, sizeof seen);
    const auto paid = told<abi::QuotaInfo>([&](auto& info) { return call::quota_inspect(of(abi::ObjectKind::quota), info); });
    seen.used = paid.used_pages;
    seen.tables = paid.table_pages;
    std::ranges::copy(paid.object_count, seen.objects);
    seen.process = told<abi::ProcessInfo>([&](auto& info) { return call::process_inspect(of(process), info); });
    for (std::size_t kind = 0; kind < Seen::kinds; ++kind)
        if (kinds_[kind]) seen.handles[kind] = told<abi::HandleInfo>([&](auto& info) { return call::handle_inspect(kinds_[kind], info); });
    seen.memory = told<abi::MemoryInfo>([&](auto& info) { return call::memory_inspect(of(memory), info); });
    for (std::size_t i = 0; i < std::size(seen.in_memory); ++i) CHECK(call::memory_read(of(memory), i * page, seen.in_memory[i]));
    const auto its = told<abi::ThreadInfo>([&](auto& info) { return call::thread_inspect(of(thread), info); });
    seen.thread_page = its.thread_page;
    seen.thread_state = its.state;
    const auto line = told<abi::IrqInfo>([&](auto& info) { return call::irq_inspect(of(irq), info); });
    seen.irq_vector = line.vector;
    seen.irq_address = line.message_address;
    seen.notification = error_of(call::notification_wait(of(notification), abi::poll));
    abi::PortEvent event;
    seen.port = error_of(call::port_wait(of(port), std::as_writable_bytes(std::span(&event, 1)), abi::poll));
    std::uint64_t registers[10] = {};
    seen.endpoint = static_cast<std::int32_t>(-native_ipc(static_cast<std::uint64_t>(abi::KernelCall::ipc_receive), of(endpoint), &registers));
    for (std::size_t i = 0; i < Seen::pages; ++i) {
        seen.is_there[i] = call::memory_write(probe_, 0, bytes_at(at(i), Seen::content)).has_value();
        if (seen.is_there[i]) std::memcpy(seen.in_room[i], at(i), Seen::content);
        // What was read is written back.
        seen.may_be_written[i] = call::memory_read(probe_, 0, {at(i), Seen::content}).has_value();
    }
}

void NegativeWorld::fill_buffer() const { std::memset(buffer(), static_cast<int>(filling), page); }

bool NegativeWorld::buffer_is_as_filled(std::size_t but) const {
    return std::all_of(buffer(), buffer() + page - but, [](std::byte value) { return value == filling; });
}

} // namespace kernel_test
