// The directory of a process: /proc/PID, its threads and its descriptors.
#include "linux/fs/current.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/net/proc_text.hpp"
#include "linux/proc/process_files.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality::proc {

namespace {

constexpr std::uint32_t file = mode::regular | 0444, own_file = mode::regular | 0400, directory = mode::directory | 0555, own_directory = mode::directory | 0500,
                        link = mode::symlink | 0777, writable = mode::regular | 0644;

// --- a descriptor

// A place for files that lie nowhere (pipes, streams, the terminal): to open it again is to get the same open file description.
class HeldFile final : public Inode {
public:
    HeldFile(FileSystem& file_system, base::Ref<File> held, const KernelStat& stat)
        : Inode(file_system, stat.inode, (stat.mode & mode::type_mask) != 0 ? stat.mode : mode::fifo | 0600), held_(std::move(held)) {}
    LinuxResult<base::Ref<File>> open_special(const Location&, std::uint32_t flags) override {
        const std::uint32_t wanted = flags & open_flag::access_mode, had = held_->flags & open_flag::access_mode;
        if (held_->kind() == FileKind::socket)
            return fail(Errno::ENXIO);
        if (had != open_flag::read_write && wanted != had)
            return fail(Errno::EACCES);
        return held_;
    }
    void stat(KernelStat& to) override { (void)held_->stat(to); }

private:
    base::Ref<File> held_;
};

LinuxResult<base::Ref<File>> descriptor_of(const Subject& subject) {
    Process& process = *TRY(open_process(subject));
    if (!process.files)
        return fail(Errno::ENOENT);
    auto file = process.files->get(subject.descriptor);
    return file ? file : fail(Errno::ENOENT);
}

LinuxResult<void> write_descriptor(Text& to, const Subject& subject) {
    name_file(to, *TRY(descriptor_of(subject)));
    return {};
}

LinuxResult<Location> descriptor_target(const Subject& subject) {
    base::Ref<File> held = TRY(descriptor_of(subject));
    if (held->inode() != nullptr)
        return static_cast<LocatedFile&>(*held).location();
    KernelStat stat;
    TRY(held->stat(stat));
    Location root = current_path_context().mounts.root();
    auto* inode = new (std::nothrow) HeldFile(root.inode()->file_system(), std::move(held), stat);
    if (inode == nullptr)
        return fail(Errno::ENOMEM);
    auto owned = base::Ref<Inode>::adopt(*inode);
    auto* dentry = new (std::nothrow) Dentry({}, Name(), std::move(owned));
    if (dentry == nullptr)
        return fail(Errno::ENOMEM);
    return Location(root.mount, base::Ref<Dentry>::adopt(*dentry));
}

LinuxResult<void> write_descriptor_information(Text& to, const Subject& subject) {
    const base::Ref<File> held = TRY(descriptor_of(subject));
    char octal[16];
    std::size_t at = sizeof octal;
    for (std::uint32_t value = held->flags; at > 0 && (value != 0 || at == sizeof octal); value >>= 3)
        octal[--at] = static_cast<char>('0' + (value & 7));
    to.add("pos:\t", held->position, "\nflags:\t0", std::string_view(octal + at, sizeof octal - at), "\nmnt_id:\t0\n");
    return {};
}

constexpr Entry descriptor_link{"", mode::symlink | 0700, write_descriptor, nullptr, descriptor_target};
constexpr Entry descriptor_information{"", own_file, write_descriptor_information};

LinuxResult<Found> find_descriptor(const Entry& entry, Subject subject, std::string_view name) {
    const auto number = base::parse_decimal(name);
    if (!number || *number > FdTable::capacity_limit || (name.size() > 1 && name.front() == '0'))
        return Found{};
    subject.descriptor = static_cast<std::int32_t>(*number);
    if (!TRY(open_process(subject))->files || !descriptor_of(subject))
        return Found{};
    return Found{&entry, subject};
}

LinuxResult<Found> next_descriptor(const Entry& entry, Subject subject, std::int64_t& number) {
    Process& process = *TRY(open_process(subject));
    const std::int32_t next = process.files && number <= FdTable::capacity_limit ? process.files->next_open(static_cast<std::int32_t>(number)) : -1;
    if (next < 0)
        return Found{};
    number = next;
    subject.descriptor = next;
    return Found{&entry, subject};
}

constexpr Directory descriptors{{},
                                [](const Subject& subject, std::string_view name) { return find_descriptor(descriptor_link, subject, name); },
                                [](const Subject& subject, std::int64_t& number) { return next_descriptor(descriptor_link, subject, number); }};
constexpr Directory descriptor_informations{{},
                                            [](const Subject& subject, std::string_view name) { return find_descriptor(descriptor_information, subject, name); },
                                            [](const Subject& subject, std::int64_t& number) { return next_descriptor(descriptor_information, subject, number); }};

// --- places

LinuxResult<Location> executable_target(const Subject& subject) {
    const Process& process = *TRY(open_process(subject));
    if (!process.executable || process.executable->inode() == nullptr)
        return fail(Errno::ENOENT);
    return static_cast<LocatedFile&>(*process.executable).location();
}
LinuxResult<Location> current_target(const Subject& subject) {
    const Process& process = *TRY(open_process(subject));
    return process.fs ? LinuxResult<Location>(process.fs->current) : fail(Errno::ENOENT);
}
LinuxResult<Location> root_target(const Subject& subject) {
    const Process& process = *TRY(open_process(subject));
    return process.fs ? LinuxResult<Location>(process.fs->root) : fail(Errno::ENOENT);
}

template <LinuxResult<Location> (*target)(const Subject&)> LinuxResult<void> write_place(Text& to, const Subject& subject) {
    char path[path_max];
    const Location place = TRY(target(subject));
    const auto text = path_text(current_path_context().root, place, path);
    if (!text)
        return fail(text.error());
    to.put(*text);
    return {};
}

// --- texts

LinuxResult<void> write_command_line(Text& to, const Subject& subject) {
    const Process& process = *TRY(process_of(subject));
    if (process.memory && process.memory->command_line)
        to.put(process.memory->command_line->text.view());
    return {};
}
LinuxResult<void> write_name(Text& to, const Subject& subject) {
    TRY(process_of(subject));
    const Task* const task = task_of(subject);
    to.add(task != nullptr ? task->name : "", '\n');
    return {};
}
LinuxResult<void> store_name(std::string_view text, const Subject& subject) {
    Task* const task = task_of(subject);
    if (task == nullptr || &task->process() != &current().process())
        return fail(Errno::EINVAL);
    std::memset(task->name, 0, sizeof task->name);
    text.copy(task->name, sizeof task->name - 1);
    return {};
}
LinuxResult<void> write_groups(Text& to, const Subject&) {
    to.put("0::/\n");
    return {};
}
LinuxResult<void> write_zero(Text& to, const Subject&) {
    to.put("0\n");
    return {};
}
LinuxResult<void> write_id_map(Text& to, const Subject&) {
    to.put("         0          0 4294967295\n");
    return {};
}
LinuxResult<void> write_io(Text& to, const Subject& subject) {
    TRY(open_process(subject));
    to.put("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    return {};
}
// The kernel never chooses a victim by it, since a sandbox can exhaust only itself; the value is kept by nobody, so only the one that is shown may be set.
LinuxResult<void> store_zero(std::string_view text, const Subject&) { return text == "0" ? LinuxResult<void>() : fail(Errno::EACCES); }

// --- the network of the sandbox, the same for all

LinuxResult<Found> find_net(const Subject& subject, std::string_view name);
constexpr std::size_t most_net_files = 32;

template <std::size_t index> LinuxResult<void> write_net(Text& to, const Subject&) { return net::proc_files()[index].write(to.string()); }

template <std::size_t... indexes> consteval auto net_writers(std::index_sequence<indexes...>) {
    return std::array<LinuxResult<void> (*)(Text&, const Subject&), sizeof...(indexes)>{write_net<indexes>...};
}

struct NetEntries {
    Entry entries[most_net_files];
    std::size_t count = 0;
};
// The names are known when the program runs, not before; the table is made at the first look.
constinit NetEntries net_entries{};
constinit Directory net_directory{};

const Directory& network() {
    static constexpr auto writers = net_writers(std::make_index_sequence<most_net_files>());
    if (net_entries.count == 0) {
        for (const net::ProcFile& each : net::proc_files())
            if (net_entries.count < most_net_files) {
                net_entries.entries[net_entries.count] = {each.name, file, writers[net_entries.count]};
                ++net_entries.count;
            }
        net_directory.entries = std::span(net_entries.entries, net_entries.count);
    }
    return net_directory;
}

// --- threads

extern const Entry thread_entry;

LinuxResult<Found> find_thread(const Subject& subject, std::string_view name) {
    const auto number = base::parse_decimal(name);
    if (!number || *number > pid_limit || name.front() == '0')
        return Found{};
    Task* const task = find_task(static_cast<std::int32_t>(*number));
    if (task == nullptr || task->process().pid != subject.pid)
        return Found{};
    return Found{&thread_entry, {subject.pid, task->tid, 0}};
}

LinuxResult<Found> next_thread(const Subject& subject, std::int64_t& number) {
    const Task* best = nullptr;
    for (const Task& each : TRY(process_of(subject))->threads)
        if (each.tid >= number && (best == nullptr || each.tid < best->tid))
            best = &each;
    if (best == nullptr)
        return Found{};
    number = best->tid;
    return Found{&thread_entry, {subject.pid, best->tid, 0}};
}

constexpr Directory threads{{}, find_thread, next_thread};

constexpr Entry thread_entries[] = {
    {"cmdline", file, write_command_line},
    {"comm", writable, write_name, nullptr, nullptr, store_name},
    {"cwd", link, write_place<current_target>, nullptr, current_target},
    {"exe", link, write_place<executable_target>, nullptr, executable_target},
    {"fd", own_directory, nullptr, &descriptors},
    {"fdinfo", directory, nullptr, &descriptor_informations},
    {"limits", file, write_limits},
    {"maps", file, write_maps},
    {"root", link, write_place<root_target>, nullptr, root_target},
    {"stat", file, write_stat},
    {"statm", file, write_memory_pages},
    {"status", file, write_status},
};
constexpr Directory thread_directory{thread_entries};
const Entry thread_entry{"", directory, nullptr, &thread_directory};

constexpr Entry process_entries[] = {
    {"cgroup", file, write_groups},
    {"cmdline", file, write_command_line},
    {"comm", writable, write_name, nullptr, nullptr, store_name},
    {"cwd", link, write_place<current_target>, nullptr, current_target},
    {"exe", link, write_place<executable_target>, nullptr, executable_target},
    {"fd", own_directory, nullptr, &descriptors},
    {"fdinfo", directory, nullptr, &descriptor_informations},
    {"gid_map", file, write_id_map},
    {"io", own_file, write_io},
    {"limits", file, write_limits},
    {"maps", file, write_maps},
    {"mountinfo", file, write_mount_information},
    {"mounts", file, write_mounts},
    {"oom_adj", writable, write_zero, nullptr, nullptr, store_zero},
    {"oom_score", file, write_zero},
    {"oom_score_adj", writable, write_zero, nullptr, nullptr, store_zero},
    {"root", link, write_place<root_target>, nullptr, root_target},
    {"stat", file, write_stat},
    {"statm", file, write_memory_pages},
    {"status", file, write_status},
    {"task", directory, nullptr, &threads},
    {"uid_map", file, write_id_map},
};

constexpr Entry net_directory_entry{"net", directory, nullptr, &net_directory};

LinuxResult<Found> find_net(const Subject& subject, std::string_view name) {
    if (name != "net")
        return Found{};
    (void)network();
    return Found{&net_directory_entry, subject};
}

} // namespace

const Directory process_directory{process_entries, find_net};
const Entry process_entry{"", directory, nullptr, &process_directory};

} // namespace personality::proc
