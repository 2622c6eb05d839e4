#include "linux/exec/program.hpp"

#include "abi/start.hpp"
#include "linux/exec/elf_file.hpp"
#include "linux/exec/initial_stack.hpp"
#include "linux/exec/vdso.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/fs/devices.hpp"
#include "linux/memory/user_memory.hpp"

#include <algorithm>
#include <cstring>

namespace personality {

namespace {

constexpr std::uint64_t page_mask = abi::page_size - 1;
constexpr std::uint64_t stack_gap_least = 128ull << 20; // left for the stack below its top, whatever its limit
constexpr std::uint64_t position_independent_base = 0x5555'5555'4000;
constexpr std::uint64_t initial_stack_room = 128 * 1024;
constexpr unsigned most_interpreters = 5; // of scripts, one inside the other
constexpr std::size_t script_line = 256;

constexpr std::uint64_t up(std::uint64_t value) { return (value + page_mask) & ~page_mask; }

std::uint64_t random_pages(unsigned bits) {
    std::uint64_t value = 0;
    random_bytes(std::as_writable_bytes(std::span(&value, 1)));
    return (value & ((std::uint64_t{1} << bits) - 1)) * abi::page_size;
}

LinuxResult<void> read_exactly(File& file, std::uint64_t offset, std::span<std::byte> to) {
    while (!to.empty()) {
        const std::size_t count = TRY(file.read_at(offset, to));
        if (count == 0)
            return fail(Errno::ENOEXEC);
        offset += count;
        to = to.subspan(count);
    }
    return {};
}

LinuxResult<base::Ref<File>> open_program(const ProgramRequest& request, std::string_view path, const Location& start, std::uint32_t walk) {
    const Location place = TRY(walk_path(request.context, start, path, walk));
    Inode* const inode = place.inode();
    if (inode == nullptr)
        return fail(Errno::ENOENT);
    if (inode->is_symlink())
        return fail(Errno::ELOOP);
    if (!inode->is_regular() || (place.mount->flags & mount_flag::no_execute) != 0)
        return fail(Errno::EACCES);
    TRY(check_permission(*inode, request.context.who, permission::execute));
    // Root may read and write everything, but runs only what somebody may run.
    if ((inode->mode() & 0111) == 0)
        return fail(Errno::EACCES);
    if (inode->writers != 0)
        return fail(Errno::ETXTBSY);
    auto* file = new (std::nothrow) RegularFile(place, open_flag::read_only);
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    return base::Ref<File>(base::Ref<RegularFile>::adopt(*file));
}

// "#!" INTERPRETER [ARGUMENT]; spaces and tabs around both are dropped. False where the file is no script.
LinuxResult<bool> parse_script(std::span<const char> head, std::string_view& interpreter, std::string_view& argument) {
    std::string_view text(head.data(), head.size());
    if (!text.starts_with("#!"))
        return false;
    text.remove_prefix(2);
    const std::size_t end = text.find('\n');
    const bool whole = end != std::string_view::npos;
    text = text.substr(0, end);
    const auto trim = [](std::string_view& part) {
        while (!part.empty() && (part.front() == ' ' || part.front() == '\t'))
            part.remove_prefix(1);
        while (!part.empty() && (part.back() == ' ' || part.back() == '\t' || part.back() == '\0'))
            part.remove_suffix(1);
    };
    trim(text);
    if (text.empty())
        return fail(Errno::ENOEXEC);
    const std::size_t space = text.find_first_of(" \t");
    interpreter = text.substr(0, space);
    // A path that was cut off must not be run.
    if (!whole && space == std::string_view::npos && head.size() == script_line)
        return fail(Errno::ENOEXEC);
    argument = space == std::string_view::npos ? std::string_view() : text.substr(space);
    trim(argument);
    return true;
}

struct Loaded {
    ElfFile elf;
    std::uint64_t bias = 0;
};

// Maps the segments. A position-independent file goes to `wanted`, or where there is room (0).
LinuxResult<Loaded> map_segments(MemoryMap& memory, const base::Ref<File>& file, std::uint64_t wanted, Program::Clear& clear) {
    std::byte head[ElfFile::header_bytes];
    TRY(read_exactly(*file, 0, head));
    Loaded loaded{TRY(ElfFile::decode_header(head)), 0};
    ElfFile& elf = loaded.elf;
    base::Vector<std::byte> table;
    if (!table.resize(elf.table_bytes()))
        return fail(Errno::ENOMEM);
    TRY(read_exactly(*file, elf.table_offset(), table));
    TRY(elf.decode_segments(table));
    if (elf.position_independent()) {
        // One reservation for the whole file, so that its parts keep their distances.
        MapRequest whole;
        whole.address = wanted;
        whole.length = up(elf.high()) - (elf.low() & ~page_mask);
        loaded.bias = TRY(memory.map(whole)) - (elf.low() & ~page_mask);
    }
    for (const ElfSegment& segment : elf.segments()) {
        const std::uint64_t address = segment.address + loaded.bias;
        const std::uint64_t within = address & page_mask;
        const std::uint64_t file_end = address + segment.file_size, end = address + segment.memory_size;
        MapRequest part;
        part.fixed = true;
        part.replace = elf.position_independent();
        part.protection = segment.protection;
        if (segment.file_size != 0) {
            part.address = address - within;
            part.length = segment.file_size + within;
            part.file = file;
            part.offset = segment.file_offset - within;
            TRY(memory.map(part));
        }
        const std::uint64_t zero_begin = segment.file_size != 0 ? up(file_end) : address - within;
        if (up(end) > zero_begin) {
            MapRequest zero;
            zero.fixed = true;
            zero.replace = part.replace;
            zero.protection = segment.protection;
            zero.address = zero_begin;
            zero.length = up(end) - zero_begin;
            TRY(memory.map(zero));
        }
        // Only a writable segment can have, and needs, its last file page cleared: to the page's end, because the dynamic linker's first allocations lie behind the
        // segment and are taken for zero.
        if (segment.file_size != 0 && end > file_end && (file_end & page_mask) != 0 && (segment.protection & abi::protection::write) != 0)
            clear = {file_end, up(file_end) - file_end};
        if ((segment.protection & abi::protection::execute) != 0 && memory.layout.code_start == 0) {
            memory.layout.code_start = address;
            memory.layout.code_end = file_end;
        }
        if ((segment.protection & abi::protection::write) != 0) {
            memory.layout.data_start = address;
            memory.layout.data_end = file_end;
        }
    }
    return loaded;
}

LinuxResult<base::Ref<File>> open_interpreter(const ProgramRequest& request, File& file, const ElfFile& elf) {
    if (elf.interpreter_length() < 2 || elf.interpreter_length() > path_max)
        return fail(Errno::ENOEXEC);
    base::Vector<char> path;
    if (!path.resize(elf.interpreter_length()))
        return fail(Errno::ENOMEM);
    TRY(read_exactly(file, elf.interpreter_offset(), std::as_writable_bytes(std::span(path.data(), path.size()))));
    if (path.back() != 0)
        return fail(Errno::ENOEXEC);
    return open_program(request, std::string_view(path.data()), request.context.root, walk_flag::follow);
}

struct ElfPlace {
    std::uint64_t headers = 0, count = 0, entry = 0, interpreter_base = 0;
};

LinuxResult<void> build_stack(const ProgramRequest& request, const TextList& arguments, const TextList& environment, const ElfPlace& place, bool executable_stack,
                              std::string_view path, std::uint64_t top, Program& program) {
    base::Vector<std::string_view> argument_views, environment_views;
    TRY(arguments.views(argument_views));
    TRY(environment.views(environment_views));
    // What no quarter of the stack can hold is refused; 128 KiB are always allowed.
    const std::uint64_t pointers = 8 * (argument_views.size() + environment_views.size());
    if (arguments.bytes() + environment.bytes() + pointers > std::max<std::uint64_t>(request.limits[limit::stack].soft / 4, 128 * 1024))
        return fail(Errno::E2BIG);
    const Credentials& who = request.credentials;
    AuxiliaryEntry vector[] = {
        {program.memory->vdso != 0 ? auxiliary::vdso : auxiliary::ignore, program.memory->vdso},
        {auxiliary::hardware, 0x178bfbff}, // CPUID 1 EDX of a plain x86_64 processor
        {auxiliary::page_size, abi::page_size},
        {auxiliary::clock_ticks, 100},
        {auxiliary::program_headers, place.headers},
        {auxiliary::program_header_size, ElfFile::program_header_bytes},
        {auxiliary::program_header_count, place.count},
        {auxiliary::base, place.interpreter_base},
        {auxiliary::flags, 0},
        {auxiliary::entry, place.entry},
        {auxiliary::uid, who.user},
        {auxiliary::euid, program.user},
        {auxiliary::gid, who.group},
        {auxiliary::egid, program.group},
        {auxiliary::secure, program.secure ? 1u : 0u},
        {auxiliary::random, 0},
        {auxiliary::hardware2, 0},
        {auxiliary::executable, 0},
        {auxiliary::platform, 0},
    };
    const InitialStack stack(top, argument_views, environment_views, vector, path);
    if (!program.stack.resize(stack.size()))
        return fail(Errno::ENOMEM);
    std::byte random[16];
    random_bytes(random);
    stack.write(program.stack, random);
    program.stack_pointer = stack.pointer();

    MapRequest area;
    const std::uint64_t bottom = (stack.pointer() - initial_stack_room) & ~page_mask;
    area.address = bottom;
    area.length = top - bottom;
    area.protection = abi::protection::read | abi::protection::write | (executable_stack ? abi::protection::execute : 0u);
    area.flags = area_flag::stack | area_flag::grows_down;
    area.fixed = true;
    TRY(program.memory->map(area));
    ProgramLayout& layout = program.memory->layout;
    layout.stack_start = stack.pointer();
    layout.argument_start = stack.argument_start();
    layout.argument_end = stack.argument_end();
    layout.environment_start = stack.argument_end();
    layout.environment_end = stack.environment_end();
    auto* line = new (std::nothrow) CommandLine;
    if (line == nullptr)
        return fail(Errno::ENOMEM);
    program.memory->command_line = base::Ref<CommandLine>::adopt(*line);
    for (const std::string_view argument : argument_views)
        if (!line->text.append(argument) || !line->text.push_back(0))
            return fail(Errno::ENOMEM);
    layout.auxiliary_start = stack.auxiliary_start();
    layout.auxiliary_end = stack.auxiliary_start() + sizeof vector + sizeof(AuxiliaryEntry);
    return {};
}

void take_set_ids(const ProgramRequest& request, const Inode& inode, Program& program) {
    program.user = request.credentials.effective_user;
    program.group = request.credentials.effective_group;
    if (!request.credentials.no_new_privileges) {
        if ((inode.mode() & mode::set_user) != 0)
            program.user = inode.user();
        if ((inode.mode() & mode::set_group) != 0 && (inode.mode() & 010) != 0)
            program.group = inode.group();
    }
    program.secure = program.user != request.credentials.user || program.group != request.credentials.group;
}

void set_name(Program& program, std::string_view path) {
    const std::string_view base = path.substr(path.rfind('/') + 1);
    base.copy(program.name, sizeof program.name - 1);
}

} // namespace

LinuxResult<void> build_program(const ProgramRequest& request, TextList& arguments, const TextList& environment, Program& program) {
    base::Ref<File> file = request.file;
    if (!file)
        file = TRY(open_program(request, request.path, request.start, request.walk));
    base::Vector<char> script_path; // the path that scripts hand down
    if (!script_path.append(std::span(request.path.data(), request.path.size())))
        return fail(Errno::ENOMEM);
    set_name(program, request.path);
    for (unsigned depth = 0;; ++depth) {
        char head[script_line];
        const std::size_t length = TRY(file->read_at(0, std::as_writable_bytes(std::span(head))));
        std::string_view interpreter, argument;
        if (!TRY(parse_script({head, length}, interpreter, argument)))
            break;
        if (depth == most_interpreters)
            return fail(Errno::ELOOP);
        const std::string_view path(script_path.data(), script_path.size());
        std::string_view front[3] = {interpreter};
        std::size_t count = 1;
        if (!argument.empty())
            front[count++] = argument;
        front[count++] = path;
        if (arguments.size() != 0)
            TRY(arguments.drop_first());
        TRY(arguments.prepend({front, count}));
        file = TRY(open_program(request, interpreter, request.context.current, walk_flag::follow));
        script_path.clear();
        if (!script_path.append(std::span(interpreter.data(), interpreter.size())))
            return fail(Errno::ENOMEM);
    }
    program.executable = file;
    take_set_ids(request, *file->inode(), program);

    program.memory = TRY(MemoryMap::create());
    MemoryMap& memory = *program.memory;
    memory.address_limit = request.limits[limit::address_space].soft;
    const std::uint64_t top = abi::guest_end - abi::page_size - random_pages(22);
    const std::uint64_t stack_limit = std::min<std::uint64_t>(request.limits[limit::stack].soft, abi::guest_end / 6 * 5);
    memory.mmap_top = (top - std::max(stack_limit, stack_gap_least) - (1 << 20) - random_pages(20)) & ~page_mask;

    const Loaded main = TRY(map_segments(memory, file, position_independent_base + random_pages(22), program.clears[0]));
    const ProgramLayout own = memory.layout;
    const std::uint64_t end = up(main.elf.high() + main.bias);
    ElfPlace place;
    place.entry = program.entry = main.elf.entry() + main.bias;
    place.count = main.elf.program_headers();
    place.headers = main.elf.program_headers_address() != 0 ? main.elf.program_headers_address() + main.bias : 0;
    if (main.elf.interpreter_length() != 0) {
        const base::Ref<File> loader = TRY(open_interpreter(request, *file, main.elf));
        const Loaded interpreter = TRY(map_segments(memory, loader, 0, program.clears[1]));
        place.interpreter_base = (interpreter.elf.low() & ~page_mask) + interpreter.bias;
        program.entry = interpreter.elf.entry() + interpreter.bias;
    }
    TRY(map_vdso(memory));
    memory.layout = own;
    memory.layout.break_start = memory.layout.break_end = end + random_pages(12);
    const std::string_view last_path(script_path.data(), script_path.size());
    return build_stack(request, arguments, environment, place, main.elf.executable_stack(), last_path, top & ~std::uint64_t{15}, program);
}

LinuxResult<void> Program::fill() const {
    for (const Clear& clear : clears)
        if (clear.length != 0)
            TRY(clear_user(clear.address, clear.length));
    return copy_out(stack_pointer, stack);
}

} // namespace personality
