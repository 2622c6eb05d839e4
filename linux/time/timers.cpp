#include "linux/time/timers.hpp"

#include "linux/signal/send.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <new>

namespace personality {

void IntervalTimer::ring(std::uint64_t) {
    SignalInfo info;
    info.number = signal_number::alarm;
    info.code = signal_code::kernel;
    send_signal(process_, info);
}

void PosixTimer::ring(std::uint64_t count) {
    if (target_.notice == Notice::none)
        return;
    Task* task = nullptr;
    if (target_.notice == Notice::thread) {
        task = find_task(target_.tid);
        if (task == nullptr || &task->process() != &process_)
            return; // the thread has ended
    }
    PendingSignals& pending = task != nullptr ? task->pending : process_.pending;
    // One signal of a timer is pending at a time; what comes meanwhile is counted.
    if (SignalInfo* const before = pending.find_timer(target_.signal, id_)) {
        overrun_ = static_cast<std::int32_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(overrun_) + count, INT32_MAX));
        before->timer.overrun = overrun_;
        return;
    }
    overrun_ = static_cast<std::int32_t>(std::min<std::uint64_t>(count - 1, INT32_MAX));
    SignalInfo info;
    info.number = target_.signal;
    info.code = signal_code::timer;
    info.timer.id = id_;
    info.timer.overrun = overrun_;
    info.timer.value = target_.value;
    if (task != nullptr)
        send_signal(*task, info);
    else
        send_signal(process_, info);
}

LinuxResult<ProcessTimers*> timers_of(Process& process) {
    if (process.timers == nullptr)
        process.timers = new (std::nothrow) ProcessTimers(process);
    if (process.timers == nullptr)
        return fail(Errno::ENOMEM);
    return process.timers;
}

bool take_signal(Task& task, SignalSet wanted, SignalInfo& info) {
    Process& process = task.process();
    if (!task.pending.take(wanted, info) && !process.pending.take(wanted, info))
        return false;
    // A program may send a signal that says that it is a timer's.
    const auto id = static_cast<std::size_t>(info.timer.id);
    if (info.code == signal_code::timer && process.timers != nullptr && id < ProcessTimers::most && process.timers->posix[id])
        process.timers->posix[id]->taken(info.timer.overrun);
    return true;
}

void drop_timers(Process& process) {
    delete process.timers;
    process.timers = nullptr;
}

void drop_posix_timers(Process& process) {
    if (process.timers != nullptr)
        for (auto& timer : process.timers->posix)
            timer = nullptr;
}

} // namespace personality
