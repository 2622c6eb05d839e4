// New threads and processes: clone, clone3, fork, vfork (man 2 clone).
#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/calls/call.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/task/guest_loop.hpp"
#include "linux/task/park.hpp"
#include "linux/task/table.hpp"
#include "linux/task/vector_state.hpp"
#include "linux/ipc/clock.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality {

namespace {

namespace clone_flag {
constexpr std::uint64_t signal_mask = 0xff, vm = 0x100, fs = 0x200, files = 0x400, sighand = 0x800, pidfd = 0x1000, ptrace = 0x2000, vfork = 0x4000, parent = 0x8000,
                        thread = 0x10000, new_namespace = 0x20000, sysvsem = 0x40000, set_tls = 0x80000, parent_set_tid = 0x100000, child_clear_tid = 0x200000,
                        detached = 0x400000, untraced = 0x800000, child_set_tid = 0x1000000, clear_sighand = 0x100000000ull;
// Namespaces and cgroups are the sandbox's: a program makes none of its own.
constexpr std::uint64_t namespaces = new_namespace | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x80 /* time: clone3 alone */;
} // namespace clone_flag

struct CloneRequest {
    std::uint64_t flags = 0;
    int exit_signal = 0;
    std::uint64_t stack = 0; // the new stack pointer; 0: the caller's
    std::uint64_t parent_tid = 0, child_tid = 0;
    std::uint64_t tls = 0;
};

// struct clone_args, the first version and what came later
struct CloneArguments {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

LinuxResult<void> check(const Task& task, const CloneRequest& request) {
    using namespace clone_flag;
    const std::uint64_t flags = request.flags;
    if ((flags & thread) != 0 && (flags & sighand) == 0)
        return fail(Errno::EINVAL);
    if ((flags & sighand) != 0 && (flags & vm) == 0)
        return fail(Errno::EINVAL);
    if ((flags & clear_sighand) != 0 && (flags & sighand) != 0)
        return fail(Errno::EINVAL);
    if ((flags & parent) != 0 && task.process().pid == first_pid)
        return fail(Errno::EINVAL); // its siblings would be nobody's
    if ((flags & (namespaces & ~std::uint64_t{0x80})) != 0)
        return fail(Errno::EPERM);
    if ((flags & pidfd) != 0)
        return fail(Errno::EINVAL); // no pidfds yet; libraries go without
    if ((flags & (set_tls)) != 0 && request.tls >= abi::guest_end)
        return fail(Errno::EPERM);
    if (request.stack > abi::guest_end)
        return fail(Errno::EINVAL);
    if (request.exit_signal != 0 && !valid_signal(request.exit_signal))
        return fail(Errno::EINVAL);
    if (task.process().thread_count >= 4096)
        return fail(Errno::EAGAIN);
    return {};
}

// What a new process does not share is copied. Sandbox lock held.
LinuxResult<base::Ref<Process>> make_process(Task& task, const CloneRequest& request, std::int32_t pid) {
    using namespace clone_flag;
    Process& from = task.process();
    if (process_count() >= from.limits[limit::processes].soft && !task.credentials.has(capability::sys_resource))
        return fail(Errno::EAGAIN);
    auto* made = new (std::nothrow) Process(pid);
    if (made == nullptr)
        return fail(Errno::ENOMEM);
    auto process = base::Ref<Process>::adopt(*made);
    process->group = from.group;
    process->session = from.session;
    process->limits = from.limits;
    process->executable = from.executable;
    process->personality = from.personality;
    process->dumpable = from.dumpable;
    process->exit_signal = request.exit_signal;
    process->started = monotonic_now();
    if ((request.flags & vm) != 0)
        process->memory = from.memory;
    else
        process->memory = TRY(from.memory->fork());
    if ((request.flags & files) != 0)
        process->files = from.files;
    else
        process->files = TRY(from.files->clone());
    if ((request.flags & clone_flag::fs) != 0) {
        process->fs = from.fs;
    } else {
        auto* copy = new (std::nothrow) FsContext;
        if (copy == nullptr)
            return fail(Errno::ENOMEM);
        process->fs = base::Ref<FsContext>::adopt(*copy);
        copy->root = from.fs->root;
        copy->current = from.fs->current;
        copy->mask = from.fs->mask;
    }
    if ((request.flags & sighand) != 0) {
        process->actions = from.actions;
    } else {
        auto* copy = new (std::nothrow) SignalActions;
        if (copy == nullptr)
            return fail(Errno::ENOMEM);
        process->actions = base::Ref<SignalActions>::adopt(*copy);
        copy->actions = from.actions->actions;
        if ((request.flags & clear_sighand) != 0)
            for (SignalAction& action : copy->actions)
                if (action.handler != handler_ignore)
                    action = {};
    }
    return process;
}

// Runs on the new thread before its guest: writes that need the child's own memory.
struct ChildStart {
    std::uint64_t set_tid;
};

bool prepare_child(Task& task, void* argument) {
    const auto address = reinterpret_cast<std::uint64_t>(argument);
    if (!native::call::restricted_attach(task.process().memory->space()))
        return false;
    if (address != 0)
        (void)UserPtr<std::int32_t>(address).write(task.tid);
    return true;
}

LinuxResult<std::uint64_t> clone(Task& task, const CloneRequest& request) {
    using namespace clone_flag;
    TRY(check(task, request));
    WaitQueue vfork_done;
    std::int32_t tid = 0;
    base::Ref<Task> child;
    {
        SandboxLock lock;
        // Whoever ends this thread or process has looked at its threads already: a new one would be left over.
        if (task.exiting || task.process().ending)
            return fail(Errno::ERESTARTNOINTR);
        // As the pids control group does: who has ended and was not waited for counts too.
        if (std::max(task_count(), process_count()) >= configuration().task_limit)
            return fail(Errno::EAGAIN);
        tid = TRY(allocate_pid());
        base::Ref<Process> process = task.process_reference();
        const bool is_thread = (request.flags & thread) != 0;
        if (!is_thread)
            process = TRY(make_process(task, request, tid));
        auto* made = new (std::nothrow) Task(tid, process);
        if (made == nullptr)
            return fail(Errno::ENOMEM);
        child = base::Ref<Task>::adopt(*made);
        child->credentials = task.credentials;
        std::memcpy(child->name, task.name, sizeof child->name);
        child->mask = task.mask;
        child->processors = task.processors;
        child->initial = task.registers();
        child->initial.rax = 0;
        if (request.stack != 0)
            child->initial.rsp = request.stack;
        if ((request.flags & set_tls) != 0)
            child->initial.fs_base = request.tls;
        if ((request.flags & child_clear_tid) != 0)
            child->clear_child_tid = request.child_tid;
        // vfork's child uses its parent's alternate stack; another process with its own memory keeps a copy of it.
        if ((request.flags & (vm | vfork)) != vm)
            child->alternate_stack = task.alternate_stack;
        TRY(inherit_vector_state(*child));
        TRY(register_task(*child));
        if (!is_thread) {
            if (auto registered = register_process(*process); !registered) {
                unregister_task(*child);
                return fail(registered.error());
            }
            const bool sibling = (request.flags & clone_flag::parent) != 0;
            Process* const parent = sibling ? task.process().parent : &task.process();
            // A parent hears of a sibling's end as it hears of the caller's: no process chooses the signal that another one gets.
            if (sibling)
                process->exit_signal = task.process().exit_signal;
            process->parent = parent;
            if (parent != nullptr)
                parent->children.push_back(*process);
            if (process->executable && process->executable->inode() != nullptr)
                ++process->executable->inode()->executing;
        }
        process->threads.push_back(*child);
        ++process->thread_count;
        if ((request.flags & vfork) != 0) {
            child->vfork_child = true;
            child->vfork_done = &vfork_done;
        }
    }
    // Before the child runs: either side may look at it first.
    if ((request.flags & parent_set_tid) != 0)
        (void)UserPtr<std::int32_t>(request.parent_tid).write(tid);
    SandboxLock lock;
    void* const set_tid = (request.flags & child_set_tid) != 0 ? reinterpret_cast<void*>(request.child_tid) : nullptr;
    if (auto started = start_task(*child, prepare_child, set_tid); !started) {
        Process& process = child->process();
        process.threads.remove(*child);
        unregister_task(*child);
        if (--process.thread_count == 0) {
            if (process.parent != nullptr)
                process.parent->children.remove(process);
            process.parent = nullptr;
            unregister_process(process);
        }
        return fail(started.error());
    }
    // The parent sleeps until the child has left its memory, whatever signals come.
    while (child->vfork_child && !task.exiting && !task.process().ending)
        (void)block_until(vfork_done, abi::never, Until::kill);
    if (child->vfork_done == &vfork_done)
        child->vfork_done = nullptr;
    child = nullptr; // under the lock, as destructors want it
    return static_cast<std::uint64_t>(tid);
}

} // namespace

LinuxResult<std::uint64_t> sys_clone(Task& task, const CallArguments& arguments) {
    CloneRequest request;
    request.flags = arguments[0] & 0xffffffff & ~clone_flag::signal_mask;
    request.exit_signal = static_cast<int>(arguments[0] & clone_flag::signal_mask);
    request.stack = arguments[1];
    request.parent_tid = arguments[2];
    request.child_tid = arguments[3];
    request.tls = arguments[4];
    return clone(task, request);
}

LinuxResult<std::uint64_t> sys_fork(Task& task, const CallArguments&) {
    CloneRequest request;
    request.exit_signal = signal_number::child;
    return clone(task, request);
}

LinuxResult<std::uint64_t> sys_vfork(Task& task, const CallArguments&) {
    CloneRequest request;
    request.flags = clone_flag::vm | clone_flag::vfork;
    request.exit_signal = signal_number::child;
    return clone(task, request);
}

LinuxResult<std::uint64_t> sys_clone3(Task& task, const CallArguments& arguments) {
    constexpr std::uint64_t first_version = 64;
    const std::uint64_t size = arguments[1];
    if (size < first_version)
        return fail(Errno::EINVAL);
    if (size > abi::page_size)
        return fail(Errno::E2BIG);
    CloneArguments given{};
    std::byte bytes[abi::page_size];
    TRY(copy_in({bytes, static_cast<std::size_t>(size)}, arguments[0]));
    std::memcpy(&given, bytes, std::min<std::size_t>(size, sizeof given));
    for (std::size_t i = sizeof given; i < size; ++i)
        if (bytes[i] != std::byte{})
            return fail(Errno::E2BIG);
    CloneRequest request;
    if ((given.flags & (clone_flag::signal_mask & ~std::uint64_t{0x80})) != 0 || given.exit_signal > signal_number::last || (given.flags & clone_flag::detached) != 0)
        return fail(Errno::EINVAL);
    if ((given.flags & 0x80) != 0)
        return fail(Errno::EPERM);
    if ((given.stack == 0) != (given.stack_size == 0) || given.stack + given.stack_size < given.stack)
        return fail(Errno::EINVAL);
    if (given.set_tid_size != 0)
        return fail(Errno::EPERM);
    request.flags = given.flags;
    request.exit_signal = static_cast<int>(given.exit_signal);
    request.stack = given.stack + given.stack_size;
    request.parent_tid = given.parent_tid;
    request.child_tid = given.child_tid;
    request.tls = given.tls;
    return clone(task, request);
}

} // namespace personality
