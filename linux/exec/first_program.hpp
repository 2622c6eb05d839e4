// Process 1 of a sandbox: the program that a container was started for.
#pragma once
#include "linux/exec/program.hpp"
#include "linux/task/fd_table.hpp"
#include "linux/task/session.hpp"

namespace personality {

struct FirstProgram {
    TextList arguments, environment;
    std::string_view directory;  // absolute
    std::string_view search;     // value of PATH, for a first argument without a slash
    Credentials credentials;
    base::Ref<FdTable> files;    // 0, 1, 2
    base::Ref<File> terminal;    // becomes the session's, or null
};

// Makes process 1 and starts it. Nothing may run in the sandbox. Lock not held. Errors of execve.
LinuxResult<void> start_first_program(FirstProgram& program);

// Called, with the sandbox lock held, when process 1 has ended; given by linux/sandbox. `status` as wait4 shows it.
void first_program_ended(std::uint32_t status);

// Called, with the sandbox lock held, when no task is left.
void last_task_ended();

// A process is ended because the sandbox' quota is exhausted. Sandbox lock held.
void memory_ran_out();

} // namespace personality
