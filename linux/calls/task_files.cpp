// The task's side of file_support.hpp.
#include "linux/calls/file_support.hpp"
#include "linux/fs/current.hpp"
#include "linux/fs/root.hpp"
#include "linux/ipc/socket.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/task.hpp"

namespace personality {

FdTable& files_of(Task& task) { return *task.process().files; }
std::uint64_t descriptor_limit(Task& task) { return task.process().limits[limit::files].soft; }

PathContext path_context(Task& task) {
    const FsContext& fs = *task.process().fs;
    return {sandbox_mounts(), fs.root, fs.current, task.credentials.for_files()};
}

FileCredentials real_credentials(Task& task) { return task.credentials.for_access(); }
std::uint32_t umask_of(Task& task) { return task.process().fs->mask; }
std::uint32_t exchange_umask(Task& task, std::uint32_t mask) { return std::exchange(task.process().fs->mask, mask); }
void set_current_directory(Task& task, Location location) { task.process().fs->current = std::move(location); }
void set_root(Task& task, Location location) { task.process().fs->root = std::move(location); }
bool may_change_root(Task& task) { return task.credentials.has(capability::sys_chroot); }
const void* lock_owner(Task& task) { return task.process().files.get(); }
std::int32_t process_number(Task& task) { return task.process().pid; }

void raise_broken_pipe(Task& task) {
    SandboxLock lock;
    send_broken_pipe(task);
}

PathContext current_path_context() { return path_context(current()); }
std::uint32_t current_umask() { return umask_of(current()); }

UnixCredentials current_unix_credentials() {
    Task& task = current();
    return {task.process().pid, task.credentials.effective_user, task.credentials.effective_group};
}

} // namespace personality
