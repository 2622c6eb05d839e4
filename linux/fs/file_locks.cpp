#include "linux/fs/file_locks.hpp"

#include "linux/fs/inode.hpp"

#include <new>

namespace personality {

FileLocks::~FileLocks() {
    while (FileLock* lock = locks_.pop_front())
        delete lock;
}

const FileLock* FileLocks::conflict(const FileLock& wanted) const {
    for (const FileLock& lock : locks_) {
        if (lock.kind != wanted.kind || lock.owner == wanted.owner)
            continue;
        if (lock.range.end < wanted.range.start || wanted.range.end < lock.range.start)
            continue;
        if (lock.exclusive || wanted.exclusive)
            return &lock;
    }
    return nullptr;
}

// Takes the range away from what the owner holds already; a lock that sticks out on both sides becomes two.
LinuxResult<void> FileLocks::cut(const FileLock& wanted) {
    for (auto next = locks_.begin(); next != locks_.end();) {
        FileLock& lock = *next;
        ++next;
        if (lock.kind != wanted.kind || lock.owner != wanted.owner || lock.range.end < wanted.range.start || wanted.range.end < lock.range.start)
            continue;
        const bool before = lock.range.start < wanted.range.start;
        const bool after = lock.range.end > wanted.range.end;
        if (before && after) {
            auto* tail = new (std::nothrow) FileLock;
            if (tail == nullptr)
                return fail(Errno::ENOLCK);
            tail->range = {wanted.range.end + 1, lock.range.end};
            tail->owner = lock.owner;
            tail->process = lock.process;
            tail->kind = lock.kind;
            tail->exclusive = lock.exclusive;
            locks_.push_back(*tail);
            lock.range.end = wanted.range.start - 1;
        } else if (before) {
            lock.range.end = wanted.range.start - 1;
        } else if (after) {
            lock.range.start = wanted.range.end + 1;
        } else {
            locks_.remove(lock);
            delete &lock;
        }
    }
    return {};
}

LinuxResult<void> FileLocks::set(const FileLock& wanted, bool unlock, bool wait) {
    FileLock* added = nullptr;
    if (!unlock) {
        added = new (std::nothrow) FileLock;
        if (added == nullptr)
            return fail(Errno::ENOLCK);
        added->range = wanted.range;
        added->owner = wanted.owner;
        added->process = wanted.process;
        added->kind = wanted.kind;
        added->exclusive = wanted.exclusive;
        while (conflict(wanted) != nullptr) {
            LinuxResult<void> slept = wait ? block(queue_) : LinuxResult<void>(fail(Errno::EAGAIN));
            if (!slept) {
                delete added;
                return slept;
            }
        }
    }
    if (auto done = cut(wanted); !done) {
        delete added;
        return done;
    }
    if (added != nullptr)
        locks_.push_back(*added);
    queue_.wake();
    return {};
}

void FileLocks::drop_owner(const void* owner) {
    bool dropped = false;
    for (auto next = locks_.begin(); next != locks_.end();) {
        FileLock& lock = *next;
        ++next;
        if (lock.owner != owner)
            continue;
        locks_.remove(lock);
        delete &lock;
        dropped = true;
    }
    if (dropped)
        queue_.wake();
}

FileLocks* locks_of(Inode& inode) {
    if (inode.locks == nullptr)
        inode.locks = new (std::nothrow) FileLocks;
    return inode.locks;
}

} // namespace personality
