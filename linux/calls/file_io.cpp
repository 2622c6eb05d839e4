// Reading and writing.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/task/task.hpp"
#include "linux/ipc/socket.hpp"

#include <algorithm>
#include <optional>

namespace personality {

namespace {

constexpr std::uint64_t at_position = UINT64_MAX; // in place of an offset

bool readable(const File& file) { return (file.flags & open_flag::access_mode) != open_flag::write_only; }
bool writable(const File& file) { return (file.flags & open_flag::access_mode) != open_flag::read_only; }
// Files that end a transfer only at their end: the others give what they have.
bool is_plain(File& file) { return file.inode() != nullptr && file.inode()->is_regular(); }

LinuxResult<base::Ref<File>> take_file(Task& task, std::int32_t descriptor, bool for_writing) {
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, descriptor));
    if (!(for_writing ? writable(*file) : readable(*file)))
        return fail(Errno::EBADF);
    return file;
}

CallResult read_into(Task& task, File& file, UserVector& to, std::uint64_t offset) {
    if (!to.in_range())
        return fail(Errno::EFAULT);
    [[clang::uninitialized]] BounceBuffer buffer(to.remaining());
    const bool plain = is_plain(file), more = plain || file.endless();
    std::uint64_t done = 0;
    do {
        std::span<std::byte> part = buffer.bytes().first(std::min<std::uint64_t>(buffer.bytes().size(), to.remaining()));
        LinuxResult<std::size_t> got;
        {
            SandboxLock lock;
            if (done != 0 && (file.endless() ? task.signal_pending() : task.fatal_signal_pending()))
                break;
            got = offset == at_position ? file.read(part) : file.read_at(offset + done, part);
        }
        if (!got) {
            if (done != 0)
                return done;
            return fail(got.error());
        }
        if (*got == 0)
            break;
        auto copied = to.scatter(part.first(*got));
        const std::size_t count = copied ? *copied : 0;
        done += count;
        if (count < *got) {
            if (plain && offset == at_position)
                file.position -= *got - count; // what the program did not get is still to be read
            if (done == 0)
                return fail(Errno::EFAULT);
            break;
        }
        if (*got < part.size())
            break;
    } while (more && to.remaining() != 0);
    return done;
}

CallResult write_from(Task& task, File& file, UserVector& from, std::uint64_t offset) {
    if (!from.in_range())
        return fail(Errno::EFAULT);
    Socket* socket = socket_of(file);
    const bool one_message = socket != nullptr && socket->type() != socket_type::stream;
    constexpr std::size_t largest_message = 256 * 1024;
    if (one_message && from.remaining() > largest_message)
        return fail(Errno::EMSGSIZE);
    [[clang::uninitialized]] BounceBuffer buffer(from.remaining(), one_message ? largest_message : BounceBuffer::most);
    if (one_message && buffer.bytes().size() < from.remaining())
        return fail(Errno::ENOBUFS);
    std::uint64_t done = 0;
    do {
        std::span<std::byte> part = buffer.bytes().first(std::min<std::uint64_t>(buffer.bytes().size(), from.remaining()));
        auto gathered = from.gather(part);
        if (!gathered) {
            if (done != 0)
                return done;
            return fail(gathered.error());
        }
        const bool cut = *gathered < part.size();
        part = part.first(*gathered);
        LinuxResult<std::size_t> put;
        {
            SandboxLock lock;
            if (done != 0 && task.fatal_signal_pending())
                break;
            put = offset == at_position ? file.write(part) : file.write_at(offset + done, part);
        }
        if (!put) {
            if (put.error() == Errno::EPIPE)
                raise_broken_pipe(task);
            if (done != 0)
                return done;
            return fail(put.error());
        }
        done += *put;
        if (*put < part.size() || cut)
            break;
    } while (from.remaining() != 0);
    return done;
}

// The offset of pread and its relatives: EINVAL below 0, ESPIPE for files without positions.
LinuxResult<std::uint64_t> checked_offset(std::int64_t offset) {
    if (offset < 0)
        return fail(Errno::EINVAL);
    return static_cast<std::uint64_t>(offset);
}

LinuxResult<void> load_vector(UserVector& vector, const CallArguments& arguments) { return vector.load(arguments[1], arguments[2]); }

} // namespace

CallResult sys_read(Task& task, const CallArguments& arguments) {
    FileHold file(TRY(take_file(task, arguments.i32(0), false)));
    if (static_cast<std::int64_t>(arguments[2]) < 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] UserVector to(arguments[1], arguments[2]);
    return read_into(task, *file, to, at_position);
}

CallResult sys_write(Task& task, const CallArguments& arguments) {
    FileHold file(TRY(take_file(task, arguments.i32(0), true)));
    if (static_cast<std::int64_t>(arguments[2]) < 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] UserVector from(arguments[1], arguments[2]);
    return write_from(task, *file, from, at_position);
}

CallResult sys_pread64(Task& task, const CallArguments& arguments) {
    const std::uint64_t offset = TRY(checked_offset(arguments.offset(3)));
    FileHold file(TRY(take_file(task, arguments.i32(0), false)));
    [[clang::uninitialized]] UserVector to(arguments[1], arguments[2]);
    return read_into(task, *file, to, offset);
}

CallResult sys_pwrite64(Task& task, const CallArguments& arguments) {
    const std::uint64_t offset = TRY(checked_offset(arguments.offset(3)));
    FileHold file(TRY(take_file(task, arguments.i32(0), true)));
    [[clang::uninitialized]] UserVector from(arguments[1], arguments[2]);
    return write_from(task, *file, from, offset);
}

CallResult sys_readv(Task& task, const CallArguments& arguments) {
    FileHold file(TRY(take_file(task, arguments.i32(0), false)));
    [[clang::uninitialized]] UserVector to;
    TRY(load_vector(to, arguments));
    return read_into(task, *file, to, at_position);
}

CallResult sys_writev(Task& task, const CallArguments& arguments) {
    FileHold file(TRY(take_file(task, arguments.i32(0), true)));
    [[clang::uninitialized]] UserVector from;
    TRY(load_vector(from, arguments));
    return write_from(task, *file, from, at_position);
}

CallResult sys_preadv(Task& task, const CallArguments& arguments) {
    const std::uint64_t offset = TRY(checked_offset(arguments.offset(3)));
    FileHold file(TRY(take_file(task, arguments.i32(0), false)));
    [[clang::uninitialized]] UserVector to;
    TRY(load_vector(to, arguments));
    return read_into(task, *file, to, offset);
}

CallResult sys_pwritev(Task& task, const CallArguments& arguments) {
    const std::uint64_t offset = TRY(checked_offset(arguments.offset(3)));
    FileHold file(TRY(take_file(task, arguments.i32(0), true)));
    [[clang::uninitialized]] UserVector from;
    TRY(load_vector(from, arguments));
    return write_from(task, *file, from, offset);
}

// RWF_* flags: hints (HIPRI, DSYNC, SYNC) change nothing for files in RAM; the others are refused.
static LinuxResult<void> check_vector_flags(std::uint32_t flags) {
    if ((flags & ~7u) != 0)
        return fail(Errno::EOPNOTSUPP);
    return {};
}

CallResult sys_preadv2(Task& task, const CallArguments& arguments) {
    TRY(check_vector_flags(arguments.u32(5)));
    return arguments.offset(3) == -1 ? sys_readv(task, arguments) : sys_preadv(task, arguments);
}

CallResult sys_pwritev2(Task& task, const CallArguments& arguments) {
    TRY(check_vector_flags(arguments.u32(5)));
    return arguments.offset(3) == -1 ? sys_writev(task, arguments) : sys_pwritev(task, arguments);
}

CallResult sys_lseek(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (arguments.u32(2) > 4)
        return fail(Errno::EINVAL);
    return file->seek(arguments.offset(1), arguments.i32(2));
}

namespace {

// Moves bytes from file to file inside the personality. Offsets of at_position use and move the positions.
CallResult move_bytes(Task& task, File& from, File& to, std::uint64_t& from_offset, std::uint64_t& to_offset, std::uint64_t count) {
    [[clang::uninitialized]] BounceBuffer buffer(count);
    std::uint64_t done = 0;
    while (done < count) {
        std::optional<SandboxLock> lock(std::in_place);
        // Files give and take without a wait, so this may go on for long.
        if (done != 0 && task.fatal_signal_pending())
            break;
        std::span<std::byte> part = buffer.bytes().first(std::min<std::uint64_t>(buffer.bytes().size(), count - done));
        auto got = from_offset == at_position ? from.read(part) : from.read_at(from_offset, part);
        if (!got) {
            if (done != 0)
                break;
            return fail(got.error());
        }
        if (*got == 0)
            break;
        auto put = to_offset == at_position ? to.write(part.first(*got)) : to.write_at(to_offset, part.first(*got));
        const std::size_t moved = put ? *put : 0;
        if (from_offset != at_position)
            from_offset += moved;
        else if (is_plain(from))
            from.position -= *got - moved;
        if (to_offset != at_position)
            to_offset += moved;
        done += moved;
        lock.reset();
        if (!put) {
            if (put.error() == Errno::EPIPE)
                raise_broken_pipe(task);
            if (done != 0)
                break;
            return fail(put.error());
        }
        if (moved < *got || (!is_plain(from) && *got < part.size()))
            break;
    }
    return done;
}

LinuxResult<std::uint64_t> load_offset(UserPtr<std::int64_t> pointer) {
    if (!pointer)
        return at_position;
    return checked_offset(TRY(pointer.read()));
}

LinuxResult<void> store_offset(UserPtr<std::int64_t> pointer, std::uint64_t offset) {
    return pointer ? pointer.write(static_cast<std::int64_t>(offset)) : LinuxResult<void>();
}

} // namespace

CallResult sys_sendfile(Task& task, const CallArguments& arguments) {
    FileHold from(TRY(take_file(task, arguments.i32(1), false)));
    FileHold to(TRY(take_file(task, arguments.i32(0), true)));
    const auto pointer = arguments.pointer<std::int64_t>(2);
    std::uint64_t offset = TRY(load_offset(pointer)), end = at_position;
    if (!is_plain(*from))
        return fail(offset != at_position ? Errno::ESPIPE : Errno::EINVAL);
    const std::uint64_t moved = TRY(move_bytes(task, *from, *to, offset, end, std::min(arguments[3], UserVector::most_bytes)));
    TRY(store_offset(pointer, offset));
    return moved;
}

CallResult sys_copy_file_range(Task& task, const CallArguments& arguments) {
    if (arguments.u32(5) != 0)
        return fail(Errno::EINVAL);
    FileHold from(TRY(take_file(task, arguments.i32(0), false)));
    FileHold to(TRY(take_file(task, arguments.i32(2), true)));
    if ((to->flags & open_flag::append) != 0)
        return fail(Errno::EBADF);
    const auto from_pointer = arguments.pointer<std::int64_t>(1), to_pointer = arguments.pointer<std::int64_t>(3);
    std::uint64_t from_offset = TRY(load_offset(from_pointer)), to_offset = TRY(load_offset(to_pointer));
    if (!is_plain(*from) || !is_plain(*to)) {
        const bool directory = (from->inode() != nullptr && from->inode()->is_directory()) || (to->inode() != nullptr && to->inode()->is_directory());
        return fail(directory ? Errno::EISDIR : Errno::EINVAL);
    }
    const std::uint64_t count = std::min(arguments[4], UserVector::most_bytes);
    if (from->inode() == to->inode()) {
        const std::uint64_t a = from_offset == at_position ? from->position : from_offset, b = to_offset == at_position ? to->position : to_offset;
        if (a < b + count && b < a + count)
            return fail(Errno::EINVAL);
    }
    const std::uint64_t moved = TRY(move_bytes(task, *from, *to, from_offset, to_offset, count));
    TRY(store_offset(from_pointer, from_offset));
    TRY(store_offset(to_pointer, to_offset));
    return moved;
}

CallResult sys_splice(Task& task, const CallArguments& arguments) {
    FileHold from(TRY(take_file(task, arguments.i32(0), false)));
    FileHold to(TRY(take_file(task, arguments.i32(2), true)));
    const bool from_pipe = from->kind() == FileKind::pipe, to_pipe = to->kind() == FileKind::pipe;
    const auto from_pointer = arguments.pointer<std::int64_t>(1), to_pointer = arguments.pointer<std::int64_t>(3);
    if ((from_pipe && from_pointer) || (to_pipe && to_pointer))
        return fail(Errno::ESPIPE);
    if (!from_pipe && !to_pipe)
        return fail(Errno::EINVAL);
    std::uint64_t from_offset = TRY(load_offset(from_pointer)), to_offset = TRY(load_offset(to_pointer));
    const std::uint64_t count = std::min<std::uint64_t>(arguments[4], BounceBuffer::most);
    constexpr std::uint32_t splice_nonblock = 2;
    if ((arguments.u32(5) & splice_nonblock) != 0) {
        SandboxLock lock;
        // Of the pipes alone: the other file waits as its own O_NONBLOCK says.
        if ((from_pipe && (from->poll() & (poll_event::readable | poll_event::hang_up)) == 0) || (to_pipe && (to->poll() & poll_event::writable) == 0))
            return fail(Errno::EAGAIN);
    }
    const std::uint64_t moved = TRY(move_bytes(task, *from, *to, from_offset, to_offset, count));
    TRY(store_offset(from_pointer, from_offset));
    TRY(store_offset(to_pointer, to_offset));
    return moved;
}

// Files lie in RAM: there is nothing to write back, but the descriptor must be one that can be.
static CallResult synchronise(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (file->inode() == nullptr || (!file->inode()->is_regular() && !file->inode()->is_directory()))
        return fail(Errno::EINVAL);
    return std::uint64_t{0};
}

CallResult sys_fsync(Task& task, const CallArguments& arguments) { return synchronise(task, arguments); }
CallResult sys_fdatasync(Task& task, const CallArguments& arguments) { return synchronise(task, arguments); }
CallResult sys_sync(Task&, const CallArguments&) { return std::uint64_t{0}; }

CallResult sys_syncfs(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    TRY(working_file(task, arguments.i32(0)));
    return std::uint64_t{0};
}

CallResult sys_sync_file_range(Task& task, const CallArguments& arguments) {
    if (arguments.offset(1) < 0 || arguments.offset(2) < 0 || arguments.u32(3) > 7)
        return fail(Errno::EINVAL);
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (!is_plain(*file))
        return fail(Errno::ESPIPE);
    return std::uint64_t{0};
}

CallResult sys_fadvise64(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (file->kind() == FileKind::pipe)
        return fail(Errno::ESPIPE);
    if (arguments.u32(3) > 5 || arguments.offset(2) < 0)
        return fail(Errno::EINVAL);
    return std::uint64_t{0};
}

CallResult sys_readahead(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (!readable(*file))
        return fail(Errno::EBADF);
    if (!is_plain(*file))
        return fail(Errno::EINVAL);
    return std::uint64_t{0};
}

CallResult sys_ftruncate(Task& task, const CallArguments& arguments) {
    if (arguments.offset(1) < 0)
        return fail(Errno::EINVAL);
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (!is_plain(*file) || !writable(*file))
        return fail(Errno::EINVAL);
    TRY(file->truncate(arguments[1]));
    return std::uint64_t{0};
}

CallResult sys_fallocate(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t keep_size = 1, punch_hole = 2, zero_range = 16;
    const std::uint32_t mode = arguments.u32(1);
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (arguments.offset(2) < 0 || arguments.offset(3) <= 0)
        return fail(Errno::EINVAL);
    if ((mode & ~(keep_size | punch_hole | zero_range)) != 0 || ((mode & punch_hole) != 0 && (mode & keep_size) == 0))
        return fail(Errno::EOPNOTSUPP);
    if (!writable(*file))
        return fail(Errno::EBADF);
    if (file->kind() == FileKind::pipe)
        return fail(Errno::ESPIPE);
    if (file->inode() == nullptr || !file->inode()->is_regular())
        return fail(file->inode() != nullptr && file->inode()->is_directory() ? Errno::EISDIR : Errno::ENODEV);
    if (arguments[2] + arguments[3] > max_file_size)
        return fail(Errno::EFBIG);
    const bool clears = (mode & (punch_hole | zero_range)) != 0;
    if ((mode & zero_range) != 0 && (mode & keep_size) == 0)
        TRY(file->inode()->allocate(arguments[2], arguments[3], false, false));
    TRY(file->inode()->allocate(arguments[2], arguments[3], (mode & keep_size) != 0, clears));
    return std::uint64_t{0};
}

} // namespace personality
