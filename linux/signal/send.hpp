// Sending signals. Sandbox lock held for all.
#pragma once
#include "linux/signal/signal_info.hpp"
#include "linux/signal/signal_set.hpp"

namespace personality {

class Process;
class Task;

// To one thread, as tgkill and faults do.
void send_signal(Task& task, const SignalInfo& info);
// To a process: any of its threads that does not block it takes it.
void send_signal(Process& process, const SignalInfo& info);
// From the system itself (SI_KERNEL), to every process of a group: terminals use it.
void send_to_group(std::int32_t group, int number);
// SIGPIPE for a write nobody reads: to the calling thread.
void send_broken_pipe(Task& task);

} // namespace personality
