// Test doubles of the task side for unit tests on the build machine: one task, plain memory behind UserPtr, a lock that counts.
#pragma once
#include "linux/task/task.hpp"

namespace personality::test {

// Makes a process and task with an empty fd table and makes it current() until it goes. `fs` has no root: tests that need one set it.
class TestTask {
public:
    TestTask();
    ~TestTask();
    TestTask(const TestTask&) = delete;
    TestTask& operator=(const TestTask&) = delete;
    Task& operator*() { return *task_; }
    Task* operator->() { return task_.get(); }

private:
    base::Ref<Task> task_;
    Task* before_;
};

// Depth of the sandbox lock: 0 or 1 in correct code; a second lock or an unlock too many ends the test.
int lock_depth();

} // namespace personality::test
