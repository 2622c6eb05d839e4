// What the handlers for files share: descriptors, paths and buffers of the calling task.
#pragma once
#include "linux/calls/call.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/fs/operations.hpp"
#include "linux/task/fd_table.hpp"

#include <memory>

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

// --- of the task; sandbox lock held
FdTable& files_of(Task& task);
std::uint64_t descriptor_limit(Task& task); // RLIMIT_NOFILE
PathContext path_context(Task& task);
FileCredentials real_credentials(Task& task); // by the real ids, as access asks
std::uint32_t umask_of(Task& task);
std::uint32_t exchange_umask(Task& task, std::uint32_t mask);
void set_current_directory(Task& task, Location location);
void set_root(Task& task, Location location);
bool may_change_root(Task& task);
const void* lock_owner(Task& task); // the table of descriptors, as owner of POSIX locks
std::int32_t process_number(Task& task);
// A broken pipe: SIGPIPE for the calling task. Lock not held.
void raise_broken_pipe(Task& task);

inline LinuxResult<base::Ref<File>> file_of(Task& task, std::int32_t descriptor) { return files_of(task).get(descriptor); }
// The same, without those of O_PATH (EBADF).
LinuxResult<base::Ref<File>> working_file(Task& task, std::int32_t descriptor);
CallResult install_file(Task& task, base::Ref<File> file, bool close_on_exec);
// The directory where a relative `path` starts. ENOTDIR, EBADF.
LinuxResult<Location> path_start(Task& task, std::int32_t directory, std::string_view path);
// What `path` names; with at::empty_path and an empty path the descriptor itself. For files without an inode: ENOENT.
LinuxResult<Location> find_path(Task& task, std::int32_t directory, std::string_view path, std::uint32_t at_flags);

// The last reference may go here, and destructors want the lock.
class FileHold {
public:
    explicit FileHold(base::Ref<File> file) : file_(std::move(file)) {}
    ~FileHold() {
        SandboxLock lock;
        file_ = nullptr;
    }
    File& operator*() const { return *file_; }
    File* operator->() const { return file_.get(); }

private:
    base::Ref<File> file_;
};

// SIOCGIFCONF, whose argument points at a buffer of the guest (linux/calls/socket_options.cpp). Lock not held.
CallResult list_interfaces(Task& task, std::int32_t descriptor, std::uint64_t argument);

// --- a path copied from the guest; lock not held. Not zeroed, which would cost more than the walk: declare it [[clang::uninitialized]].
class PathArgument {
public:
    // EFAULT, ENAMETOOLONG. An empty path is no error here.
    LinuxResult<void> load(std::uint64_t address);
    std::string_view view() const { return {bytes_, length_}; }

private:
    std::size_t length_ = 0;
    char bytes_[path_max];
};

// --- the guest's buffers of read, write and their relatives; lock not held. Zeroing its parts would be a tenth of a short call: declare it [[clang::uninitialized]].
class UserVector {
public:
    static constexpr std::uint64_t most_bytes = 0x7ffff000; // one call moves no more

    UserVector() = default;
    UserVector(std::uint64_t address, std::uint64_t length); // one buffer; longer than most_bytes is cut
    // struct iovec. EINVAL (too many, or a negative length), EFAULT.
    LinuxResult<void> load(std::uint64_t address, std::uint64_t count);
    bool in_range() const; // all in the guest half

    std::uint64_t remaining() const { return remaining_; }
    // Moves the next bytes and steps on. Less than asked only at a fault; EFAULT where nothing was moved.
    LinuxResult<std::size_t> gather(std::span<std::byte> to);
    LinuxResult<std::size_t> scatter(std::span<const std::byte> from);

private:
    struct Part {
        std::uint64_t address, length;
    };
    template <class Move> LinuxResult<std::size_t> step(std::size_t bytes, Move move);
    static constexpr std::size_t few = 8, most = 1024;
    Part parts_few_[few];
    std::unique_ptr<Part[]> parts_many_;
    Part* parts_ = parts_few_;
    std::size_t count_ = 0, next_ = 0;
    std::uint64_t remaining_ = 0;
};

// A place for bytes between guest and file: on the stack where few are wanted. Not zeroed, which would cost more than the call: declare it [[clang::uninitialized]], and give out
// what was written to it alone.
class BounceBuffer {
public:
    static constexpr std::size_t most = 64 * 1024;
    explicit BounceBuffer(std::uint64_t wanted, std::size_t limit = most);
    std::span<std::byte> bytes() { return bytes_; }

private:
    std::byte few_[4096];
    std::unique_ptr<std::byte[]> many_;
    std::span<std::byte> bytes_;
};

} // namespace personality
