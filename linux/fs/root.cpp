#include "linux/fs/root.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/devices.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/fs/operations.hpp"
#include "linux/fs/proc.hpp"
#include "linux/fs/ram_file_system.hpp"

#include <new>

namespace personality {

namespace {

MountTable* mounts = nullptr;

// Works on the tree with all rights, as the system itself.
class Builder {
public:
    explicit Builder(MountTable& table) : context_{table, table.root(), table.root(), {}} {}

    LinuxResult<void> make(std::string_view path, std::uint32_t mode, std::uint64_t device = 0, std::string_view target = {}) {
        auto made = make_node(context_, context_.root, path, {mode, 0, 0, device, target});
        if (!made && made.error() == Errno::EEXIST)
            return {};
        return made;
    }
    LinuxResult<void> directory(std::string_view path, std::uint32_t permissions = 0755) { return make(path, mode::directory | permissions); }
    LinuxResult<void> device(std::string_view path, std::uint64_t number, std::uint32_t permissions = 0666) {
        return make(path, mode::character | permissions, number);
    }
    LinuxResult<void> link(std::string_view path, std::string_view target) { return make(path, mode::symlink | 0777, 0, target); }
    LinuxResult<void> file(std::string_view path, std::string_view text) {
        auto opened = open_path(context_, context_.root, path, {open_flag::write_only | open_flag::create | open_flag::truncate, 0644, 0});
        if (!opened)
            return fail(opened.error());
        auto written = (*opened)->write(std::as_bytes(std::span(text.data(), text.size())));
        return written ? LinuxResult<void>() : fail(written.error());
    }
    LinuxResult<void> append(std::string_view path, std::string_view text) {
        auto opened = open_path(context_, context_.root, path, {open_flag::write_only | open_flag::append, 0, 0});
        if (!opened)
            return fail(opened.error());
        auto written = (*opened)->write(std::as_bytes(std::span(text.data(), text.size())));
        return written ? LinuxResult<void>() : fail(written.error());
    }
    LinuxResult<void> mount(FileSystem& file_system, std::string_view path, std::uint32_t flags) {
        TRY(directory(path));
        const Location point = TRY(walk_path(context_, context_.root, path, walk_flag::follow));
        TRY(context_.mounts.mount(file_system, point, flags));
        return {};
    }

private:
    PathContext context_;
};

LinuxResult<void> make_devices(Builder& builder) {
    RamFileSystem* devices = TRY(RamFileSystem::make(0755, "tmpfs"));
    TRY(builder.mount(*devices, "/dev", mount_flag::no_set_id));
    TRY(builder.device("/dev/null", device_number::null));
    TRY(builder.device("/dev/zero", device_number::zero));
    TRY(builder.device("/dev/full", device_number::full));
    TRY(builder.device("/dev/random", device_number::random));
    TRY(builder.device("/dev/urandom", device_number::urandom));
    TRY(builder.device("/dev/tty", device_number::tty));
    TRY(builder.device("/dev/console", device_number::console, 0620));
    TRY(builder.link("/dev/fd", "/proc/self/fd"));
    TRY(builder.link("/dev/stdin", "/proc/self/fd/0"));
    TRY(builder.link("/dev/stdout", "/proc/self/fd/1"));
    TRY(builder.link("/dev/stderr", "/proc/self/fd/2"));
    TRY(builder.link("/dev/core", "/proc/kcore"));
    RamFileSystem* shared = TRY(RamFileSystem::make(01777, "tmpfs"));
    TRY(builder.mount(*shared, "/dev/shm", mount_flag::no_set_id | mount_flag::no_devices | mount_flag::no_execute));
    RamFileSystem* queues = TRY(RamFileSystem::make(01777, "mqueue"));
    return builder.mount(*queues, "/dev/mqueue", mount_flag::no_set_id | mount_flag::no_devices | mount_flag::no_execute);
}

// As the Docker Engine writes them.
LinuxResult<void> inject(Builder& builder, const RootOptions& options) {
    TRY(builder.directory("/etc"));
    TRY(builder.file("/etc/hostname", options.hostname));
    TRY(builder.append("/etc/hostname", "\n"));
    TRY(builder.file("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
                                   "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"));
    TRY(builder.append("/etc/hosts", options.hosts));
    if (!options.resolver.empty())
        TRY(builder.file("/etc/resolv.conf", options.resolver));
    return {};
}

} // namespace

MountTable& sandbox_mounts() { return *mounts; }

LinuxResult<void> make_root(std::span<const Layer* const> layers, const RootOptions& options) {
    RamFileSystem* root = TRY(RamFileSystem::make_layered(layers));
    auto* table = new (std::nothrow) MountTable;
    if (table == nullptr)
        return fail(Errno::ENOMEM);
    TRY(table->mount(*root, {}, 0));
    mounts = table;
    Builder builder(*table);
    constexpr std::uint32_t safe = mount_flag::no_set_id | mount_flag::no_devices | mount_flag::no_execute;
    FileSystem* proc = TRY(make_proc());
    TRY(builder.mount(*proc, "/proc", safe));
    FileSystem* sys = TRY(make_sys());
    TRY(builder.mount(*sys, "/sys", safe | mount_flag::read_only));
    TRY(make_devices(builder));
    if (options.inject_files)
        TRY(inject(builder, options));
    return {};
}

} // namespace personality
