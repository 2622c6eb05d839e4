#include "linux/task/task.hpp"

#include "lib/native/kernel.hpp"

#include <bit>

namespace personality {

Process::Process(std::int32_t pid) : pid(pid), group(pid) {}
Process::~Process() = default;

Task* Process::leader() {
    if (threads.empty())
        return nullptr;
    for (Task& task : threads)
        if (task.tid == pid)
            return &task;
    return &threads.front();
}

Times Process::times() {
    Times sum = ended_times;
    sum += running_times();
    return sum;
}

Times Process::running_times() {
    Times sum;
    for (Task& task : threads) {
        abi::ThreadInfo info{};
        if (task.thread != abi::no_handle && native::call::thread_inspect(task.thread, info))
            sum.user += info.cpu_nanoseconds;
    }
    return sum;
}

Task::Task(std::int32_t tid, base::Ref<Process> process) : tid(tid), process_(std::move(process)) {}
Task::~Task() { delete[] vector_bytes; }

void Task::use_temporary_mask(SignalSet temporary) {
    saved_mask = mask;
    mask_saved = true;
    mask = temporary & ~unblockable;
}

bool Task::signal_pending() const {
    const Process& group = process();
    return ((pending.set() | group.pending.set()) & ~mask) != 0 || group.ending || exiting || (group.stopped);
}

bool Task::fatal_signal_pending() const {
    const Process& group = process();
    if (group.ending || exiting)
        return true;
    for (SignalSet left = (pending.set() | group.pending.set()) & ~mask; left != 0; left &= left - 1) {
        const int number = std::countr_zero(left) + 1;
        const DefaultAction action = default_action(number);
        const bool fatal = action == DefaultAction::terminate || action == DefaultAction::core;
        if (number == signal_number::kill || (fatal && group.actions->of(number).handler == handler_default))
            return true;
    }
    return false;
}

} // namespace personality
