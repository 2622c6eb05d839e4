// The change of a process to a new program.
#pragma once
#include "linux/exec/program.hpp"
#include "linux/task/task.hpp"

namespace personality {

// Ends the other threads, and gives the process `program`: from here on there is no way back, so a failure ends the process. The calling task's own thread, lock not held.
// Afterwards the task's registers are the new program's.
void become_program(Task& task, Program& program);

} // namespace personality
