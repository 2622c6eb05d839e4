#include "linux/exec/execute.hpp"

#include "lib/native/kernel.hpp"
#include "linux/memory/user_memory.hpp"
#include "linux/core/lock.hpp"
#include "linux/task/fast_calls.hpp"
#include "linux/task/exit.hpp"
#include "linux/task/park.hpp"

#include "linux/task/table.hpp"
#include "linux/task/vector_state.hpp"
#include "linux/time/futex.hpp"
#include "linux/time/timers.hpp"

#include <cstring>

namespace personality {

namespace {

// Sandbox lock held. False where the process is to end meanwhile.
bool end_other_threads(Task& task) {
    Process& process = task.process();
    // Another thread's exec came first.
    if (process.ending || task.exiting)
        return false;
    for (Task& other : process.threads)
        if (&other != &task) {
            other.exiting = true;
            interrupt_task(other);
        }
    while (process.thread_count > 1) {
        (void)block_until(process.child_events, abi::never, Until::kill);
        if (process.ending || task.exiting)
            return false;
    }
    return true;
}

// man 7 capabilities, "Transformation of capabilities during execve", for files without capabilities of their own.
void change_credentials(Credentials& who, const Program& program) {
    const bool set_root = program.user == 0 && who.effective_user != 0;
    who.effective_user = who.saved_user = who.file_user = program.user;
    who.effective_group = who.saved_group = who.file_group = program.group;
    if (program.secure)
        who.ambient = 0;
    if (who.user == 0 || who.effective_user == 0 || set_root) {
        who.permitted = who.inheritable | who.bounding;
        who.effective = who.effective_user == 0 ? who.permitted : 0;
    } else {
        who.permitted = who.effective = who.ambient;
    }
    who.keep_capabilities = false;
}

void count_executable(Process& process, base::Ref<File> executable) {
    if (process.executable && process.executable->inode() != nullptr && process.executable->inode()->executing != 0)
        --process.executable->inode()->executing;
    process.executable = std::move(executable);
    ++process.executable->inode()->executing;
}

void reset_signals(Task& task) {
    Process& process = task.process();
    if (process.actions->references() != 1) {
        auto* own = new (std::nothrow) SignalActions;
        if (own == nullptr) {
            end_process_with(process, signal_number::kill);
            return;
        }
        own->actions = process.actions->actions;
        process.actions = base::Ref<SignalActions>::adopt(*own);
    }
    for (SignalAction& action : process.actions->actions) {
        const std::uint64_t handler = action.handler;
        action = {};
        if (handler == handler_ignore)
            action.handler = handler_ignore;
    }
    task.alternate_stack = {};
    task.mask_saved = false;
}

} // namespace

void become_program(Task& task, Program& program) {
    Process& process = task.process();
    release_robust_list(task);
    if (task.clear_child_tid != 0 && process.memory->references() > 1 && UserPtr<std::uint32_t>(task.clear_child_tid).write(0))
        (void)wake_futex(task.clear_child_tid, 1);
    task.clear_child_tid = task.robust_list = 0;
    {
        SandboxLock lock;
        if (!end_other_threads(task)) {
            program = {};
            lock.unlock();
            exit_task(task);
        }
        if (task.tid != process.pid)
            rename_task(task, process.pid);
        if (auto attached = native::call::restricted_attach(program.memory->space()); !attached) {
            end_process_with(process, signal_number::kill);
            program = {};
            lock.unlock();
            exit_task(task);
        }
        process.memory = std::move(program.memory);
        if (task.vfork_done != nullptr) {
            task.vfork_child = false;
            task.vfork_done->wake();
            task.vfork_done = nullptr;
        }
        if (process.files->references() != 1) {
            auto own = process.files->clone();
            if (own)
                process.files = std::move(*own);
            else
                end_process_with(process, signal_number::kill);
        }
        process.files->close_for_exec();
        drop_posix_timers(process);
        reset_signals(task);
        change_credentials(task.credentials, program);
        refresh_fast_calls(task);
        count_executable(process, std::move(program.executable));
        process.executed = true;
        process.dumpable = !program.secure;
        process.exit_signal = signal_number::child;
        std::memcpy(task.name, program.name, sizeof task.name);
    }
    reset_vector_state(task);
    if (!program.fill())
        end_process(task, signal_number::segv);
    abi::GuestRegisters& registers = task.registers();
    registers = {};
    registers.rip = program.entry;
    registers.rsp = program.stack_pointer;
    registers.rflags = 0x202;
}

} // namespace personality
