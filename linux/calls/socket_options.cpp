// Options of sockets, and the list of interfaces.
#include "linux/calls/socket_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/net/interfaces.hpp"

#include <algorithm>

namespace personality {

namespace {
constexpr std::size_t largest_option = 256; // the options known here are smaller
}

CallResult sys_setsockopt(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const std::int32_t length = arguments.i32(4);
    if (length < 0)
        return fail(Errno::EINVAL);
    std::byte value[largest_option];
    const auto copy = std::span(value).first(std::min(static_cast<std::size_t>(length), sizeof value));
    TRY(copy_in(copy, arguments[3]));
    SandboxLock lock;
    TRY(socket->set_option(arguments.i32(1), arguments.i32(2), copy));
    return std::uint64_t{0};
}

CallResult sys_getsockopt(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const auto length = arguments.pointer<std::int32_t>(4);
    const std::int32_t room = TRY(length.read());
    if (room < 0)
        return fail(Errno::EINVAL);
    std::byte value[largest_option];
    std::size_t used = 0;
    {
        SandboxLock lock;
        used = TRY(socket->get_option(arguments.i32(1), arguments.i32(2), std::span(value).first(std::min(static_cast<std::size_t>(room), sizeof value))));
    }
    TRY(copy_out(arguments[3], std::span(value).first(used)));
    TRY(length.write(static_cast<std::int32_t>(used)));
    return std::uint64_t{0};
}

CallResult list_interfaces(Task& task, std::int32_t descriptor, std::uint64_t argument) {
    struct List { // struct ifconf
        std::int32_t length;
        std::int32_t padding;
        std::uint64_t buffer;
    };
    const SocketHold socket(TRY(take_socket(task, descriptor)));
    const UserPtr<List> where(argument);
    List list = TRY(where.read());
    if (list.length < 0)
        return fail(Errno::EINVAL);
    net::InterfaceRequest entries[net::most_interfaces];
    std::size_t count = 0;
    {
        SandboxLock lock;
        count = net::list_interfaces(entries);
    }
    if (list.buffer != 0) {
        count = std::min(count, static_cast<std::size_t>(list.length) / sizeof entries[0]);
        TRY(copy_out(list.buffer, std::as_bytes(std::span(entries, count))));
    }
    list.length = static_cast<std::int32_t>(count * sizeof entries[0]);
    TRY(where.write(list));
    return std::uint64_t{0};
}

} // namespace personality
