// Memory of a process: mmap and its relatives.
#include "abi/start.hpp"
#include "linux/calls/file_support.hpp"
#include "linux/fs/memory_file.hpp"
#include "linux/task/task.hpp"

#include <algorithm>

namespace personality {

namespace {

namespace map_flags {
constexpr std::uint64_t shared = 1, private_ = 2, shared_validate = 3, type = 0xf, fixed = 0x10, anonymous = 0x20, grows_down = 0x100, locked = 0x2000, no_reserve = 0x4000,
                        populate = 0x8000, huge_tlb = 0x40000, fixed_no_replace = 0x100000;
}
namespace advice {
constexpr int normal = 0, random = 1, sequential = 2, will_need = 3, dont_need = 4, free = 8, remove = 9, dont_fork = 10, do_fork = 11, mergeable = 12, unmergeable = 13,
              huge_page = 14, no_huge_page = 15, dont_dump = 16, do_dump = 17, wipe_on_fork = 18, keep_on_fork = 19, cold = 20, page_out = 21;
}
constexpr std::uint64_t page_mask = abi::page_size - 1;
constexpr std::uint32_t every_protection = abi::protection::read | abi::protection::write | abi::protection::execute;
constexpr std::uint64_t protection_grows_down = 0x01000000;

bool in_guest(std::uint64_t address, std::uint64_t length) { return address <= abi::guest_end && length <= abi::guest_end - address; }

LinuxResult<void> take_file(Task& task, std::int32_t descriptor, bool shared, MapRequest& request) {
    request.file = TRY(working_file(task, descriptor));
    const std::uint32_t access = request.file->flags & open_flag::access_mode;
    if (access == open_flag::write_only)
        return fail(Errno::EACCES);
    if (shared && access != open_flag::read_write) {
        if ((request.protection & abi::protection::write) != 0)
            return fail(Errno::EACCES);
        request.flags |= area_flag::may_not_write;
    }
    return {};
}

} // namespace

CallResult sys_mmap(Task& task, const CallArguments& arguments) {
    using namespace map_flags;
    const std::uint64_t flags = arguments[3];
    MapRequest request;
    request.address = arguments[0];
    request.length = arguments[1];
    request.protection = arguments.u32(2) & every_protection;
    request.offset = arguments[5];
    request.fixed = (flags & (fixed | fixed_no_replace)) != 0;
    request.replace = (flags & fixed) != 0 && (flags & fixed_no_replace) == 0;
    request.populate = (flags & (populate | locked)) != 0;
    const std::uint64_t kind = flags & type;
    if (kind != shared && kind != private_ && kind != shared_validate)
        return fail(Errno::EINVAL);
    const bool is_shared = kind != private_;
    if ((request.offset & page_mask) != 0 || (request.fixed && (request.address & page_mask) != 0))
        return fail(Errno::EINVAL);
    if ((flags & huge_tlb) != 0)
        return fail(Errno::ENOMEM); // no pool of huge pages
    request.address &= ~page_mask;
    if (is_shared)
        request.flags |= area_flag::shared;
    if ((flags & grows_down) != 0)
        request.flags |= area_flag::grows_down;
    SandboxLock lock;
    if ((flags & anonymous) == 0) {
        TRY(take_file(task, arguments.i32(4), is_shared, request));
    } else {
        request.offset = 0;
        if (is_shared) {
            // An object of its own, so that processes share it after a fork.
            request.file = TRY(make_memory_file("dev/zero", false));
            TRY(request.file->truncate(request.length));
        }
    }
    auto result = task.process().memory->map(request);
    request.file = nullptr; // under the lock
    return result;
}

CallResult sys_munmap(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    TRY(task.process().memory->unmap(arguments[0], arguments[1]));
    return 0;
}

CallResult sys_mprotect(Task& task, const CallArguments& arguments) {
    if ((arguments[2] & ~(std::uint64_t{every_protection} | protection_grows_down)) != 0)
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    TRY(task.process().memory->protect(arguments[0], arguments[1], arguments.u32(2) & every_protection, (arguments[2] & protection_grows_down) != 0));
    return 0;
}

CallResult sys_brk(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    return task.process().memory->set_break(arguments[0], task.process().limits[limit::data].soft);
}

CallResult sys_mremap(Task& task, const CallArguments& arguments) {
    constexpr std::uint64_t may_move = 1, fixed = 2, dont_unmap = 4;
    const std::uint64_t flags = arguments[3];
    if ((flags & ~(may_move | fixed | dont_unmap)) != 0 || ((flags & (fixed | dont_unmap)) != 0 && (flags & may_move) == 0))
        return fail(Errno::EINVAL);
    if ((arguments[0] & page_mask) != 0 || ((flags & fixed) != 0 && (arguments[4] & page_mask) != 0))
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    return task.process().memory->remap({arguments[0], arguments[1], arguments[2], arguments[4], (flags & may_move) != 0, (flags & fixed) != 0, (flags & dont_unmap) != 0});
}

CallResult sys_madvise(Task& task, const CallArguments& arguments) {
    const std::uint64_t address = arguments[0], length = (arguments[1] + page_mask) & ~page_mask;
    if ((address & page_mask) != 0 || (arguments[1] != 0 && length == 0) || !in_guest(address, length))
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    MemoryMap& memory = *task.process().memory;
    switch (arguments.i32(2)) {
    case advice::dont_need: case advice::free: TRY(memory.discard(address, length)); break;
    case advice::dont_fork: TRY(memory.advise_fork(address, length, area_flag::no_fork, 0)); break;
    case advice::do_fork: TRY(memory.advise_fork(address, length, 0, area_flag::no_fork)); break;
    case advice::wipe_on_fork: TRY(memory.advise_fork(address, length, area_flag::wipe_fork, 0)); break;
    case advice::keep_on_fork: TRY(memory.advise_fork(address, length, 0, area_flag::wipe_fork)); break;
    // Hints about when to read ahead, which pages to swap or dump: there is nothing to do for them.
    case advice::normal: case advice::random: case advice::sequential: case advice::will_need: case advice::mergeable: case advice::unmergeable: case advice::huge_page:
    case advice::no_huge_page: case advice::dont_dump: case advice::do_dump: case advice::cold: case advice::page_out: break;
    default: return fail(Errno::EINVAL);
    }
    if (length != 0 && !memory.areas().covered(address, address + length))
        return fail(Errno::ENOMEM);
    return 0;
}

// Shared mappings are the file's own pages: they are never behind.
CallResult sys_msync(Task& task, const CallArguments& arguments) {
    constexpr std::uint64_t async = 1, invalidate = 2, sync = 4;
    const std::uint64_t length = (arguments[1] + page_mask) & ~page_mask;
    if ((arguments[0] & page_mask) != 0 || (arguments[2] & ~(async | invalidate | sync)) != 0 || (arguments[2] & (async | sync)) == (async | sync))
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    if (!in_guest(arguments[0], length) || (length != 0 && !task.process().memory->areas().covered(arguments[0], arguments[0] + length)))
        return fail(Errno::ENOMEM);
    return 0;
}

} // namespace personality
