#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/exec/first_program.hpp"

#include "linux/core/lock.hpp"
#include "linux/exec/execute.hpp"
#include "linux/fs/root.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/task/guest_loop.hpp"
#include "linux/task/table.hpp"
#include "linux/tty/terminal.hpp"

#include <cstring>
#include <new>

namespace personality {

namespace {

// Errors that let the search in PATH go on (man 3 execvp).
bool goes_on(Errno error) { return error == Errno::ENOENT || error == Errno::ENOTDIR || error == Errno::EACCES; }

LinuxResult<void> build(const PathContext& context, FirstProgram& first, const Limits& limits, Program& program) {
    base::Vector<std::string_view> arguments;
    TRY(first.arguments.views(arguments));
    if (arguments.empty() || arguments[0].empty())
        return fail(Errno::ENOENT);
    const std::string_view name = arguments[0];
    const auto attempt = [&](std::string_view path) {
        program = {};
        TextList changed;
        for (const std::string_view argument : arguments)
            if (auto added = changed.add(argument); !added)
                return added;
        return build_program({context, context.current, path, nullptr, walk_flag::follow, first.credentials, limits}, changed, first.environment, program);
    };
    if (name.find('/') != std::string_view::npos)
        return attempt(name);
    Errno error = Errno::ENOENT;
    std::string_view rest = first.search;
    while (!rest.empty()) {
        const std::size_t colon = rest.find(':');
        const std::string_view folder = rest.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
        char path[path_max];
        if (folder.empty() || folder.size() + 1 + name.size() > sizeof path)
            continue;
        folder.copy(path, folder.size());
        path[folder.size()] = '/';
        name.copy(path + folder.size() + 1, name.size());
        auto built = attempt({path, folder.size() + 1 + name.size()});
        if (built || !goes_on(built.error()))
            return built;
        if (built.error() == Errno::EACCES)
            error = Errno::EACCES;
    }
    return fail(error);
}

bool enter_program(Task& task, void* argument) {
    auto* const program = static_cast<Program*>(argument);
    const bool filled = native::call::restricted_attach(task.process().memory->space()) && program->fill();
    SandboxLock lock;
    delete program;
    return filled;
}

} // namespace

LinuxResult<void> start_first_program(FirstProgram& first) {
    SandboxLock lock;
    if (process_count() != 0)
        return fail(Errno::EBUSY);
    restart_pids();
    const Location root = sandbox_mounts().root();
    PathContext context{sandbox_mounts(), root, root, first.credentials.for_files()};
    // As the engine does it, a working directory that is missing is made.
    auto directory = walk_path(context, root, first.directory, walk_flag::follow);
    if (!directory)
        return fail(directory.error());
    if (!directory->inode()->is_directory())
        return fail(Errno::ENOTDIR);
    context.current = *directory;
    auto* program = new (std::nothrow) Program;
    if (program == nullptr)
        return fail(Errno::ENOMEM);
    const auto give_up = [&](Errno error) {
        delete program;
        return fail(error);
    };
    if (auto built = build(context, first, default_limits(), *program); !built)
        return give_up(built.error());

    const std::int32_t pid = TRY(allocate_pid());
    auto* made = new (std::nothrow) Process(pid);
    auto* fs = new (std::nothrow) FsContext;
    auto* actions = new (std::nothrow) SignalActions;
    auto* session = new (std::nothrow) Session(pid);
    if (made == nullptr || fs == nullptr || actions == nullptr || session == nullptr)
        return give_up(Errno::ENOMEM);
    auto process = base::Ref<Process>::adopt(*made);
    process->fs = base::Ref<FsContext>::adopt(*fs);
    process->actions = base::Ref<SignalActions>::adopt(*actions);
    process->session = base::Ref<Session>::adopt(*session);
    process->fs->root = root;
    process->fs->current = context.current;
    process->files = first.files;
    process->memory = std::move(program->memory);
    process->executable = program->executable;
    ++process->executable->inode()->executing;
    process->exit_signal = 0;
    process->started = monotonic_now();
    process->executed = true;
    if (first.terminal) {
        session->terminal = first.terminal;
        session->foreground_group = pid;
    }
    auto* task_made = new (std::nothrow) Task(pid, process);
    if (task_made == nullptr)
        return give_up(Errno::ENOMEM);
    auto task = base::Ref<Task>::adopt(*task_made);
    task->credentials = first.credentials;
    std::memcpy(task->name, program->name, sizeof task->name);
    task->initial.rip = program->entry;
    task->initial.rsp = program->stack_pointer;
    task->initial.rflags = 0x202;
    if (!register_task(*task))
        return give_up(Errno::ENOMEM);
    if (!register_process(*process)) {
        unregister_task(*task);
        return give_up(Errno::ENOMEM);
    }
    process->threads.push_back(*task);
    process->thread_count = 1;
    if (auto started = start_task(*task, enter_program, program); !started) {
        process->threads.remove(*task);
        unregister_task(*task);
        unregister_process(*process);
        return give_up(started.error());
    }
    if (first.terminal)
        terminal_of(*first.terminal)->set_session(session);
    task = nullptr;
    process = nullptr;
    return {};
}

} // namespace personality
