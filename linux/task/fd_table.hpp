// The file descriptors of a process.
#pragma once
#include "lib/base/ref.hpp"
#include "lib/base/vector.hpp"
#include "linux/core/file.hpp"

namespace personality {

// Shared by the processes of clone(CLONE_FILES), else one each. Sandbox lock for all members.
class FdTable final : public base::RefCounted<FdTable> {
public:
    static constexpr std::uint32_t capacity_limit = 1u << 20; // as Linux' fs.nr_open

    static LinuxResult<base::Ref<FdTable>> create();
    // fork: the same descriptions under the same numbers.
    LinuxResult<base::Ref<FdTable>> clone() const;

    // EBADF.
    LinuxResult<base::Ref<File>> get(std::int32_t number) const;
    // The lowest free number that is at least `lowest` and below `limit` (RLIMIT_NOFILE). EMFILE; EINVAL where `lowest` is not below `limit`.
    LinuxResult<std::int32_t> install(base::Ref<File> file, bool close_on_exec, std::uint64_t limit, std::int32_t lowest = 0);
    // dup2: closes what was there. EBADF where `number` is not below `limit`.
    LinuxResult<void> replace(std::int32_t number, base::Ref<File> file, bool close_on_exec, std::uint64_t limit);
    // Takes the description out. EBADF. File::closing was called; the caller drops the reference.
    LinuxResult<base::Ref<File>> close(std::int32_t number);
    LinuxResult<bool> close_on_exec(std::int32_t number) const;
    LinuxResult<void> set_close_on_exec(std::int32_t number, bool value);
    // [first, last], for close_range; only marks with `mark` set.
    void close_range(std::uint32_t first, std::uint32_t last, bool mark);
    void close_for_exec();
    void close_all();
    // The first number at or after `from` that is open, or -1: for /proc/PID/fd.
    std::int32_t next_open(std::int32_t from) const;
    std::uint32_t open_count() const { return open_; }

private:
    struct Slot {
        base::Ref<File> file;
        bool close_on_exec = false;
    };
    LinuxResult<void> grow(std::size_t size);
    bool valid(std::int32_t number) const;
    void let_go(File& file);
    base::Vector<Slot> slots_;
    std::uint32_t lowest_free_ = 0; // nothing below is free
    std::uint32_t open_ = 0;
};

} // namespace personality
