#include "linux/task/table.hpp"

#include "lib/base/hash_map.hpp"

namespace personality {

namespace {

struct Table {
    base::HashMap<std::int32_t, Task*> tasks;
    base::HashMap<std::int32_t, Process*> processes;
    base::List<Process, ProcessList> list;
    std::int32_t last = 0;
};

// Made on first use: globals have no dynamic initialisers.
Table& table() {
    alignas(Table) static constinit std::byte storage[sizeof(Table)] = {};
    static constinit bool made = false;
    if (!made) {
        made = true;
        new (storage) Table;
    }
    return *reinterpret_cast<Table*>(storage);
}

constexpr std::size_t task_limit = 8192;

bool in_use(std::int32_t number) {
    Table& all = table();
    if (all.tasks.contains(number) || all.processes.contains(number))
        return true;
    for (const Process& process : all.list)
        if (process.group == number || (process.session && process.session->id == number))
            return true;
    return false;
}

} // namespace

LinuxResult<std::int32_t> allocate_pid() {
    Table& all = table();
    if (all.tasks.size() + all.processes.size() >= 2 * task_limit)
        return fail(Errno::EAGAIN);
    for (;;) {
        all.last = all.last + 1 < pid_limit ? all.last + 1 : 300;
        if (!in_use(all.last))
            return all.last;
    }
}

void restart_pids() { table().last = 0; }

LinuxResult<void> register_process(Process& process) {
    if (!table().processes.insert(process.pid, &process))
        return fail(Errno::EAGAIN);
    process.retain();
    table().list.push_back(process);
    return {};
}

void unregister_process(Process& process) {
    table().processes.erase(process.pid);
    table().list.remove(process);
    process.release();
}

LinuxResult<void> register_task(Task& task) {
    if (!table().tasks.insert(task.tid, &task))
        return fail(Errno::EAGAIN);
    return {};
}

void unregister_task(Task& task) { table().tasks.erase(task.tid); }

void rename_task(Task& task, std::int32_t tid) {
    table().tasks.erase(task.tid);
    task.tid = tid;
    // The leader that had the number is gone, so there is room.
    (void)table().tasks.insert(tid, &task);
}

Process* find_process(std::int32_t pid) {
    Process** found = table().processes.find(pid);
    return found == nullptr ? nullptr : *found;
}

Task* find_task(std::int32_t tid) {
    Task** found = table().tasks.find(tid);
    return found == nullptr ? nullptr : *found;
}

Process* find_in_group(std::int32_t group) {
    for (Process& process : table().list)
        if (process.group == group)
            return &process;
    return nullptr;
}

Process* init_process() { return find_process(first_pid); }
std::size_t process_count() { return table().processes.size(); }
std::size_t task_count() { return table().tasks.size(); }
base::List<Process, ProcessList>& all_processes() { return table().list; }

namespace {
constinit Times ended_times; // of all threads that ended, also of processes that are gone
}

Times sandbox_times() {
    Times sum = ended_times;
    for (Process& process : all_processes()) sum += process.running_times();
    return sum;
}

void add_ended_time(Process& process, std::uint64_t nanoseconds) {
    process.ended_times.user += nanoseconds;
    ended_times.user += nanoseconds;
}

} // namespace personality
