#include "linux/ipc/pipe.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"
#include "linux/fs/ioctl.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace personality {

LinuxResult<void> Pipe::allocate() {
    if (bytes_ == nullptr)
        bytes_ = new (std::nothrow) std::byte[capacity_];
    if (bytes_ == nullptr)
        return fail(Errno::ENOMEM);
    return {};
}

LinuxResult<std::size_t> Pipe::set_capacity(std::size_t wanted) {
    if (wanted > max_capacity)
        return fail(Errno::EPERM);
    const std::size_t size = std::bit_ceil(std::max<std::size_t>(wanted, abi::page_size));
    if (size < used_)
        return fail(Errno::EBUSY);
    auto* bytes = new (std::nothrow) std::byte[size];
    if (bytes == nullptr)
        return fail(Errno::ENOMEM);
    for (std::size_t i = 0; i < used_; ++i)
        bytes[i] = bytes_[(start_ + i) & (capacity_ - 1)];
    delete[] bytes_;
    bytes_ = bytes;
    start_ = 0;
    capacity_ = size;
    queue.wake();
    return size;
}

LinuxResult<std::size_t> Pipe::read(std::span<std::byte> to, bool nonblocking) {
    if (to.empty())
        return std::size_t{0};
    while (used_ == 0) {
        if (writers == 0)
            return std::size_t{0};
        if (nonblocking)
            return fail(Errno::EAGAIN);
        TRY(block(queue));
    }
    const std::size_t count = std::min(to.size(), used_);
    const std::size_t first = std::min(count, capacity_ - start_);
    std::memcpy(to.data(), bytes_ + start_, first);
    std::memcpy(to.data() + first, bytes_, count - first);
    start_ = (start_ + count) & (capacity_ - 1);
    used_ -= count;
    queue.wake(poll_event::writable);
    return count;
}

void Pipe::put(std::span<const std::byte> from) {
    const std::size_t end = (start_ + used_) & (capacity_ - 1);
    const std::size_t first = std::min(from.size(), capacity_ - end);
    std::memcpy(bytes_ + end, from.data(), first);
    std::memcpy(bytes_, from.data() + first, from.size() - first);
    used_ += from.size();
    queue.wake(poll_event::readable);
}

LinuxResult<std::size_t> Pipe::write(std::span<const std::byte> from, bool nonblocking) {
    if (from.empty())
        return std::size_t{0};
    TRY(allocate());
    const std::size_t least = from.size() <= atomic_bytes ? from.size() : 1;
    std::size_t done = 0;
    while (done < from.size()) {
        if (readers == 0) {
            if (done != 0)
                return done;
            return fail(Errno::EPIPE);
        }
        const std::size_t free = capacity_ - used_;
        if (free >= least) {
            const std::size_t count = std::min(free, from.size() - done);
            put(from.subspan(done, count));
            done += count;
            continue;
        }
        if (nonblocking) {
            if (done != 0)
                return done;
            return fail(Errno::EAGAIN);
        }
        if (auto slept = block(queue); !slept) {
            if (done != 0)
                return done;
            return fail(slept.error());
        }
    }
    return done;
}

void Pipe::add_end(bool reads, bool writes) {
    readers += reads;
    writers += writes;
    reader_opens += reads;
    writer_opens += writes;
    queue.wake();
}

void Pipe::remove_end(bool reads, bool writes) {
    readers -= reads;
    writers -= writes;
    if (readers == 0 && writers == 0)
        start_ = used_ = 0; // a FIFO that nobody has open forgets what was in it
    queue.wake(poll_event::hang_up | poll_event::error | poll_event::readable | poll_event::writable);
}

PipeFile::PipeFile(base::Ref<Pipe> pipe, Location location, std::uint32_t flags)
    : LocatedFile(std::move(location), flags), pipe_(std::move(pipe)), number_(next_anonymous_inode()) {
    pipe_->add_end(readable(), writable());
}

PipeFile::~PipeFile() { pipe_->remove_end(readable(), writable()); }

LinuxResult<std::size_t> PipeFile::read(std::span<std::byte> to) {
    if (!readable())
        return fail(Errno::EBADF);
    return pipe_->read(to, nonblocking());
}

LinuxResult<std::size_t> PipeFile::write(std::span<const std::byte> from) {
    if (!writable())
        return fail(Errno::EBADF);
    return pipe_->write(from, nonblocking());
}

LinuxResult<void> PipeFile::stat(KernelStat& stat) {
    if (inode() != nullptr)
        return LocatedFile::stat(stat);
    anonymous_stat(stat, number_, mode::fifo | 0600);
    return {};
}

LinuxResult<std::uint64_t> PipeFile::ioctl(std::uint32_t request, std::uint64_t argument) {
    if (request != ioctl_request::bytes_readable)
        return File::ioctl(request, argument);
    *ioctl_argument<std::int32_t>(argument) = static_cast<std::int32_t>(pipe_->used());
    return std::uint64_t{0};
}

std::uint32_t PipeFile::poll() {
    std::uint32_t events = 0;
    if (readable()) {
        if (pipe_->used() != 0)
            events |= poll_event::readable;
        if (pipe_->writers == 0 && pipe_->writer_opens != 0)
            events |= poll_event::hang_up;
    }
    if (writable()) {
        if (pipe_->capacity() - pipe_->used() >= Pipe::atomic_bytes)
            events |= poll_event::writable;
        if (pipe_->readers == 0)
            events |= poll_event::error;
    }
    return events;
}

Pipe* PipeFile::pipe_of(File& file) {
    return file.kind() == FileKind::pipe ? &static_cast<PipeFile&>(file).pipe() : nullptr;
}

LinuxResult<PipeEnds> make_pipe(std::uint32_t flags) {
    auto* pipe = new (std::nothrow) Pipe;
    if (pipe == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<Pipe>::adopt(*pipe);
    flags &= open_flag::nonblock | open_flag::direct;
    PipeEnds ends;
    if (auto* file = new (std::nothrow) PipeFile(reference, {}, flags | open_flag::read_only))
        ends.read = base::Ref<File>::adopt(*file);
    if (auto* file = new (std::nothrow) PipeFile(reference, {}, flags | open_flag::write_only))
        ends.write = base::Ref<File>::adopt(*file);
    if (!ends.read || !ends.write)
        return fail(Errno::ENOMEM);
    return ends;
}

LinuxResult<base::Ref<File>> open_fifo(const Location& location, std::uint32_t flags) {
    Inode& node = *location.inode();
    if (!node.attachment) {
        auto* made = new (std::nothrow) Pipe;
        if (made == nullptr)
            return fail(Errno::ENOMEM);
        node.attachment = base::Ref<InodeAttachment>::adopt(*made);
    }
    base::Ref<Pipe> pipe(static_cast<Pipe&>(*node.attachment));
    const std::uint32_t access = flags & open_flag::access_mode;
    const bool nonblocking = (flags & open_flag::nonblock) != 0;
    if (access == open_flag::write_only && nonblocking && pipe->readers == 0)
        return fail(Errno::ENXIO);
    auto* made = new (std::nothrow) PipeFile(pipe, location, flags);
    if (made == nullptr)
        return fail(Errno::ENOMEM);
    auto file = base::Ref<File>::adopt(*made);
    const std::uint64_t seen_writers = pipe->writer_opens, seen_readers = pipe->reader_opens;
    if (access == open_flag::read_only && !nonblocking)
        while (pipe->writers == 0 && pipe->writer_opens == seen_writers)
            TRY(block(pipe->queue));
    if (access == open_flag::write_only)
        while (pipe->readers == 0 && pipe->reader_opens == seen_readers)
            TRY(block(pipe->queue));
    return file;
}

} // namespace personality
