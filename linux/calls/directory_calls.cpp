// Listings, the current directory, the root directory, umask.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality {

namespace {

// Lays entries out as struct linux_dirent64, or (old form) struct linux_dirent.
class EntryWriter final : public DirectorySink {
public:
    EntryWriter(std::span<std::byte> buffer, bool old_form) : buffer_(buffer), old_form_(old_form) {}

    bool entry(std::uint64_t inode, std::uint64_t next_offset, std::uint8_t type, std::span<const char> name) override {
        const std::size_t head = old_form_ ? 18 : 19;
        // Old form: the type lies behind the name's NUL, in the last byte.
        const std::size_t length = (head + name.size() + 1 + (old_form_ ? 1 : 0) + 7) & ~std::size_t{7};
        any = true;
        if (length > buffer_.size() - used)
            return false;
        std::byte* at = buffer_.data() + used;
        const auto record = static_cast<std::uint16_t>(length);
        std::memcpy(at, &inode, 8);
        std::memcpy(at + 8, &next_offset, 8);
        std::memcpy(at + 16, &record, 2);
        std::memcpy(at + head, name.data(), name.size());
        std::memset(at + head + name.size(), 0, length - head - name.size());
        at[old_form_ ? length - 1 : 18] = static_cast<std::byte>(type);
        used += length;
        return true;
    }

    std::size_t used = 0;
    bool any = false;

private:
    std::span<std::byte> buffer_;
    bool old_form_;
};

CallResult list(Task& task, const CallArguments& arguments, bool old_form) {
    [[clang::uninitialized]] BounceBuffer buffer(arguments.u32(2), 32 * 1024);
    EntryWriter writer(buffer.bytes(), old_form);
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
        TRY(file->list(writer));
    }
    if (writer.used == 0 && writer.any)
        return fail(Errno::EINVAL); // not even one entry fits
    TRY(copy_out(arguments[1], buffer.bytes().first(writer.used)));
    return writer.used;
}

} // namespace

CallResult sys_getdents(Task& task, const CallArguments& arguments) { return list(task, arguments, true); }
CallResult sys_getdents64(Task& task, const CallArguments& arguments) { return list(task, arguments, false); }

CallResult sys_getcwd(Task& task, const CallArguments& arguments) {
    char buffer[path_max];
    std::string_view text;
    {
        SandboxLock lock;
        const PathContext context = path_context(task);
        if (context.current.dentry->unlinked())
            return fail(Errno::ENOENT);
        text = TRY(path_text(context.root, context.current, std::span(buffer).first(path_max - 1), false));
    }
    if (text.size() + 1 > arguments[1])
        return fail(Errno::ERANGE);
    buffer[path_max - 1] = 0; // the text ends right before it
    TRY(copy_out(arguments[0], std::as_bytes(std::span(text.data(), text.size() + 1))));
    return text.size() + 1;
}

static LinuxResult<void> check_directory(Task& task, const Location& location) {
    if (!location.inode()->is_directory())
        return fail(Errno::ENOTDIR);
    return check_permission(*location.inode(), path_context(task).who, permission::execute);
}

CallResult sys_chdir(Task& task, const CallArguments& arguments) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(arguments[0]));
    SandboxLock lock;
    Location found = TRY(find_path(task, at::current_directory, path.view(), 0));
    TRY(check_directory(task, found));
    set_current_directory(task, std::move(found));
    return std::uint64_t{0};
}

CallResult sys_fchdir(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    base::Ref<File> file = TRY(file_of(task, arguments.i32(0)));
    Location found = TRY(directory_of(*file));
    TRY(check_directory(task, found));
    set_current_directory(task, std::move(found));
    return std::uint64_t{0};
}

CallResult sys_chroot(Task& task, const CallArguments& arguments) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(arguments[0]));
    SandboxLock lock;
    Location found = TRY(find_path(task, at::current_directory, path.view(), 0));
    TRY(check_directory(task, found));
    if (!may_change_root(task))
        return fail(Errno::EPERM);
    set_root(task, std::move(found));
    return std::uint64_t{0};
}

CallResult sys_umask(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    return std::uint64_t{exchange_umask(task, arguments.u32(0) & 0777)};
}

} // namespace personality
