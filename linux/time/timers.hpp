// The interval timer and the POSIX timers of a process (man 2 setitimer, timer_create).
#pragma once
#include "linux/task/process.hpp"

namespace personality {

// The process ends. Sandbox lock.
void drop_timers(Process& process);
// exec: the POSIX timers go, the interval timer stays. Sandbox lock.
void drop_timers_of_clock(Process& process);

} // namespace personality
