#include "linux/task/fd_table.hpp"

#include "linux/fs/file_locks.hpp"
#include "linux/fs/inode.hpp"

#include <algorithm>
#include <new>

namespace personality {

LinuxResult<base::Ref<FdTable>> FdTable::create() {
    auto* table = new (std::nothrow) FdTable;
    if (table == nullptr)
        return fail(Errno::ENOMEM);
    return base::Ref<FdTable>::adopt(*table);
}

LinuxResult<base::Ref<FdTable>> FdTable::clone() const {
    auto copy = TRY(create());
    TRY(copy->grow(slots_.size()));
    for (std::size_t i = 0; i < slots_.size(); ++i)
        copy->slots_[i] = {slots_[i].file, slots_[i].close_on_exec};
    copy->lowest_free_ = lowest_free_;
    copy->open_ = open_;
    return copy;
}

bool FdTable::valid(std::int32_t number) const {
    return number >= 0 && static_cast<std::size_t>(number) < slots_.size() && slots_[static_cast<std::size_t>(number)].file != nullptr;
}

LinuxResult<void> FdTable::grow(std::size_t size) {
    if (size > capacity_limit)
        return fail(Errno::EMFILE);
    if (size > slots_.size() && !slots_.resize(size))
        return fail(Errno::ENOMEM);
    return {};
}

LinuxResult<base::Ref<File>> FdTable::get(std::int32_t number) const {
    if (!valid(number))
        return fail(Errno::EBADF);
    return slots_[static_cast<std::size_t>(number)].file;
}

LinuxResult<std::int32_t> FdTable::install(base::Ref<File> file, bool close_on_exec, std::uint64_t limit, std::int32_t lowest) {
    if (lowest < 0 || static_cast<std::uint64_t>(lowest) >= limit)
        return fail(lowest == 0 ? Errno::EMFILE : Errno::EINVAL);
    std::size_t number = std::max<std::size_t>(lowest_free_, static_cast<std::size_t>(lowest));
    while (number < slots_.size() && slots_[number].file)
        ++number;
    if (number >= limit)
        return fail(Errno::EMFILE);
    if (number >= slots_.size())
        TRY(grow(std::min<std::size_t>(std::max<std::size_t>(number + 1, slots_.size() * 2), capacity_limit)));
    if (number >= slots_.size())
        return fail(Errno::EMFILE);
    slots_[number] = {std::move(file), close_on_exec};
    ++open_;
    if (number == lowest_free_)
        lowest_free_ = static_cast<std::uint32_t>(number) + 1;
    return static_cast<std::int32_t>(number);
}

LinuxResult<void> FdTable::replace(std::int32_t number, base::Ref<File> file, bool close_on_exec, std::uint64_t limit) {
    if (number < 0 || static_cast<std::uint64_t>(number) >= limit)
        return fail(Errno::EBADF);
    const auto index = static_cast<std::size_t>(number);
    TRY(grow(index + 1));
    base::Ref<File> old = std::move(slots_[index].file);
    slots_[index] = {std::move(file), close_on_exec};
    if (old)
        let_go(*old);
    else
        ++open_;
    return {};
}

void FdTable::let_go(File& file) {
    file.closing();
    // POSIX locks go with any descriptor of the file; a table that processes share is one owner.
    if (Inode* const node = file.inode(); node != nullptr && node->locks != nullptr)
        node->locks->drop_owner(this);
}

LinuxResult<base::Ref<File>> FdTable::close(std::int32_t number) {
    if (!valid(number))
        return fail(Errno::EBADF);
    base::Ref<File> file = std::move(slots_[static_cast<std::size_t>(number)].file);
    --open_;
    lowest_free_ = std::min(lowest_free_, static_cast<std::uint32_t>(number));
    let_go(*file);
    return file;
}

LinuxResult<bool> FdTable::close_on_exec(std::int32_t number) const {
    if (!valid(number))
        return fail(Errno::EBADF);
    return slots_[static_cast<std::size_t>(number)].close_on_exec;
}

LinuxResult<void> FdTable::set_close_on_exec(std::int32_t number, bool value) {
    if (!valid(number))
        return fail(Errno::EBADF);
    slots_[static_cast<std::size_t>(number)].close_on_exec = value;
    return {};
}

void FdTable::close_range(std::uint32_t first, std::uint32_t last, bool mark) {
    for (std::size_t i = first; i < slots_.size() && i <= last; ++i) {
        if (!slots_[i].file)
            continue;
        if (mark)
            slots_[i].close_on_exec = true;
        else
            (void)close(static_cast<std::int32_t>(i));
    }
}

void FdTable::close_for_exec() {
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].file && slots_[i].close_on_exec)
            (void)close(static_cast<std::int32_t>(i));
}

void FdTable::close_all() { close_range(0, UINT32_MAX, false); }

std::int32_t FdTable::next_open(std::int32_t from) const {
    for (std::size_t i = from < 0 ? 0 : static_cast<std::size_t>(from); i < slots_.size(); ++i)
        if (slots_[i].file)
            return static_cast<std::int32_t>(i);
    return -1;
}

} // namespace personality
