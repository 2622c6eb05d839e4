// The calls whose answer does not change from one to the next: the kernel gives it, without a way through here.
#pragma once
#include "linux/core/lock.hpp"
#include "linux/task/task.hpp"

namespace personality {

// Who the task is, for getpid, gettid and the four ids of users and groups. By the task itself, before its guest runs and whenever one of these has changed.
void refresh_constant_calls(Task& task);

// Held while a task changes its credentials.
class CredentialsChange {
public:
    explicit CredentialsChange(Task& task) : task_(task) {}
    ~CredentialsChange() { refresh_constant_calls(task_); }
    CredentialsChange(const CredentialsChange&) = delete;
    CredentialsChange& operator=(const CredentialsChange&) = delete;

private:
    const SandboxLock lock_;
    Task& task_;
};

} // namespace personality
