// Signals at a descriptor (man 2 signalfd).
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/ipc/signal_file.hpp"
#include "linux/task/task.hpp"
#include "linux/time/timers.hpp"

#include <new>

namespace personality {

namespace {

bool take(SignalSet wanted, SignalInfo& info) {
    return take_signal(current(), wanted, info);
}

SignalSet pending() {
    const Task& task = current();
    return task.pending.set() | task.process().pending.set();
}

CallResult make(Task& task, const CallArguments& arguments, std::uint32_t flags) {
    constexpr std::int32_t fresh = -1;
    if ((flags & ~(open_flag::nonblock | open_flag::close_on_exec)) != 0 || arguments[2] != sizeof(SignalSet))
        return fail(Errno::EINVAL);
    const SignalSet mask = TRY(arguments.pointer<SignalSet>(1).read()) & ~unblockable;
    SandboxLock lock;
    if (arguments.i32(0) != fresh) {
        const base::Ref<File> file = TRY(file_of(task, arguments.i32(0)));
        if (file->kind() != FileKind::signal)
            return fail(Errno::EINVAL);
        static_cast<SignalFile&>(*file).set_mask(mask);
        return arguments.u32(0);
    }
    auto* file = new (std::nothrow) SignalFile(mask, flags, take, pending);
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    return install_file(task, base::Ref<File>::adopt(*file), (flags & open_flag::close_on_exec) != 0);
}

} // namespace

CallResult sys_signalfd(Task& task, const CallArguments& arguments) { return make(task, arguments, 0); }
CallResult sys_signalfd4(Task& task, const CallArguments& arguments) { return make(task, arguments, arguments.u32(3)); }

} // namespace personality
