// ioctl: copies what a known request takes and gives, and hands it to the file.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/fs/ioctl.hpp"
#include "linux/ipc/socket.hpp"
#include "linux/net/interfaces.hpp"
#include "linux/signal/signal_driven.hpp"

namespace personality {

CallResult sys_ioctl(Task& task, const CallArguments& arguments) {
    const std::uint32_t request = arguments.u32(1);
    const IoctlShape shape = ioctl_shape(request);
    alignas(8) std::byte buffer[ioctl_buffer_bytes] = {};
    {
        SandboxLock lock;
        TRY(working_file(task, arguments.i32(0)));
    }
    if (shape.in != 0)
        TRY(copy_in(std::span(buffer).first(shape.in), arguments[2]));
    if (request == ioctl_request::interface_list)
        return list_interfaces(task, arguments.i32(0), arguments[2]);
    std::uint64_t value = 0;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
        switch (request) {
        case ioctl_request::set_close_on_exec:
        case ioctl_request::clear_close_on_exec:
            TRY(files_of(task).set_close_on_exec(arguments.i32(0), request == ioctl_request::set_close_on_exec));
            return std::uint64_t{0};
        case ioctl_request::set_nonblocking: {
            const bool on = *ioctl_argument<std::int32_t>(reinterpret_cast<std::uint64_t>(buffer)) != 0;
            file->flags = on ? file->flags | open_flag::nonblock : file->flags & ~open_flag::nonblock;
            return std::uint64_t{0};
        }
        case ioctl_request::set_async: {
            const bool on = *ioctl_argument<std::int32_t>(reinterpret_cast<std::uint64_t>(buffer)) != 0;
            if (on == ((file->flags & open_flag::async) != 0))
                return std::uint64_t{0};
            if (!can_drive_signals(*file))
                return fail(Errno::ENOTTY);
            TRY(drive_signals(*file, on, arguments.i32(0)));
            file->flags = on ? file->flags | open_flag::async : file->flags & ~open_flag::async;
            return std::uint64_t{0};
        }
        case ioctl_request::bytes_readable:
            if (file->inode() != nullptr && file->inode()->is_regular()) {
                const std::uint64_t size = file->inode()->size();
                *reinterpret_cast<std::int32_t*>(buffer) = static_cast<std::int32_t>(size > file->position ? size - file->position : 0);
                break;
            }
            [[fallthrough]];
        default:
            if (socket_of(*file) != nullptr && net::is_interface_request(request)) { // on a socket of any family
                TRY(net::interface_request(request, reinterpret_cast<std::uint64_t>(buffer)));
                break;
            }
            value = TRY(file->ioctl(request, shape.in != 0 || shape.out != 0 ? reinterpret_cast<std::uint64_t>(buffer) : arguments[2]));
        }
    }
    if (shape.out != 0)
        TRY(copy_out(arguments[2], std::span(buffer).first(shape.out)));
    return value;
}

} // namespace personality
