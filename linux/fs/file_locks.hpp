// Advisory locks of a file: flock, POSIX record locks (owned by a process) and open-file-description locks (man 2 fcntl).
#pragma once
#include "lib/base/list.hpp"
#include "linux/core/errno.hpp"
#include "linux/core/wait.hpp"

namespace personality {

struct LockRange {
    std::uint64_t start = 0;
    std::uint64_t end = UINT64_MAX; // the last byte, included
};

enum class LockKind : std::uint8_t { whole_file, record }; // flock, fcntl: the two do not see each other

struct FileLock : base::ListNode {
    LockRange range;
    const void* owner = nullptr; // the process of a POSIX lock, the open file description of the others
    std::int32_t process = -1;   // shown by F_GETLK; -1 for description locks
    LockKind kind = LockKind::record;
    bool exclusive = false;
};

// Sandbox lock. Made with the first lock of an inode.
class FileLocks {
public:
    ~FileLocks();
    // Takes, changes or (`unlock`) gives up the range. Errors: EAGAIN (held by another), ENOLCK. `wait`: sleeps instead; EDEADLK is not looked for.
    LinuxResult<void> set(const FileLock& wanted, bool unlock, bool wait);
    // The first lock that keeps `wanted` from being taken, or null.
    const FileLock* conflict(const FileLock& wanted) const;
    void drop_owner(const void* owner);
    base::List<FileLock>& all() { return locks_; }

private:
    LinuxResult<void> cut(const FileLock& wanted);
    base::List<FileLock> locks_;
    WaitQueue queue_;
};

class Inode;
// The inode's locks, made where there are none. Null: no memory.
FileLocks* locks_of(Inode& inode);

} // namespace personality
