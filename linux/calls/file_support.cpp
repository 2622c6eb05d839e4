#include "linux/calls/file_support.hpp"

#include <algorithm>
#include <new>

namespace personality {

LinuxResult<base::Ref<File>> working_file(Task& task, std::int32_t descriptor) {
    base::Ref<File> file = TRY(file_of(task, descriptor));
    if ((file->flags & open_flag::path) != 0)
        return fail(Errno::EBADF);
    return file;
}

CallResult install_file(Task& task, base::Ref<File> file, bool close_on_exec) {
    return static_cast<std::uint64_t>(TRY(files_of(task).install(std::move(file), close_on_exec, descriptor_limit(task))));
}

LinuxResult<Location> path_start(Task& task, std::int32_t directory, std::string_view path) {
    if (directory == at::current_directory || (!path.empty() && path.front() == '/'))
        return path_context(task).current;
    base::Ref<File> file = TRY(file_of(task, directory));
    return directory_of(*file);
}

LinuxResult<Location> find_path(Task& task, std::int32_t directory, std::string_view path, std::uint32_t at_flags) {
    const PathContext context = path_context(task);
    if (path.empty() && (at_flags & at::empty_path) != 0) {
        if (directory == at::current_directory)
            return context.current;
        base::Ref<File> file = TRY(file_of(task, directory));
        if (file->inode() == nullptr)
            return fail(Errno::ENOENT);
        return static_cast<LocatedFile&>(*file).location();
    }
    return walk_path(context, TRY(path_start(task, directory, path)), path, (at_flags & at::symlink_nofollow) != 0 ? 0 : walk_flag::follow);
}

LinuxResult<void> PathArgument::load(std::uint64_t address) {
    length_ = TRY(copy_string(bytes_, address));
    return {};
}

UserVector::UserVector(std::uint64_t address, std::uint64_t length) : count_(1), remaining_(std::min(length, most_bytes)) {
    parts_few_[0] = {address, remaining_};
}

LinuxResult<void> UserVector::load(std::uint64_t address, std::uint64_t count) {
    if (count > most)
        return fail(Errno::EINVAL);
    if (count > few) {
        parts_many_.reset(new (std::nothrow) Part[count]);
        if (!parts_many_)
            return fail(Errno::ENOMEM);
        parts_ = parts_many_.get();
    }
    TRY(copy_in(std::as_writable_bytes(std::span(parts_, count)), address));
    count_ = count;
    for (std::size_t i = 0; i < count; ++i) {
        if (static_cast<std::int64_t>(parts_[i].length) < 0)
            return fail(Errno::EINVAL);
        parts_[i].length = std::min(parts_[i].length, most_bytes - remaining_);
        remaining_ += parts_[i].length;
    }
    return {};
}

bool UserVector::in_range() const {
    for (std::size_t i = 0; i < count_; ++i)
        if (parts_[i].length != 0 && !user_range(parts_[i].address, parts_[i].length))
            return false;
    return true;
}

template <class Move> LinuxResult<std::size_t> UserVector::step(std::size_t bytes, Move move) {
    std::size_t done = 0;
    while (done < bytes && next_ < count_) {
        Part& part = parts_[next_];
        if (part.length == 0) {
            ++next_;
            continue;
        }
        const std::size_t wanted = std::min<std::uint64_t>(part.length, bytes - done);
        auto moved = move(part.address, done, wanted);
        if (!moved) {
            if (done != 0)
                return done;
            return fail(moved.error());
        }
        part.address += *moved;
        part.length -= *moved;
        remaining_ -= *moved;
        done += *moved;
        if (*moved < wanted)
            break;
    }
    return done;
}

LinuxResult<std::size_t> UserVector::gather(std::span<std::byte> to) {
    return step(to.size(), [&](std::uint64_t address, std::size_t done, std::size_t count) { return copy_in_partial(to.subspan(done, count), address); });
}

LinuxResult<std::size_t> UserVector::scatter(std::span<const std::byte> from) {
    return step(from.size(), [&](std::uint64_t address, std::size_t done, std::size_t count) { return copy_out_partial(address, from.subspan(done, count)); });
}

BounceBuffer::BounceBuffer(std::uint64_t wanted, std::size_t limit) {
    const std::size_t size = std::min<std::uint64_t>(wanted, limit);
    if (size > sizeof few_) {
        many_.reset(new (std::nothrow) std::byte[size]);
        if (many_) {
            bytes_ = {many_.get(), size};
            return;
        }
    }
    bytes_ = {few_, std::min(size, sizeof few_)};
}

} // namespace personality
