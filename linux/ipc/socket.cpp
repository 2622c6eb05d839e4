#include "linux/ipc/socket.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"
#include "linux/fs/ioctl.hpp"
#include "linux/ipc/clock.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint32_t least_buffer = 2304, most_buffer = 425984; // as Linux' defaults of net.core.{r,w}mem_max, doubled

template <class T> LinuxResult<T> value_as(std::span<const std::byte> value) {
    T result;
    if (value.size() < sizeof result)
        return fail(Errno::EINVAL);
    std::memcpy(&result, value.data(), sizeof result);
    return result;
}

template <class T> std::size_t give(std::span<std::byte> to, const T& value) {
    const std::size_t count = std::min(to.size(), sizeof value);
    std::memcpy(to.data(), &value, count);
    return count;
}

struct TimeValue {
    std::int64_t seconds, microseconds;
};
struct Linger {
    std::int32_t on, seconds;
};

LinuxResult<std::uint64_t> timeout_of(std::span<const std::byte> value) {
    const TimeValue time = TRY(value_as<TimeValue>(value));
    if (time.microseconds < 0 || time.microseconds >= 1'000'000)
        return fail(Errno::EDOM);
    if (time.seconds < 0)
        return std::uint64_t{0};
    if (time.seconds > 1'000'000'000)
        return std::uint64_t{0};
    return static_cast<std::uint64_t>(time.seconds) * second + static_cast<std::uint64_t>(time.microseconds) * 1000;
}

TimeValue time_value(std::uint64_t nanoseconds) {
    return {static_cast<std::int64_t>(nanoseconds / second), static_cast<std::int64_t>(nanoseconds % second / 1000)};
}
} // namespace

LinuxResult<void> FileBundle::add(base::Ref<File> file) {
    if (count_ == capacity_) {
        const std::size_t capacity = capacity_ == 0 ? 4 : capacity_ * 2;
        std::unique_ptr<base::Ref<File>[]> files(new (std::nothrow) base::Ref<File>[capacity]);
        if (!files)
            return fail(Errno::ENOMEM);
        for (std::size_t i = 0; i < count_; ++i)
            files[i] = std::move(files_[i]);
        files_ = std::move(files);
        capacity_ = capacity;
    }
    files_[count_++] = std::move(file);
    return {};
}

Socket::Socket(std::uint16_t family, std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags)
    : family_(family), type_(type), protocol_(protocol), number_(next_anonymous_inode()) {
    flags = open_flag::read_write | (open_flags & open_flag::nonblock);
}

LinuxResult<void> Socket::bind(const SocketAddress&) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<void> Socket::listen(int) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<base::Ref<File>> Socket::accept(SocketAddress&, std::uint32_t) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<void> Socket::connect(const SocketAddress&) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<void> Socket::shutdown(bool, bool) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<void> Socket::local_address(SocketAddress&) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<void> Socket::peer_address(SocketAddress&) { return fail(Errno::ENOTCONN); }

LinuxResult<std::size_t> Socket::read(std::span<std::byte> to) {
    ReceiveRequest request;
    request.data = to;
    return receive(request);
}

LinuxResult<std::size_t> Socket::write(std::span<const std::byte> from) {
    SendRequest request;
    request.data = from;
    return send(request);
}

LinuxResult<void> Socket::stat(KernelStat& stat) {
    anonymous_stat(stat, number_, mode::socket | 0777);
    return {};
}

LinuxResult<std::uint64_t> Socket::ioctl(std::uint32_t request, std::uint64_t argument) {
    if (request != ioctl_request::bytes_readable)
        return File::ioctl(request, argument);
    if (accepting())
        return fail(Errno::EINVAL);
    *ioctl_argument<std::int32_t>(argument) = static_cast<std::int32_t>(std::min<std::size_t>(bytes_readable(), INT32_MAX));
    return std::uint64_t{0};
}

abi::Deadline Socket::receive_deadline() const { return options_.receive_timeout == 0 ? abi::never : monotonic_now() + options_.receive_timeout; }
abi::Deadline Socket::send_deadline() const { return options_.send_timeout == 0 ? abi::never : monotonic_now() + options_.send_timeout; }

LinuxResult<void> Socket::wait_on(WaitQueue& queue, abi::Deadline deadline) {
    auto slept = block(queue, deadline);
    if (!slept && slept.error() == Errno::ETIMEDOUT)
        return fail(Errno::EAGAIN);
    return slept;
}

LinuxResult<void> Socket::set_option(int level, int name, std::span<const std::byte> value) {
    if (level != socket_level::socket)
        return fail(Errno::ENOPROTOOPT);
    using namespace socket_option;
    if (name == receive_timeout || name == send_timeout) {
        (name == receive_timeout ? options_.receive_timeout : options_.send_timeout) = TRY(timeout_of(value));
        return {};
    }
    if (name == socket_option::linger) {
        const Linger wanted = TRY(value_as<Linger>(value));
        options_.linger = wanted.on != 0;
        options_.linger_seconds = static_cast<std::uint32_t>(wanted.seconds);
        return {};
    }
    if (name == bind_device)
        return {}; // there is one interface and the loopback; routes choose between them
    const std::int32_t number = TRY(value_as<std::int32_t>(value));
    const bool on = number != 0;
    switch (name) {
    case reuse_address: options_.reuse_address = on; return {};
    case reuse_port: options_.reuse_port = on; return {};
    case keep_alive: options_.keep_alive = on; return {};
    case broadcast: options_.broadcast = on; return {};
    case pass_credentials: options_.pass_credentials = on; return {};
    case timestamp: options_.timestamp = on; return {};
    case debug: case dont_route: case receive_low: case busy_poll: return {};
    case socket_option::mark: options_.mark = static_cast<std::uint32_t>(number); return {};
    case send_buffer: case send_buffer_force:
        options_.send_buffer = std::clamp(static_cast<std::uint32_t>(std::max(number, 0)) * 2, 2 * least_buffer, most_buffer);
        return {};
    case receive_buffer: case receive_buffer_force:
        options_.receive_buffer = std::clamp(static_cast<std::uint32_t>(std::max(number, 0)) * 2, least_buffer, most_buffer);
        return {};
    default: return fail(Errno::ENOPROTOOPT);
    }
}

LinuxResult<std::size_t> Socket::get_option(int level, int name, std::span<std::byte> value) {
    if (level != socket_level::socket)
        return fail(Errno::EOPNOTSUPP);
    using namespace socket_option;
    std::int32_t number = 0;
    switch (name) {
    case receive_timeout: return give(value, time_value(options_.receive_timeout));
    case send_timeout: return give(value, time_value(options_.send_timeout));
    case socket_option::linger:
        return give(value, Linger{options_.linger, static_cast<std::int32_t>(options_.linger_seconds)});
    case socket_option::type: number = static_cast<std::int32_t>(type_); break;
    case socket_option::error: number = static_cast<std::int32_t>(take_error()); break;
    case socket_option::domain: number = family_; break;
    case socket_option::protocol: number = static_cast<std::int32_t>(protocol_); break;
    case socket_option::accepting: number = this->accepting(); break;
    case reuse_address: number = options_.reuse_address; break;
    case reuse_port: number = options_.reuse_port; break;
    case keep_alive: number = options_.keep_alive; break;
    case broadcast: number = options_.broadcast; break;
    case pass_credentials: number = options_.pass_credentials; break;
    case timestamp: number = options_.timestamp; break;
    case send_buffer: number = static_cast<std::int32_t>(options_.send_buffer); break;
    case receive_buffer: number = static_cast<std::int32_t>(options_.receive_buffer); break;
    case receive_low: number = 1; break;
    case socket_option::mark: number = static_cast<std::int32_t>(options_.mark); break;
    case debug: case dont_route: case busy_poll: break;
    default: return fail(Errno::ENOPROTOOPT);
    }
    return give(value, number);
}

} // namespace personality
