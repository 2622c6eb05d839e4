#include "linux/proc/process_files.hpp"

#include "linux/fs/current.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/fs/mount.hpp"
#include "linux/fs/root.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/proc/processor_list.hpp"
#include "linux/sandbox/processors.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <bit>

namespace personality::proc {

namespace {

constexpr std::uint64_t nanoseconds_per_tick = 10'000'000, kilobyte = 1024;

char state_of(const Process& process, const Task* task) {
    if (process.zombie || task == nullptr)
        return 'Z';
    if (process.stopped)
        return 'T';
    const bool at_futex = task->page != nullptr && __atomic_load_n(&task->page->restricted.asleep, __ATOMIC_RELAXED) != 0;
    return at_futex || task->awake.load(std::memory_order_relaxed) == 0 ? 'S' : 'R';
}

std::uint64_t pages_of(Process& process) { return process.memory ? process.memory->areas().total_bytes() / abi::page_size : 0; }

std::uint64_t bytes_where(Process& process, bool (*wanted)(const Area&)) {
    std::uint64_t bytes = 0;
    if (process.memory)
        for (const Area* area : process.memory->areas())
            if (wanted(*area))
                bytes += area->length();
    return bytes;
}

std::string_view name_of(Process& process, const Task* task) {
    const Task* const shown = task != nullptr ? task : process.threads.empty() ? nullptr : &process.threads.front();
    return shown != nullptr ? std::string_view(shown->name) : std::string_view(process.last_name);
}

} // namespace

LinuxResult<Process*> process_of(const Subject& subject) {
    Process* const process = find_process(subject.pid);
    return process != nullptr ? LinuxResult<Process*>(process) : fail(Errno::ESRCH);
}

Task* task_of(const Subject& subject) {
    Task* const task = find_task(subject.tid);
    if (task != nullptr)
        return task;
    Process* const process = find_process(subject.pid);
    return process != nullptr && subject.tid == subject.pid && !process->threads.empty() ? &process->threads.front() : nullptr;
}

LinuxResult<Process*> open_process(const Subject& subject) {
    Process* const process = TRY(process_of(subject));
    const Credentials& who = current().credentials;
    const Task* const task = task_of(subject);
    if (process == &current().process() || who.has(capability::sys_ptrace))
        return process;
    // A program with more rights than its user's is not to be looked into by that user.
    if (task == nullptr || task->credentials.user != who.file_user || task->credentials.saved_user != who.file_user || task->credentials.effective_user != who.file_user
        || (task->credentials.permitted & ~who.permitted) != 0)
        return fail(Errno::EACCES);
    return process;
}

LinuxResult<void> write_stat(Text& to, const Subject& subject) {
    Process& process = *TRY(process_of(subject));
    const Task* const task = task_of(subject);
    const Times times = process.times();
    const Session* const session = process.session.get();
    to.add(process.pid == subject.pid && subject.tid == process.pid ? process.pid : subject.tid, " (", name_of(process, task), ") ", state_of(process, task), ' ',
           process.parent != nullptr ? process.parent->pid : 0, ' ', process.group, ' ', session != nullptr ? session->id : 0, ' ',
           session != nullptr && session->terminal ? 34816 : 0, ' ', session != nullptr && session->terminal ? session->foreground_group : -1, " 4194304 ",
           task != nullptr ? task->minor_faults : 0, " 0 0 0 ");
    to.add(times.user / nanoseconds_per_tick, ' ', times.system / nanoseconds_per_tick, ' ', process.children_times.user / nanoseconds_per_tick, ' ',
           process.children_times.system / nanoseconds_per_tick, " 20 0 ", process.thread_count, " 0 ", process.started / nanoseconds_per_tick, ' ',
           pages_of(process) * abi::page_size, ' ', pages_of(process), " 18446744073709551615 ");
    const ProgramLayout layout = process.memory ? process.memory->layout : ProgramLayout{};
    to.add(layout.code_start, ' ', layout.code_end, ' ', layout.stack_start, " 0 0 0 ", task != nullptr ? task->mask & 0x7fffffff : 0, " 0 0 0 0 0 ", process.exit_signal,
           " 0 0 0 0 0 0 ", layout.data_start, ' ', layout.data_end, ' ', layout.break_start, ' ', layout.argument_start, ' ', layout.argument_end, ' ',
           layout.environment_start, ' ', layout.environment_end, " 0\n");
    return {};
}

LinuxResult<void> write_status(Text& to, const Subject& subject) {
    Process& process = *TRY(process_of(subject));
    const Task* const task = task_of(subject);
    const char state = state_of(process, task);
    to.add("Name:\t", name_of(process, task), "\nUmask:\t0", process.fs ? process.fs->mask >> 6 & 7 : 0, process.fs ? process.fs->mask >> 3 & 7 : 0,
           process.fs ? process.fs->mask & 7 : 0, "\nState:\t", state,
           state == 'Z' ? " (zombie)" : state == 'T' ? " (stopped)" : state == 'R' ? " (running)" : " (sleeping)", "\nTgid:\t", process.pid, "\nNgid:\t0\nPid:\t", subject.tid,
           "\nPPid:\t", process.parent != nullptr ? process.parent->pid : 0, "\nTracerPid:\t0\n");
    static const Credentials nobody{};
    const Credentials& who = task != nullptr ? task->credentials : nobody;
    to.add("Uid:\t", who.user, '\t', who.effective_user, '\t', who.saved_user, '\t', who.file_user, "\nGid:\t", who.group, '\t', who.effective_group, '\t', who.saved_group, '\t',
           who.file_group, "\nFDSize:\t", std::max<std::uint32_t>(process.files ? process.files->open_count() : 0, 64), "\nGroups:\t");
    for (const std::uint32_t group : who.group_ids())
        to.add(group, ' ');
    to.add("\nNStgid:\t", process.pid, "\nNSpid:\t", subject.tid, "\nNSpgid:\t", process.group, "\nNSsid:\t", process.session ? process.session->id : 0, '\n');
    if (process.memory) {
        const std::uint64_t size = pages_of(process) * abi::page_size / kilobyte;
        const std::uint64_t stack = bytes_where(process, [](const Area& area) { return area.has(area_flag::stack); }) / kilobyte;
        const std::uint64_t code = bytes_where(process, [](const Area& area) { return (area.protection & abi::protection::execute) != 0; }) / kilobyte;
        const std::uint64_t data = bytes_where(process, [](const Area& area) { return area.anonymous() && !area.has(area_flag::stack); }) / kilobyte;
        to.add("VmPeak:\t", size, " kB\nVmSize:\t", size, " kB\nVmLck:\t0 kB\nVmPin:\t0 kB\nVmHWM:\t", size, " kB\nVmRSS:\t", size, " kB\nVmData:\t", data, " kB\nVmStk:\t", stack,
               " kB\nVmExe:\t", code, " kB\nVmLib:\t0 kB\nVmPTE:\t0 kB\nVmSwap:\t0 kB\n");
    }
    to.add("CoreDumping:\t0\nThreads:\t", process.thread_count, "\nSigQ:\t0/1024\n");
    SignalSet ignored = 0, caught = 0;
    if (process.actions)
        for (int number = 1; number <= signal_number::last; ++number) {
            const std::uint64_t handler = process.actions->of(number).handler;
            (handler == handler_ignore ? ignored : caught) |= handler != handler_default ? signal_bit(number) : 0;
        }
    to.add("SigPnd:\t", base::Hex{task != nullptr ? task->pending.set() : 0, 16}, "\nShdPnd:\t", base::Hex{process.pending.set(), 16}, "\nSigBlk:\t",
           base::Hex{task != nullptr ? task->mask : 0, 16}, "\nSigIgn:\t", base::Hex{ignored, 16}, "\nSigCgt:\t", base::Hex{caught, 16}, '\n');
    to.add("CapInh:\t", base::Hex{who.inheritable, 16}, "\nCapPrm:\t", base::Hex{who.permitted, 16}, "\nCapEff:\t", base::Hex{who.effective, 16}, "\nCapBnd:\t",
           base::Hex{who.bounding, 16}, "\nCapAmb:\t", base::Hex{who.ambient, 16}, "\nNoNewPrivs:\t", who.no_new_privileges ? 1 : 0,
           "\nSeccomp:\t0\nSeccomp_filters:\t0\n");
    const std::uint64_t allowed = task != nullptr ? processors_of(*task) : sandbox_processors();
    to.add("Cpus_allowed:\t", base::Hex{allowed, (static_cast<unsigned>(std::bit_width(online_processors())) + 3) / 4}, "\nCpus_allowed_list:\t");
    add_processor_list(to, allowed);
    to.add("\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t", task != nullptr ? task->voluntary_switches : 0,
           "\nnonvoluntary_ctxt_switches:\t0\n");
    return {};
}

LinuxResult<void> write_memory_pages(Text& to, const Subject& subject) {
    Process& process = *TRY(process_of(subject));
    const std::uint64_t code = bytes_where(process, [](const Area& area) { return (area.protection & abi::protection::execute) != 0; }) / abi::page_size;
    const std::uint64_t data = bytes_where(process, [](const Area& area) { return area.anonymous(); }) / abi::page_size;
    to.add(pages_of(process), ' ', pages_of(process), " 0 ", code, " 0 ", data, " 0\n");
    return {};
}

LinuxResult<void> write_maps(Text& to, const Subject& subject) {
    Process& process = *TRY(open_process(subject));
    if (!process.memory)
        return {};
    for (const Area* area : process.memory->areas()) {
        char line[128];
        base::Formatter text(line);
        const auto right = [&](abi::Protection bit, char letter) { return (area->protection & bit) != 0 ? letter : '-'; };
        text << base::Hex{area->start, 8} << '-' << base::Hex{area->end, 8} << ' ' << right(abi::protection::read, 'r') << right(abi::protection::write, 'w')
             << right(abi::protection::execute, 'x') << (area->shared() ? 's' : 'p') << ' ' << base::Hex{area->offset, 8} << ' ';
        KernelStat stat;
        if (area->file)
            TRY(area->file->stat(stat));
        text << base::Hex{device_major(stat.device), 2} << ':' << base::Hex{device_minor(stat.device), 2} << ' ' << stat.inode << ' ';
        const std::string_view special = area->has(area_flag::heap) ? "[heap]" : area->has(area_flag::stack) ? "[stack]" : area->has(area_flag::vdso) ? "[vdso]"
                                         : area->has(area_flag::vvar)  ? "[vvar]"
                                                                       : "";
        if (area->file || !special.empty())
            while (text.view().size() < 73)
                text << ' ';
        to.put(text.view());
        if (special.empty() && area->file)
            name_file(to, *area->file);
        else
            to.put(special);
        to.put("\n");
    }
    return {};
}

LinuxResult<void> write_limits(Text& to, const Subject& subject) {
    const Process& process = *TRY(process_of(subject));
    constexpr struct {
        const char* name;
        const char* unit;
    } rows[limit::count] = {{"Max cpu time", "seconds"}, {"Max file size", "bytes"}, {"Max data size", "bytes"}, {"Max stack size", "bytes"},
                            {"Max core file size", "bytes"}, {"Max resident set", "bytes"}, {"Max processes", "processes"}, {"Max open files", "files"},
                            {"Max locked memory", "bytes"}, {"Max address space", "bytes"}, {"Max file locks", "locks"}, {"Max pending signals", "signals"},
                            {"Max msgqueue size", "bytes"}, {"Max nice priority", ""}, {"Max realtime priority", ""}, {"Max realtime timeout", "us"}};
    const auto column = [&](auto value, std::size_t width) {
        char cell[32];
        base::Formatter text(cell);
        if constexpr (std::is_same_v<decltype(value), std::uint64_t>) {
            if (value == unlimited)
                text << "unlimited";
            else
                text << value;
        } else {
            text << value;
        }
        while (text.view().size() < width)
            text << ' ';
        to.put(text.view());
    };
    to.put("Limit                     Soft Limit           Hard Limit           Units     \n");
    for (unsigned i = 0; i < limit::count; ++i) {
        column(rows[i].name, 26);
        column(process.limits[i].soft, 21);
        column(process.limits[i].hard, 21);
        column(rows[i].unit, 10);
        to.put("\n");
    }
    return {};
}

namespace {

// The text of a mount's place as the subject sees it; empty where it is out of its reach.
std::string_view place_of(const Process& process, const Mount& mount, std::span<char> to) {
    const Location root = process.fs ? process.fs->root : sandbox_mounts().root();
    const auto text = path_text(root, Location(base::Ref<Mount>(const_cast<Mount&>(mount)), mount.root), to);
    return text && text->starts_with('/') ? *text : std::string_view();
}

void add_options(Text& to, const Mount& mount) {
    to.put(mount.read_only() ? "ro" : "rw");
    if ((mount.flags & mount_flag::no_set_id) != 0)
        to.put(",nosuid");
    if ((mount.flags & mount_flag::no_devices) != 0)
        to.put(",nodev");
    if ((mount.flags & mount_flag::no_execute) != 0)
        to.put(",noexec");
    to.put(",relatime");
}

} // namespace

LinuxResult<void> write_mounts(Text& to, const Subject& subject) {
    const Process& process = *TRY(process_of(subject));
    for (Mount& mount : sandbox_mounts().mounts()) {
        char path[512];
        const std::string_view place = place_of(process, mount, path);
        if (place.empty())
            continue;
        const std::string_view type = mount.file_system().type_name();
        to.add(type, ' ', place, ' ', type, ' ');
        add_options(to, mount);
        to.put(" 0 0\n");
    }
    return {};
}

LinuxResult<void> write_mount_information(Text& to, const Subject& subject) {
    const Process& process = *TRY(process_of(subject));
    for (Mount& mount : sandbox_mounts().mounts()) {
        char path[512];
        const std::string_view place = place_of(process, mount, path);
        if (place.empty())
            continue;
        const std::uint64_t device = mount.file_system().device();
        to.add(mount.identifier, ' ', mount.point ? mount.point.mount->identifier : 1, ' ', device_major(device), ':', device_minor(device), " / ", place, ' ');
        add_options(to, mount);
        const std::string_view type = mount.file_system().type_name();
        to.add(" - ", type, ' ', type, ' ', mount.read_only() ? "ro" : "rw", '\n');
    }
    return {};
}

void name_file(Text& to, File& file) {
    if (file.inode() != nullptr) {
        char path[path_max];
        const PathContext context = current_path_context();
        const auto text = path_text(context.root, static_cast<LocatedFile&>(file).location(), path);
        to.put(text ? *text : std::string_view("(unreachable)"));
        return;
    }
    KernelStat stat;
    const bool known = file.stat(stat).has_value();
    switch (file.kind()) {
    case FileKind::socket: to.add("socket:[", known ? stat.inode : 0, ']'); break;
    case FileKind::epoll: to.put("anon_inode:[eventpoll]"); break;
    case FileKind::event: to.put("anon_inode:[eventfd]"); break;
    case FileKind::timer: to.put("anon_inode:[timerfd]"); break;
    case FileKind::signal: to.put("anon_inode:[signalfd]"); break;
    case FileKind::terminal: to.put("/dev/pts/0"); break;
    default: to.add("pipe:[", known ? stat.inode : 0, ']'); break;
    }
}

} // namespace personality::proc
