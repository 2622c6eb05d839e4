// The end of threads and processes, and waiting for it: exit, exit_group, wait4, waitid (man 2 wait).
#include "linux/calls/call.hpp"
#include "linux/calls/usage.hpp"
#include "linux/task/exit.hpp"
#include "linux/task/park.hpp"
#include "linux/task/table.hpp"

#include <cstring>

namespace personality {

namespace {

namespace option {
constexpr std::uint32_t no_hang = 1, untraced = 2, stopped = 2, exited = 4, continued = 8, no_wait = 0x01000000, no_thread = 0x20000000, all = 0x40000000,
                        clone = 0x80000000;
}

// Whom a call waits for.
struct Selection {
    enum class Kind { any, process, group } kind = Kind::any;
    std::int32_t id = 0;
    std::uint32_t options = 0;

    bool wants(const Process& child) const {
        if (kind == Kind::process && child.pid != id)
            return false;
        if (kind == Kind::group && child.group != id)
            return false;
        const bool is_clone = child.exit_signal != signal_number::child;
        return (options & option::all) != 0 || is_clone == ((options & option::clone) != 0);
    }
};

struct Found {
    std::int32_t pid = 0; // 0: nothing
    std::uint32_t user = 0;
    std::uint32_t status = 0; // as wait4 shows it
    std::int32_t code = 0;    // si_code
    std::int32_t value = 0;   // si_status
    Times times;
};

// A change of `child` that the options ask for. Takes it, unless told not to. Sandbox lock held.
bool take_change(Process& parent, Process& child, std::uint32_t options, Found& found) {
    found.pid = child.pid;
    if (child.zombie && (options & option::exited) != 0) {
        const bool killed = (child.status & 0x7f) != 0;
        found.status = child.status;
        found.code = killed ? signal_code::cld_killed : signal_code::cld_exited;
        found.value = static_cast<std::int32_t>(killed ? child.status & 0x7f : child.status >> 8 & 0xff);
        found.times = child.ended_times;
        found.times.user += child.children_times.user;
        if ((options & option::no_wait) == 0) {
            parent.children_times.user += child.ended_times.user + child.children_times.user;
            parent.children_times.system += child.ended_times.system + child.children_times.system;
            reap(child);
        }
        return true;
    }
    if (child.stopped && !child.stop_reported && (options & option::stopped) != 0) {
        found.status = 0x7f | static_cast<std::uint32_t>(child.stop_signal) << 8;
        found.code = signal_code::cld_stopped;
        found.value = child.stop_signal;
        if ((options & option::no_wait) == 0)
            child.stop_reported = true;
        return true;
    }
    if (!child.continue_reported && (options & option::continued) != 0) {
        found.status = 0xffff;
        found.code = signal_code::cld_continued;
        found.value = signal_number::cont;
        if ((options & option::no_wait) == 0)
            child.continue_reported = true;
        return true;
    }
    found = {};
    return false;
}

LinuxResult<Found> wait_for(Task& task, const Selection& selection) {
    SandboxLock lock;
    Process& parent = task.process();
    for (;;) {
        bool any = false;
        Found found;
        for (auto at = parent.children.begin(); at != parent.children.end();) {
            Process& child = *at;
            ++at;
            if (!selection.wants(child))
                continue;
            any = true;
            if (take_change(parent, child, selection.options, found))
                return found;
        }
        if (!any)
            return fail(Errno::ECHILD);
        if ((selection.options & option::no_hang) != 0)
            return Found{};
        TRY(block(parent.child_events));
    }
}

} // namespace

LinuxResult<std::uint64_t> sys_exit(Task& task, const CallArguments& arguments) {
    {
        const SandboxLock lock;
        Process& process = task.process();
        if (process.thread_count == 1 && !process.ending)
            process.status = (arguments.u32(0) & 0xff) << 8;
    }
    exit_task(task);
}

LinuxResult<std::uint64_t> sys_exit_group(Task& task, const CallArguments& arguments) {
    {
        const SandboxLock lock;
        end_process_with(task.process(), (arguments.u32(0) & 0xff) << 8);
    }
    exit_task(task);
}

LinuxResult<std::uint64_t> sys_wait4(Task& task, const CallArguments& arguments) {
    Selection selection;
    const std::int32_t pid = arguments.i32(0);
    const std::uint32_t allowed = option::no_hang | option::untraced | option::continued | option::no_thread | option::all | option::clone;
    if ((arguments.u32(2) & ~allowed) != 0)
        return fail(Errno::EINVAL);
    if (pid == INT32_MIN)
        return fail(Errno::ESRCH);
    selection.options = arguments.u32(2) | option::exited;
    if (pid > 0)
        selection = {Selection::Kind::process, pid, selection.options};
    else if (pid < -1)
        selection = {Selection::Kind::group, -pid, selection.options};
    else if (pid == 0) {
        const SandboxLock lock;
        selection = {Selection::Kind::group, task.process().group, selection.options};
    }
    const Found found = TRY(wait_for(task, selection));
    if (found.pid == 0)
        return 0;
    if (const auto status = arguments.pointer<std::uint32_t>(1))
        TRY(status.write(found.status));
    TRY(write_usage(arguments[3], found.times));
    return static_cast<std::uint64_t>(found.pid);
}

LinuxResult<std::uint64_t> sys_waitid(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t any = 0, process = 1, group = 2;
    const std::uint32_t options = arguments.u32(3);
    const std::uint32_t kinds = option::exited | option::stopped | option::continued;
    const std::uint32_t allowed = kinds | option::no_hang | option::no_wait | option::no_thread | option::all | option::clone;
    if ((options & ~allowed) != 0 || (options & kinds) == 0)
        return fail(Errno::EINVAL);
    Selection selection;
    selection.options = options;
    selection.id = arguments.i32(1);
    switch (arguments.i32(0)) {
    case any: break;
    case process:
        if (selection.id <= 0)
            return fail(Errno::EINVAL);
        selection.kind = Selection::Kind::process;
        break;
    case group:
        if (selection.id < 0)
            return fail(Errno::EINVAL);
        selection.kind = Selection::Kind::group;
        if (selection.id == 0) {
            const SandboxLock lock;
            selection.id = task.process().group;
        }
        break;
    default: return fail(Errno::EINVAL);
    }
    const Found found = TRY(wait_for(task, selection));
    TRY(write_usage(arguments[4], found.times));
    if (arguments[2] == 0)
        return 0;
    std::byte bytes[signal_info_bytes] = {};
    if (found.pid != 0) {
        SignalInfo info;
        info.number = signal_number::child;
        info.code = found.code;
        info.child.pid = found.pid;
        info.child.uid = found.user;
        info.child.status = found.value;
        std::memcpy(bytes, &info, sizeof info);
    }
    TRY(copy_out(arguments[2], bytes));
    return 0;
}

} // namespace personality
