// /proc/PID: what a process or thread shows of itself (proc(5)).
#pragma once
#include "linux/proc/node.hpp"
#include "linux/task/task.hpp"

namespace personality::proc {

// The process of a subject, alive or a zombie. ESRCH.
LinuxResult<Process*> process_of(const Subject& subject);
// Its thread: where it is the process' own number and the leader has gone, any other. Null where none is left.
Task* task_of(const Subject& subject);
// Whether the caller may look into the process, as ptrace(2) has it: its own user's, or as root. EACCES, ESRCH.
LinuxResult<Process*> open_process(const Subject& subject);

LinuxResult<void> write_stat(Text& to, const Subject& subject);
LinuxResult<void> write_status(Text& to, const Subject& subject);
LinuxResult<void> write_memory_pages(Text& to, const Subject& subject);
LinuxResult<void> write_maps(Text& to, const Subject& subject);
LinuxResult<void> write_limits(Text& to, const Subject& subject);
LinuxResult<void> write_mounts(Text& to, const Subject& subject);
LinuxResult<void> write_mount_information(Text& to, const Subject& subject);

// An open file's name as a link of /proc/PID/fd shows it.
void name_file(Text& to, File& file);

} // namespace personality::proc
