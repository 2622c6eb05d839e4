#include "linux/calls/socket_control.hpp"

#include "linux/net/inet_socket.hpp"
#include "linux/task/task.hpp"

#include <algorithm>
#include <cstring>

namespace personality {

namespace {

struct ControlHeader { // struct cmsghdr
    std::uint64_t length;
    std::int32_t level, type;
};
static_assert(sizeof(ControlHeader) == 16);
constexpr int rights = 1, credentials = 2, timestamp = 29; // SCM_*
constexpr std::uint64_t largest_control = 20480; // Linux' default net.core.optmem_max

constexpr std::uint64_t aligned(std::uint64_t length) { return (length + 7) & ~std::uint64_t{7}; }

LinuxResult<void> take_files(Task& task, std::span<const std::byte> numbers, FileBundle& files) {
    const std::size_t count = numbers.size() / sizeof(std::int32_t);
    if (files.size() + count > FileBundle::largest)
        return fail(Errno::EINVAL);
    SandboxLock lock;
    for (std::size_t i = 0; i < count; ++i) {
        std::int32_t number;
        std::memcpy(&number, numbers.data() + i * sizeof number, sizeof number);
        TRY(files.add(TRY(file_of(task, number))));
    }
    return {};
}

LinuxResult<void> check_credentials(Task& task, const UnixCredentials& wanted) {
    const Credentials& own = task.credentials;
    const bool user = wanted.user == own.user || wanted.user == own.effective_user || wanted.user == own.saved_user || own.has(capability::setuid);
    const bool group = wanted.group == own.group || wanted.group == own.effective_group || wanted.group == own.saved_group || own.has(capability::setgid);
    if (wanted.process != task.process().pid || !user || !group)
        return fail(Errno::EPERM);
    return {};
}

// Writes control messages one behind the other.
class ControlWriter {
public:
    ControlWriter(std::uint64_t address, std::uint64_t room) : address_(address), room_(room) {}

    // Room for the bytes of one more message.
    std::uint64_t space() const { return room_ - used_ > sizeof(ControlHeader) ? room_ - used_ - sizeof(ControlHeader) : 0; }
    LinuxResult<void> put(int level, int type, std::span<const std::byte> bytes) {
        const ControlHeader header{sizeof(ControlHeader) + bytes.size(), level, type};
        TRY(UserPtr<ControlHeader>(address_ + used_).write(header));
        TRY(copy_out(address_ + used_ + sizeof header, bytes));
        used_ = std::min(room_, used_ + aligned(header.length));
        return {};
    }
    template <class T> LinuxResult<void> put_value(int level, int type, const T& value, ReceiveRequest& request) {
        if (space() < sizeof value) {
            request.result_flags |= message_flag::control_truncated;
            return {};
        }
        return put(level, type, std::as_bytes(std::span(&value, 1)));
    }
    std::uint64_t used() const { return used_; }

private:
    std::uint64_t address_, room_, used_ = 0;
};

LinuxResult<void> put_files(Task& task, ControlWriter& writer, std::uint32_t flags, ReceiveRequest& request) {
    std::int32_t numbers[FileBundle::largest];
    const std::size_t fitting = std::min<std::size_t>(request.files.size(), writer.space() / sizeof(std::int32_t));
    std::size_t count = 0;
    {
        SandboxLock lock;
        const bool close_on_exec = (flags & message_flag::close_on_exec) != 0;
        while (count < fitting) {
            auto number = install_file(task, std::move(request.files[count]), close_on_exec);
            if (!number)
                break;
            numbers[count++] = static_cast<std::int32_t>(*number);
        }
    }
    if (count < request.files.size())
        request.result_flags |= message_flag::control_truncated;
    if (count == 0)
        return {};
    return writer.put(socket_level::socket, rights, std::as_bytes(std::span(numbers, count)));
}

} // namespace

LinuxResult<void> load_control(Task& task, Socket& socket, std::uint64_t address, std::uint64_t length, SendRequest& request) {
    if (length > largest_control)
        return fail(Errno::ENOBUFS);
    std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[length]);
    if (!bytes)
        return fail(Errno::ENOBUFS);
    TRY(copy_in({bytes.get(), length}, address));
    for (std::uint64_t at = 0; length - at >= sizeof(ControlHeader);) {
        ControlHeader header;
        std::memcpy(&header, bytes.get() + at, sizeof header);
        if (header.length < sizeof header || header.length > length - at)
            return fail(Errno::EINVAL);
        const std::span<const std::byte> body(bytes.get() + at + sizeof header, header.length - sizeof header);
        if (header.level == socket_level::socket && socket.family() == address_family::local) {
            if (header.type == rights) {
                TRY(take_files(task, body, request.files));
            } else if (header.type == credentials && body.size() >= sizeof(UnixCredentials)) {
                std::memcpy(&request.credentials, body.data(), sizeof request.credentials);
                TRY(check_credentials(task, request.credentials));
                request.has_credentials = true;
            } else {
                return fail(Errno::EINVAL);
            }
        } else if (header.level == socket_level::socket && header.type != rights && header.type != credentials) {
            return fail(Errno::EINVAL);
        } // what the family does not know is passed over, as Linux does
        at += std::min(aligned(header.length), length - at);
    }
    return {};
}

LinuxResult<std::uint64_t> store_control(Task& task, Socket& socket, std::uint64_t address, std::uint64_t room, std::uint32_t flags, ReceiveRequest& request) {
    ControlWriter writer(address, room);
    if (request.has_credentials)
        TRY(writer.put_value(socket_level::socket, credentials, request.credentials, request));
    if (request.files.size() != 0)
        TRY(put_files(task, writer, flags, request));
    if (request.arrived != 0) {
        const std::int64_t time[2] = {request.arrived / 1'000'000'000, request.arrived % 1'000'000'000 / 1000}; // struct timeval
        TRY(writer.put_value(socket_level::socket, timestamp, time, request));
    }
    if (socket.family() == address_family::inet && request.destination != 0) {
        const auto wants = static_cast<InetSocket&>(socket).wanted_control();
        if (wants.packet_information) {
            struct { // struct in_pktinfo
                std::int32_t index;
                std::uint32_t local, destination;
            } const information{inet::is_loopback(request.destination) ? 1 : 2, request.destination, request.destination};
            TRY(writer.put_value(socket_level::ip, ip_option::packet_information, information, request));
        }
        if (wants.time_to_live)
            TRY(writer.put_value(socket_level::ip, ip_option::time_to_live, std::int32_t{request.time_to_live}, request));
    }
    return writer.used();
}

} // namespace personality
