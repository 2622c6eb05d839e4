// The end of threads and processes.
#pragma once
#include "linux/task/task.hpp"

namespace personality {

// Ends the calling task: its own thread, without locks. Where it is the last one, its process becomes a zombie.
[[noreturn]] void exit_task(Task& task);

// All threads of the process shall end; the first status counts. `status` as wait4 shows it. Sandbox lock held.
void end_process_with(Process& process, std::uint32_t status);
// The same for the calling task's process, by a signal. Lock not held.
void end_process(Task& task, int signal);

// The quota is exhausted: ends the process that uses most memory, as Linux' OOM killer does. Lock not held.
void out_of_memory(Task& task);

// Every process is to end with SIGKILL. Sandbox lock held.
void end_all();

// Children of process 1 and the calling thread's other relatives: who reaps an orphan. Sandbox lock held.
void reap(Process& zombie); // takes it out of its parent's list and the table

} // namespace personality
