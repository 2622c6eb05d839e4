#include "linux/signal/signal_driven.hpp"

#include <new>

#include "linux/fs/constants.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/table.hpp"

namespace personality {

namespace {

// si_code and si_band of an event (man 2 sigaction).
constexpr std::int32_t code_in = 1, code_out = 2, code_error = 4, code_hang_up = 6;

std::int32_t code_of(std::uint32_t events) {
    if ((events & poll_event::error) != 0)
        return code_error;
    if ((events & poll_event::hang_up) != 0)
        return code_hang_up;
    return (events & poll_event::readable) != 0 ? code_in : code_out;
}

} // namespace

LinuxResult<SignalDriven*> SignalDriven::of(File& file) {
    if (file.signal_driven == nullptr) {
        file.signal_driven = new (std::nothrow) SignalDriven(file);
        if (file.signal_driven == nullptr)
            return fail(Errno::ENOMEM);
        file.watchers.push_back(*file.signal_driven);
    }
    return file.signal_driven;
}

LinuxResult<void> SignalDriven::set_owner(const Task& task, std::int32_t owner) {
    if (owner == INT32_MIN)
        return fail(Errno::EINVAL);
    if (owner > 0 ? find_process(owner) == nullptr : owner < 0 && find_in_group(-owner) == nullptr)
        return fail(Errno::ESRCH);
    owner_ = owner;
    user_ = task.credentials.user;
    effective_user_ = task.credentials.effective_user;
    anyone_ = effective_user_ == 0 || task.credentials.has(capability::kill);
    return {};
}

LinuxResult<void> SignalDriven::set_signal(std::int32_t number) {
    if (number != 0 && !valid_signal(number))
        return fail(Errno::EINVAL);
    signal_ = number;
    return {};
}

void SignalDriven::enable(bool on, std::int32_t descriptor) {
    base::ListNode::unlink();
    descriptor_ = descriptor;
    if (WaitQueue* const queue = file_.wait_queue(); on && queue != nullptr)
        queue->add(*this);
}

void SignalDriven::wake(std::uint32_t events) {
    if (owner_ == 0)
        return;
    if (events == 0)
        events = file_.poll();
    SignalInfo info;
    info.number = signal_number::io;
    info.code = signal_code::kernel;
    if (signal_ != 0) {
        info.number = signal_;
        info.code = code_of(events);
        info.poll.band = events;
        info.poll.descriptor = descriptor_;
    }
    auto send = [&](Process& process) {
        const Task* const leader = process.leader();
        if (leader == nullptr)
            return;
        const Credentials& its = leader->credentials;
        if (anyone_ || effective_user_ == its.saved_user || effective_user_ == its.user || user_ == its.saved_user || user_ == its.user)
            send_signal(process, info);
    };
    if (owner_ > 0) {
        if (Process* const process = find_process(owner_))
            send(*process);
        return;
    }
    for (Process& process : all_processes())
        if (process.group == -owner_)
            send(process);
}

// The file's wait queue may be gone before it: the list nodes unlink themselves.
void SignalDriven::file_gone() { delete this; }

bool can_drive_signals(const File& file) {
    return file.kind() == FileKind::socket || file.kind() == FileKind::pipe || file.kind() == FileKind::terminal;
}

LinuxResult<void> drive_signals(File& file, bool on, std::int32_t descriptor) {
    if (!can_drive_signals(file) || (!on && SignalDriven::find(file) == nullptr))
        return {};
    (*TRY(SignalDriven::of(file))).enable(on, descriptor);
    return {};
}

} // namespace personality
