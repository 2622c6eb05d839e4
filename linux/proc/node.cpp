#include "linux/proc/node.hpp"

#include "linux/fs/inode_file.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality::proc {

namespace {

constexpr std::int64_t first_dynamic = 1 << 16; // positions of entries that come and go lie behind those of the table
constexpr std::size_t longest_write = 4096;

class Tree final : public FileSystem {
public:
    Tree(std::string_view type_name, std::uint64_t magic) : type_name_(type_name), magic_(magic) {}
    std::string_view type_name() const override { return type_name_; }
    void statistics(FileSystemStat& stat) override { stat.type = magic_; }
    base::Ref<Dentry> root() override { return root_; }
    void set_root(base::Ref<Dentry> root) { root_ = std::move(root); }

private:
    std::string_view type_name_;
    std::uint64_t magic_;
    base::Ref<Dentry> root_;
};

// The same place has the same number each time.
std::uint64_t number_of(const Entry& entry, const Subject& subject) {
    std::uint64_t hash = reinterpret_cast<std::uint64_t>(&entry);
    for (const std::int32_t part : {subject.pid, subject.tid, subject.descriptor})
        hash = (hash ^ static_cast<std::uint32_t>(part)) * 0x9e3779b97f4a7c15;
    return hash >> 16 | 1;
}

// The whole text is made at the first read, and at each that starts over.
class TextFile final : public LocatedFile {
public:
    TextFile(const Location& location, std::uint32_t open_flags, const Entry& entry, const Subject& subject)
        : LocatedFile(location, open_flags), entry_(entry), subject_(subject) {}

    LinuxResult<std::size_t> read(std::span<std::byte> to) override {
        const std::size_t count = TRY(read_at(position, to));
        position += count;
        return count;
    }
    LinuxResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> to) override {
        if (!readable())
            return fail(Errno::EBADF);
        if (offset == 0 || !made_) {
            text_ = {};
            if (entry_.text != nullptr)
                TRY(entry_.text(text_, subject_));
            TRY(text_.outcome());
            made_ = true;
        }
        const std::string_view text = text_.view();
        if (offset >= text.size())
            return std::size_t{0};
        const std::size_t count = std::min<std::size_t>(to.size(), text.size() - offset);
        std::memcpy(to.data(), text.data() + offset, count);
        return count;
    }
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override { return write_at(0, from); }
    LinuxResult<std::size_t> write_at(std::uint64_t, std::span<const std::byte> from) override {
        if (!writable())
            return fail(Errno::EBADF);
        if (from.size() > longest_write)
            return fail(Errno::EINVAL);
        std::string_view text(reinterpret_cast<const char*>(from.data()), from.size());
        while (!text.empty() && text.back() == '\n')
            text.remove_suffix(1);
        TRY(entry_.store(text, subject_));
        made_ = false;
        return from.size();
    }
    LinuxResult<std::uint64_t> seek(std::int64_t offset, int whence) override {
        const std::int64_t base = whence == seek_current ? static_cast<std::int64_t>(position) : 0;
        if ((whence != seek_set && whence != seek_current) || offset < -base)
            return fail(Errno::EINVAL);
        position = static_cast<std::uint64_t>(base + offset);
        return position;
    }
    std::uint32_t poll() override { return poll_event::readable | poll_event::writable; }

private:
    const Entry& entry_;
    Subject subject_;
    Text text_;
    bool made_ = false;
};

class Node final : public Inode {
public:
    Node(FileSystem& tree, const Entry& entry, const Subject& subject)
        : Inode(tree, number_of(entry, subject), entry.mode), entry_(entry), subject_(subject) {
        if (entry.directory != nullptr)
            links_ = 2;
        if (Process* process = subject.pid != 0 ? find_process(subject.pid) : nullptr; process != nullptr && !process->threads.empty()) {
            user_ = process->threads.front().credentials.effective_user;
            group_ = process->threads.front().credentials.effective_group;
        }
    }

    LinuxResult<base::Ref<Dentry>> lookup(Dentry& directory, std::string_view name) override {
        if (entry_.directory == nullptr)
            return fail(Errno::ENOTDIR);
        for (const Entry& each : entry_.directory->entries)
            if (each.name == name)
                return make(directory, name, each, subject_);
        if (entry_.directory->find != nullptr)
            if (const Found found = TRY(entry_.directory->find(subject_, name)); found.entry != nullptr)
                return make(directory, name, *found.entry, found.subject);
        return fail(Errno::ENOENT);
    }

    LinuxResult<void> list(Dentry&, std::uint64_t position, DirectorySink& sink) override {
        if (entry_.directory == nullptr)
            return fail(Errno::ENOTDIR);
        const auto entries = entry_.directory->entries;
        // Positions 0 to 2 are the directory itself and its dots.
        for (std::size_t index = position > 2 ? position - 2 : 0; index < entries.size() && position < first_dynamic; ++index)
            if (!sink.entry(number_of(entries[index], subject_), index + 3, directory_entry_type(entries[index].mode), entries[index].name))
                return {};
        if (entry_.directory->next == nullptr)
            return {};
        std::int64_t number = position < first_dynamic ? 0 : static_cast<std::int64_t>(position) - first_dynamic;
        for (;; ++number) {
            const Found found = TRY(entry_.directory->next(subject_, number));
            if (found.entry == nullptr)
                return {};
            char name[24];
            if (!sink.entry(number_of(*found.entry, found.subject), static_cast<std::uint64_t>(first_dynamic + number + 1),
                            directory_entry_type(found.entry->mode), base::format(name, number)))
                return {};
        }
    }

    bool empty_directory() override { return false; }

    LinuxResult<std::size_t> read_link(std::span<char> to) override {
        if (!is_symlink())
            return fail(Errno::EINVAL);
        Text text;
        TRY(entry_.text(text, subject_));
        TRY(text.outcome());
        return text.view().copy(to.data(), to.size());
    }
    LinuxResult<bool> magic_link(Location& target) override {
        if (entry_.target == nullptr)
            return false;
        target = TRY(entry_.target(subject_));
        return true;
    }

    LinuxResult<base::Ref<File>> open_special(const Location& location, std::uint32_t flags) override {
        if (entry_.directory != nullptr || is_symlink())
            return base::Ref<File>();
        if ((flags & open_flag::access_mode) != open_flag::read_only && entry_.store == nullptr)
            return fail(Errno::EACCES);
        auto* file = new (std::nothrow) TextFile(location, flags, entry_, subject_);
        if (file == nullptr)
            return fail(Errno::ENOMEM);
        return base::Ref<File>::adopt(*file);
    }
    // `echo 1 > file` truncates first.
    LinuxResult<void> truncate(std::uint64_t) override { return entry_.store != nullptr ? LinuxResult<void>() : fail(Errno::EACCES); }
    LinuxResult<void> set_mode(std::uint32_t) override { return fail(Errno::EPERM); }
    LinuxResult<void> set_owner(std::uint32_t, std::uint32_t) override { return fail(Errno::EPERM); }

private:
    LinuxResult<base::Ref<Dentry>> make(Dentry& directory, std::string_view name, const Entry& entry, const Subject& subject) {
        auto* node = new (std::nothrow) Node(file_system(), entry, subject);
        if (node == nullptr)
            return fail(Errno::ENOMEM);
        auto inode = base::Ref<Inode>::adopt(*node);
        auto* dentry = new (std::nothrow) Dentry(base::Ref<Dentry>(directory), TRY(Name::make(name)), std::move(inode));
        if (dentry == nullptr)
            return fail(Errno::ENOMEM);
        return base::Ref<Dentry>::adopt(*dentry);
    }

    const Entry& entry_;
    Subject subject_;
};

} // namespace

LinuxResult<FileSystem*> make_file_system(const Directory& root, std::string_view type_name, std::uint64_t magic) {
    auto* entry = new (std::nothrow) Entry{"", mode::directory | 0555, nullptr, &root};
    auto* tree = new (std::nothrow) Tree(type_name, magic);
    auto* node = entry != nullptr && tree != nullptr ? new (std::nothrow) Node(*tree, *entry, {}) : nullptr;
    auto* dentry = node != nullptr ? new (std::nothrow) Dentry({}, Name(), base::Ref<Inode>::adopt(*node)) : nullptr;
    if (dentry == nullptr)
        return fail(Errno::ENOMEM); // at the start of a sandbox that has no memory at all
    tree->set_root(base::Ref<Dentry>::adopt(*dentry));
    return tree;
}

} // namespace personality::proc
