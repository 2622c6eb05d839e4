// A process: what its threads share.
#pragma once
#include "linux/fs/dentry.hpp"
#include "linux/memory/memory_map.hpp"
#include "linux/signal/actions.hpp"
#include "linux/signal/pending.hpp"
#include "linux/task/fd_table.hpp"
#include "linux/task/limits.hpp"
#include "linux/task/session.hpp"

namespace personality {

class Task;
class ProcessTimers;

// Root and current directory, file mode mask. Shared by clone(CLONE_FS). Sandbox lock.
struct FsContext : base::RefCounted<FsContext> {
    Location root, current;
    std::uint32_t mask = 022;
};

// Processor time in nanoseconds.
struct Times {
    std::uint64_t user = 0, system = 0;
    Times& operator+=(const Times& more) {
        user += more.user;
        system += more.system;
        return *this;
    }
};

struct ThreadList;
struct ChildList;
struct ProcessList;

// Sandbox lock for everything here.
class Process final : public base::RefCounted<Process>, public base::ListNodeOf<ChildList>, public base::ListNodeOf<ProcessList> {
public:
    explicit Process(std::int32_t pid);
    ~Process();

    const std::int32_t pid;
    std::int32_t group = 0; // process group
    base::Ref<Session> session;
    Process* parent = nullptr; // null: started by the sandbox itself
    base::List<Process, ChildList> children;
    base::List<Task, ThreadList> threads;
    std::uint32_t thread_count = 0;

    base::Ref<MemoryMap> memory;
    base::Ref<FdTable> files;
    base::Ref<FsContext> fs;
    base::Ref<SignalActions> actions;
    PendingSignals pending;
    Limits limits = default_limits();
    base::Ref<File> executable; // /proc/PID/exe
    std::uint32_t personality = 0;

    WaitQueue child_events; // a child changed its state
    std::int32_t exit_signal = signal_number::child;
    std::int32_t parent_death_signal = 0;
    bool subreaper = false;
    bool dumpable = true;
    bool executed = false; // since fork: setpgid by the parent fails then

    // End: set once by exit_group or a fatal signal, `status` as wait4 shows it.
    bool ending = false;
    std::uint32_t status = 0;
    bool zombie = false;
    char last_name[16] = {}; // comm of the thread that ended last
    Times ended_times, children_times; // of those waited for

    // Job control.
    bool stopped = false;
    bool stop_reported = true, continue_reported = true; // to a parent that waits with WUNTRACED, WCONTINUED
    std::int32_t stop_signal = 0;
    WaitQueue continued; // stopped threads wait here

    // Null until the first is set: linux/time/timers.hpp.
    ProcessTimers* timers = nullptr;
    std::uint64_t started = 0; // monotonic nanoseconds

    // The thread whose tid is the pid, or any where it has ended; null once all have.
    Task* leader();
    // Threads' processor time until now.
    Times times();
    // The same of those that have not ended.
    Times running_times();
};

} // namespace personality
