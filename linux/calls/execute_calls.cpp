// execve and execveat (man 2 execve).
#include "linux/calls/file_support.hpp"
#include "linux/exec/execute.hpp"
#include "linux/task/task.hpp"

namespace personality {

namespace {

namespace at {
constexpr std::uint32_t no_follow = 0x100, empty_path = 0x1000;
}

CallResult execute(Task& task, std::int32_t directory, std::uint64_t path_address, std::uint64_t argument_list, std::uint64_t environment_list, std::uint32_t flags) {
    if ((flags & ~(at::no_follow | at::empty_path)) != 0)
        return fail(Errno::EINVAL);
    Program program;
    {
        [[clang::uninitialized]] PathArgument path;
        TRY(path.load(path_address));
        TextList arguments, environment;
        TRY(arguments.load(argument_list));
        TRY(environment.load(environment_list));
        if (arguments.size() == 0) // programs rely on having a name
            TRY(arguments.add(""));
        SandboxLock lock;
        const auto release = [&](CallResult result) {
            program = {};
            return result;
        };
        const PathContext context = path_context(task);
        // The descriptor of an empty path is the program itself, not a place where paths start.
        const bool from_descriptor = path.view().empty() && (flags & at::empty_path) != 0;
        auto start = from_descriptor ? LinuxResult<Location>(context.root) : path_start(task, directory, path.view());
        if (!start)
            return fail(start.error());
        ProgramRequest request{context, std::move(*start), path.view(), nullptr, (flags & at::no_follow) != 0 ? 0 : walk_flag::follow, task.credentials, task.process().limits};
        if (path.view().empty()) {
            if ((flags & at::empty_path) == 0)
                return fail(Errno::ENOENT);
            auto file = file_of(task, directory);
            if (!file)
                return fail(file.error());
            Inode* const inode = (*file)->inode();
            if (inode == nullptr || !inode->is_regular())
                return fail(Errno::EACCES);
            if (auto allowed = check_permission(*inode, context.who, permission::execute); !allowed)
                return fail(allowed.error());
            request.file = base::Ref<File>(base::Ref<RegularFile>::adopt(*new RegularFile(static_cast<LocatedFile&>(**file).location(), open_flag::read_only)));
        }
        if (auto built = build_program(request, arguments, environment, program); !built)
            return release(fail(built.error()));
    }
    become_program(task, program);
    return 0;
}

} // namespace

CallResult sys_execve(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t current_directory = -100;
    return execute(task, current_directory, arguments[0], arguments[1], arguments[2], 0);
}

CallResult sys_execveat(Task& task, const CallArguments& arguments) {
    return execute(task, arguments.i32(0), arguments[1], arguments[2], arguments[3], arguments.u32(4));
}

} // namespace personality
