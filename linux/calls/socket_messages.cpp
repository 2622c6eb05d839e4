// Sending and receiving on sockets.
#include "linux/calls/socket_support.hpp"
#include "linux/calls/socket_control.hpp"
#include "linux/calls/table.hpp"
#include "linux/calls/waiting.hpp"
#include "linux/ipc/clock.hpp"

#include <algorithm>

namespace personality {

namespace {

constexpr std::size_t largest_message = 256 * 1024;
constexpr std::uint64_t most_messages = 1024; // of sendmmsg and recvmmsg

struct MessageHeader { // struct msghdr
    std::uint64_t name;
    std::uint32_t name_length, padding;
    std::uint64_t vector, vector_length;
    std::uint64_t control, control_length;
    std::uint32_t flags, padding2;
};
static_assert(sizeof(MessageHeader) == 56);
struct MultipleHeader { // struct mmsghdr
    MessageHeader header;
    std::uint32_t length, padding;
};

CallResult send_from(Task& task, Socket& socket, UserVector& from, SendRequest& request) {
    if (!from.in_range())
        return fail(Errno::EFAULT);
    const bool one_message = socket.type() != socket_type::stream;
    if (one_message && from.remaining() > largest_message)
        return fail(Errno::EMSGSIZE);
    [[clang::uninitialized]] BounceBuffer buffer(from.remaining(), one_message ? largest_message : BounceBuffer::most);
    if (one_message && buffer.bytes().size() < from.remaining())
        return fail(Errno::ENOBUFS);
    const std::uint32_t flags = request.flags;
    std::uint64_t done = 0;
    const auto stopped = [&](Errno error) -> CallResult {
        if (error == Errno::EPIPE && (flags & message_flag::no_signal) == 0)
            raise_broken_pipe(task);
        if (done != 0)
            return done;
        return fail(error);
    };
    do {
        std::span<std::byte> part = buffer.bytes().first(std::min<std::uint64_t>(buffer.bytes().size(), from.remaining()));
        auto gathered = from.gather(part);
        if (!gathered || (one_message && *gathered < part.size()))
            return stopped(Errno::EFAULT);
        const bool cut = *gathered < part.size();
        request.data = part.first(*gathered);
        request.flags = flags | (from.remaining() != 0 && !cut ? message_flag::more : 0);
        LinuxResult<std::size_t> sent;
        {
            SandboxLock lock;
            sent = socket.send(request);
            request.files.clear();
        }
        if (!sent)
            return stopped(sent.error());
        done += *sent;
        if (*sent < request.data.size() || cut)
            break;
    } while (from.remaining() != 0);
    return done;
}

// `request` has flags; the results of the last part stay in it.
CallResult receive_into(Socket& socket, UserVector& to, ReceiveRequest& request) {
    if (!to.in_range())
        return fail(Errno::EFAULT);
    const bool one_message = socket.type() != socket_type::stream;
    const std::uint64_t wanted = to.remaining();
    [[clang::uninitialized]] BounceBuffer buffer(wanted, one_message ? largest_message : BounceBuffer::most);
    if (one_message && buffer.bytes().size() < std::min<std::uint64_t>(wanted, largest_message))
        return fail(Errno::ENOBUFS);
    std::uint64_t done = 0;
    do {
        request.data = buffer.bytes().first(std::min<std::uint64_t>(buffer.bytes().size(), to.remaining()));
        LinuxResult<std::size_t> got;
        {
            SandboxLock lock;
            got = socket.receive(request);
        }
        if (!got) {
            if (done != 0)
                return done;
            return fail(got.error());
        }
        auto copied = to.scatter(request.data.first(*got));
        const std::size_t count = copied ? *copied : 0;
        done += count;
        if (count < *got) {
            if (done == 0)
                return fail(Errno::EFAULT);
            break;
        }
        if (*got == 0 || *got < request.data.size())
            break;
        // More than a buffer's worth: what is there already, or, with MSG_WAITALL, all of it.
        if ((request.flags & message_flag::wait_all) == 0)
            request.flags |= message_flag::dont_wait;
    } while (!one_message && to.remaining() != 0 && request.files.size() == 0 && (request.flags & message_flag::peek) == 0);
    if (one_message && (request.flags & message_flag::truncated) != 0)
        return static_cast<std::uint64_t>(request.full_length);
    return done;
}

CallResult send_message(Task& task, Socket& socket, std::uint64_t address, std::uint32_t flags) {
    const MessageHeader header = TRY(UserPtr<MessageHeader>(address).read());
    SocketAddress to;
    SendRequest request;
    request.flags = flags;
    if (header.name != 0) {
        to = TRY(load_socket_address(header.name, static_cast<std::int32_t>(header.name_length)));
        request.to = &to;
    }
    [[clang::uninitialized]] UserVector from;
    if (header.vector_length > UINT32_MAX)
        return fail(Errno::EMSGSIZE);
    TRY(from.load(header.vector, header.vector_length));
    FilesGuard guard(request.files);
    if (header.control_length != 0)
        TRY(load_control(task, socket, header.control, header.control_length, request));
    return send_from(task, socket, from, request);
}

CallResult receive_message(Task& task, Socket& socket, std::uint64_t address, std::uint32_t flags) {
    const UserPtr<MessageHeader> where(address);
    MessageHeader header = TRY(where.read());
    [[clang::uninitialized]] UserVector to;
    if (header.vector_length > UINT32_MAX)
        return fail(Errno::EMSGSIZE);
    TRY(to.load(header.vector, header.vector_length));
    ReceiveRequest request;
    request.flags = flags;
    FilesGuard guard(request.files);
    const std::uint64_t count = TRY(receive_into(socket, to, request));
    if (header.name != 0) {
        TRY(copy_out(header.name, std::span(request.from.bytes).first(std::min(header.name_length, request.from.length))));
        header.name_length = request.from.length;
    }
    header.control_length = TRY(store_control(task, socket, header.control, header.control != 0 ? header.control_length : 0, flags, request));
    header.flags = request.result_flags;
    TRY(where.write(header));
    return count;
}

} // namespace

CallResult sys_sendto(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    SocketAddress to;
    SendRequest request;
    request.flags = arguments.u32(3);
    if (arguments[4] != 0) {
        to = TRY(load_socket_address(arguments[4], arguments.i32(5)));
        request.to = &to;
    }
    [[clang::uninitialized]] UserVector from(arguments[1], arguments[2]);
    return send_from(task, *socket, from, request);
}

CallResult sys_recvfrom(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    [[clang::uninitialized]] UserVector to(arguments[1], arguments[2]);
    ReceiveRequest request;
    request.flags = arguments.u32(3);
    FilesGuard guard(request.files);
    const std::uint64_t count = TRY(receive_into(*socket, to, request));
    TRY(store_socket_address(request.from, arguments[4], arguments[5]));
    return count;
}

CallResult sys_sendmsg(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    return send_message(task, *socket, arguments[1], arguments.u32(2));
}

CallResult sys_recvmsg(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    return receive_message(task, *socket, arguments[1], arguments.u32(2));
}

CallResult sys_sendmmsg(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const UserPtr<MultipleHeader> messages = arguments.pointer<MultipleHeader>(1);
    const std::uint64_t count = std::min<std::uint64_t>(arguments.u32(2), most_messages);
    std::uint64_t done = 0;
    for (; done < count; ++done) {
        const std::uint64_t at = (messages + done).address();
        auto sent = send_message(task, *socket, at, arguments.u32(3));
        if (!sent) {
            if (done != 0)
                break;
            return sent;
        }
        TRY(UserPtr<std::uint32_t>(at + sizeof(MessageHeader)).write(static_cast<std::uint32_t>(*sent)));
    }
    return done;
}

CallResult sys_recvmmsg(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const UserPtr<MultipleHeader> messages = arguments.pointer<MultipleHeader>(1);
    const std::uint64_t count = std::min<std::uint64_t>(arguments.u32(2), most_messages);
    const abi::Deadline deadline = TRY(load_timeout(arguments[4], false));
    std::uint32_t flags = arguments.u32(3);
    const bool only_first_waits = (flags & message_flag::wait_for_one) != 0;
    flags &= ~message_flag::wait_for_one;
    std::uint64_t done = 0;
    while (done < count) {
        const std::uint64_t at = (messages + done).address();
        auto got = receive_message(task, *socket, at, flags);
        if (!got) {
            if (done != 0)
                break;
            return got;
        }
        TRY(UserPtr<std::uint32_t>(at + sizeof(MessageHeader)).write(static_cast<std::uint32_t>(*got)));
        ++done;
        if (only_first_waits)
            flags |= message_flag::dont_wait;
        if (deadline != abi::never && monotonic_now() >= deadline) // looked at between messages only, as Linux does
            break;
    }
    return done;
}

} // namespace personality
