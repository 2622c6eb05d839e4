// The calls that the kernel serves without a way through here: those whose answer does not change from one to the next, sched_yield, and futexes' plain waits and wake-ups.
#pragma once
#include "linux/core/lock.hpp"
#include "linux/task/task.hpp"

namespace personality {

// Lists them for the task, with who it is for getpid, gettid and the four ids of users and groups. By the task itself, before its guest runs and whenever one of these has changed.
void refresh_fast_calls(Task& task);

// Held while a task changes its credentials.
class CredentialsChange {
public:
    explicit CredentialsChange(Task& task) : task_(task) {}
    ~CredentialsChange() { refresh_fast_calls(task_); }
    CredentialsChange(const CredentialsChange&) = delete;
    CredentialsChange& operator=(const CredentialsChange&) = delete;

private:
    const SandboxLock lock_;
    Task& task_;
};

} // namespace personality
