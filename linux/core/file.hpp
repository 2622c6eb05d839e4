// An open file description: what a file descriptor refers to. Files, directories, pipes, sockets, epoll and the rest derive from it.
#pragma once
#include "abi/types.hpp"
#include "lib/base/list.hpp"
#include "lib/base/ref.hpp"
#include "linux/core/errno.hpp"
#include "linux/core/wait.hpp"

#include <cstddef>
#include <span>

namespace personality {

class Inode;
class SignalDriven;
struct KernelStat; // linux/fs/stat.hpp: the fields of struct stat and statx

// Part of a kernel Memory that backs a mapping. The handle stays owned by the file, which the mapping keeps alive.
struct BackingMemory {
    abi::Handle memory;
    std::uint64_t offset; // page-aligned
    std::uint64_t length; // bytes from `offset` that exist (pages past the end give SIGBUS)
    bool writable_shared; // the Memory may be mapped shared and writable
};

// The bytes of a directory listing: receives entries until it returns false (full).
class DirectorySink {
public:
    virtual ~DirectorySink() = default;
    virtual bool entry(std::uint64_t inode, std::uint64_t next_offset, std::uint8_t type, std::span<const char> name) = 0;
};

class File;

// What a File is, for calls that work on one kind only (epoll_ctl, connect, F_SETPIPE_SZ): the kind says which class to cast to.
enum class FileKind : std::uint8_t { other, located, pipe, socket, epoll, event, timer, signal, terminal };

// Told when a file goes: epoll refers to files without keeping them.
class FileWatcher : public base::ListNodeOf<FileWatcher> {
public:
    virtual ~FileWatcher() = default;
    // The file's destructor is at its end: only its address may still be used. Sandbox lock held. Must leave the list.
    virtual void file_gone() = 0;
};

// Unless said otherwise: sandbox lock held; buffers are the personality's own memory, never the guest's.
class File : public base::RefCounted<File> {
public:
    virtual ~File() {
        while (!watchers.empty()) {
            FileWatcher& watcher = watchers.front();
            watchers.remove(watcher);
            watcher.file_gone();
        }
    }

    // Reads at the file position (and moves it), or waits: EAGAIN at once with O_NONBLOCK. 0 is end of file. May block and so let go of the lock.
    virtual LinuxResult<std::size_t> read(std::span<std::byte> to);
    virtual LinuxResult<std::size_t> write(std::span<const std::byte> from);
    virtual LinuxResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> to);        // default ESPIPE
    virtual LinuxResult<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> from); // default ESPIPE
    virtual LinuxResult<std::uint64_t> seek(std::int64_t offset, int whence);                       // default ESPIPE
    virtual LinuxResult<void> truncate(std::uint64_t size);                                         // default EINVAL
    virtual LinuxResult<void> list(DirectorySink& sink);                                            // default ENOTDIR
    virtual LinuxResult<void> stat(KernelStat& stat);
    virtual LinuxResult<BackingMemory> backing(std::uint64_t offset, std::uint64_t length);        // for mmap; default ENODEV
    // `argument` is a number, or the address of the call's own copy of what the request reads and writes (linux/fs/ioctl.hpp).
    virtual LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument);       // default ENOTTY
    // EPOLL* bits that hold now.
    virtual std::uint32_t poll();
    virtual WaitQueue* wait_queue() { return nullptr; } // null: always ready
    virtual FileKind kind() const { return FileKind::other; }
    // Has as much to read as anybody asks for, at once.
    virtual bool endless() const { return false; }
    // When poll() may change without a wake (timerfd): whoever waits wakes up by then.
    virtual abi::Deadline next_event() { return abi::never; }
    virtual Inode* inode() { return nullptr; }
    // The last descriptor of this description is being closed by some process (flush); default nothing. The destructor frees.
    virtual void closing() {}

    std::uint32_t flags = 0; // O_* of open: access mode, O_NONBLOCK, O_APPEND
    std::uint64_t position = 0;
    base::List<FileWatcher, FileWatcher> watchers;
    SignalDriven* signal_driven = nullptr; // linux/signal/signal_driven.hpp: one of the watchers, which goes with the file

    bool nonblocking() const { return (flags & 04000) != 0; }
};

} // namespace personality
