// All processes and threads of the sandbox, by number. Sandbox lock for all.
#pragma once
#include "linux/task/task.hpp"

namespace personality {

inline constexpr std::int32_t first_pid = 1;
inline constexpr std::int32_t pid_limit = 4194304;

// A number that no process, thread, group or session has. EAGAIN: none, or too many processes.
LinuxResult<std::int32_t> allocate_pid();
// Numbering starts over, for the next run of a sandbox in which nothing runs.
void restart_pids();

LinuxResult<void> register_process(Process& process); // EAGAIN
void unregister_process(Process& process);
LinuxResult<void> register_task(Task& task); // EAGAIN
void unregister_task(Task& task);
// The task gets the number of its process: the thread that made exec becomes the leader.
void rename_task(Task& task, std::int32_t tid);

Process* find_process(std::int32_t pid); // zombies too; null
Task* find_task(std::int32_t tid);       // null
Process* find_in_group(std::int32_t group); // any; null
// Process 1, null before the start and after its end.
Process* init_process();
std::size_t process_count();
std::size_t task_count();
base::List<Process, ProcessList>& all_processes();
// Of all threads, those that ended too.
Times sandbox_times();
// A thread of the process ends, which used so much processor time.
void add_ended_time(Process& process, std::uint64_t nanoseconds);

} // namespace personality
