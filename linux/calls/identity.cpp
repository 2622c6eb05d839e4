// Who a thread is: user and group ids (man 7 credentials) and capabilities. A thread changes its own credentials; glibc makes all threads of a process follow.
#include "linux/calls/call.hpp"
#include "linux/task/fast_calls.hpp"
#include "linux/task/task.hpp"

#include <algorithm>

namespace personality {

namespace {

constexpr std::uint32_t keep = 0xffffffff; // -1: leave as it is
constexpr std::size_t most_groups = 65536;

bool one_of(std::uint32_t id, std::uint32_t a, std::uint32_t b, std::uint32_t c) { return id == a || id == b || id == c; }

// The new credentials take effect, with what follows for capabilities from a change of users.
void commit(Task& task, const Credentials& fresh) {
    const Credentials& old = task.credentials;
    const std::uint32_t user = old.user, effective = old.effective_user, saved = old.saved_user;
    const bool changed = fresh.user != user || fresh.effective_user != effective || fresh.saved_user != saved;
    task.credentials = fresh;
    if (changed)
        task.credentials.user_changed(user, effective, saved);
}

} // namespace

LinuxResult<std::uint64_t> sys_getuid(Task& task, const CallArguments&) { return task.credentials.user; }
LinuxResult<std::uint64_t> sys_geteuid(Task& task, const CallArguments&) { return task.credentials.effective_user; }
LinuxResult<std::uint64_t> sys_getgid(Task& task, const CallArguments&) { return task.credentials.group; }
LinuxResult<std::uint64_t> sys_getegid(Task& task, const CallArguments&) { return task.credentials.effective_group; }

LinuxResult<std::uint64_t> sys_setuid(Task& task, const CallArguments& arguments) {
    const std::uint32_t id = arguments.u32(0);
    if (id == keep)
        return fail(Errno::EINVAL);
    const CredentialsChange change(task);
    Credentials fresh = task.credentials;
    if (fresh.has(capability::setuid))
        fresh.user = fresh.saved_user = id;
    else if (id != fresh.user && id != fresh.saved_user)
        return fail(Errno::EPERM);
    fresh.effective_user = fresh.file_user = id;
    commit(task, fresh);
    return 0;
}

LinuxResult<std::uint64_t> sys_setgid(Task& task, const CallArguments& arguments) {
    const std::uint32_t id = arguments.u32(0);
    if (id == keep)
        return fail(Errno::EINVAL);
    const CredentialsChange change(task);
    Credentials& now = task.credentials;
    if (now.has(capability::setgid))
        now.group = now.saved_group = id;
    else if (id != now.group && id != now.saved_group)
        return fail(Errno::EPERM);
    now.effective_group = now.file_group = id;
    return 0;
}

LinuxResult<std::uint64_t> sys_setreuid(Task& task, const CallArguments& arguments) {
    const std::uint32_t real = arguments.u32(0), effective = arguments.u32(1);
    const CredentialsChange change(task);
    Credentials fresh = task.credentials;
    const Credentials& old = task.credentials;
    if (!old.has(capability::setuid)) {
        if (real != keep && real != old.user && real != old.effective_user)
            return fail(Errno::EPERM);
        if (effective != keep && !one_of(effective, old.user, old.effective_user, old.saved_user))
            return fail(Errno::EPERM);
    }
    if (real != keep)
        fresh.user = real;
    if (effective != keep)
        fresh.effective_user = fresh.file_user = effective;
    // The saved id follows where the real one was set, or the effective one to something other than the old real one.
    if (real != keep || (effective != keep && effective != old.user))
        fresh.saved_user = fresh.effective_user;
    commit(task, fresh);
    return 0;
}

LinuxResult<std::uint64_t> sys_setregid(Task& task, const CallArguments& arguments) {
    const std::uint32_t real = arguments.u32(0), effective = arguments.u32(1);
    const CredentialsChange change(task);
    const Credentials old = task.credentials;
    if (!old.has(capability::setgid)) {
        if (real != keep && real != old.group && real != old.effective_group)
            return fail(Errno::EPERM);
        if (effective != keep && !one_of(effective, old.group, old.effective_group, old.saved_group))
            return fail(Errno::EPERM);
    }
    Credentials& now = task.credentials;
    if (real != keep)
        now.group = real;
    if (effective != keep)
        now.effective_group = now.file_group = effective;
    if (real != keep || (effective != keep && effective != old.group))
        now.saved_group = now.effective_group;
    return 0;
}

LinuxResult<std::uint64_t> sys_setresuid(Task& task, const CallArguments& arguments) {
    const CredentialsChange change(task);
    const Credentials& old = task.credentials;
    for (unsigned i = 0; i < 3; ++i)
        if (const std::uint32_t id = arguments.u32(i); id != keep && !old.has(capability::setuid) && !one_of(id, old.user, old.effective_user, old.saved_user))
            return fail(Errno::EPERM);
    Credentials fresh = old;
    if (arguments.u32(0) != keep)
        fresh.user = arguments.u32(0);
    if (arguments.u32(1) != keep)
        fresh.effective_user = arguments.u32(1);
    if (arguments.u32(2) != keep)
        fresh.saved_user = arguments.u32(2);
    fresh.file_user = fresh.effective_user;
    commit(task, fresh);
    return 0;
}

LinuxResult<std::uint64_t> sys_setresgid(Task& task, const CallArguments& arguments) {
    const CredentialsChange change(task);
    Credentials& now = task.credentials;
    for (unsigned i = 0; i < 3; ++i)
        if (const std::uint32_t id = arguments.u32(i); id != keep && !now.has(capability::setgid) && !one_of(id, now.group, now.effective_group, now.saved_group))
            return fail(Errno::EPERM);
    if (arguments.u32(0) != keep)
        now.group = arguments.u32(0);
    if (arguments.u32(1) != keep)
        now.effective_group = arguments.u32(1);
    if (arguments.u32(2) != keep)
        now.saved_group = arguments.u32(2);
    now.file_group = now.effective_group;
    return 0;
}

LinuxResult<std::uint64_t> sys_getresuid(Task& task, const CallArguments& arguments) {
    const Credentials& now = task.credentials;
    const std::uint32_t ids[3] = {now.user, now.effective_user, now.saved_user};
    for (unsigned i = 0; i < 3; ++i)
        if (const auto written = arguments.pointer<std::uint32_t>(i).write(ids[i]); !written)
            return fail(written.error());
    return 0;
}

LinuxResult<std::uint64_t> sys_getresgid(Task& task, const CallArguments& arguments) {
    const Credentials& now = task.credentials;
    const std::uint32_t ids[3] = {now.group, now.effective_group, now.saved_group};
    for (unsigned i = 0; i < 3; ++i)
        if (const auto written = arguments.pointer<std::uint32_t>(i).write(ids[i]); !written)
            return fail(written.error());
    return 0;
}

// Both give the old id, whether or not it changed.
LinuxResult<std::uint64_t> sys_setfsuid(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    Credentials& now = task.credentials;
    const std::uint32_t id = arguments.u32(0), old = now.file_user;
    if (id != keep && (now.has(capability::setuid) || id == old || one_of(id, now.user, now.effective_user, now.saved_user)))
        now.file_user = id;
    return old;
}

LinuxResult<std::uint64_t> sys_setfsgid(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    Credentials& now = task.credentials;
    const std::uint32_t id = arguments.u32(0), old = now.file_group;
    if (id != keep && (now.has(capability::setgid) || id == old || one_of(id, now.group, now.effective_group, now.saved_group)))
        now.file_group = id;
    return old;
}

LinuxResult<std::uint64_t> sys_getgroups(Task& task, const CallArguments& arguments) {
    const std::int32_t room = arguments.i32(0);
    if (room < 0)
        return fail(Errno::EINVAL);
    const base::Ref<GroupList> list = task.credentials.groups;
    const auto ids = list ? std::span<const std::uint32_t>(list->ids) : std::span<const std::uint32_t>();
    if (room == 0)
        return ids.size();
    if (ids.size() > static_cast<std::size_t>(room))
        return fail(Errno::EINVAL);
    if (const auto written = arguments.pointer<std::uint32_t>(1).write(ids); !written)
        return fail(written.error());
    return ids.size();
}

LinuxResult<std::uint64_t> sys_setgroups(Task& task, const CallArguments& arguments) {
    if (!task.credentials.has(capability::setgid))
        return fail(Errno::EPERM);
    const std::uint64_t count = arguments[0];
    if (count > most_groups)
        return fail(Errno::EINVAL);
    auto* const list = new (std::nothrow) GroupList;
    if (list == nullptr)
        return fail(Errno::ENOMEM);
    auto owner = base::Ref<GroupList>::adopt(*list);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto id = (arguments.pointer<std::uint32_t>(1) + i).read();
        if (!id)
            return fail(id.error());
        if (!list->ids.push_back(*id))
            return fail(Errno::ENOMEM);
    }
    const SandboxLock lock;
    task.credentials.groups = std::move(owner);
    return 0;
}

// include/uapi/linux/capability.h: version 3 has two words of 32 bits for each set.
namespace {
struct CapabilityHeader {
    std::uint32_t version;
    std::int32_t pid;
};
struct CapabilityData {
    std::uint32_t effective, permitted, inheritable;
};
constexpr std::uint32_t version_1 = 0x19980330, version_2 = 0x20071026, version_3 = 0x20080522;

// Words of data for the version; 0 for an unknown one, which is answered by the version that is preferred.
LinuxResult<unsigned> words_for(const CallArguments& arguments, CapabilityHeader& header) {
    const auto read = arguments.pointer<CapabilityHeader>(0).read();
    if (!read)
        return fail(read.error());
    header = *read;
    if (header.version == version_1)
        return 1u;
    if (header.version == version_2 || header.version == version_3)
        return 2u;
    header.version = version_3;
    if (const auto written = arguments.pointer<CapabilityHeader>(0).write(header); !written)
        return fail(written.error());
    return 0u;
}
} // namespace

LinuxResult<std::uint64_t> sys_capget(Task& task, const CallArguments& arguments) {
    CapabilityHeader header{};
    const auto words = words_for(arguments, header);
    if (!words)
        return fail(words.error());
    const bool has_buffer = arguments[1] != 0;
    if (*words == 0)
        return has_buffer ? LinuxResult<std::uint64_t>(fail(Errno::EINVAL)) : LinuxResult<std::uint64_t>(0);
    if (header.pid < 0)
        return fail(Errno::EINVAL);
    if (header.pid != 0 && header.pid != task.tid && header.pid != task.process().pid)
        return fail(Errno::ESRCH);
    const Credentials& now = task.credentials;
    for (unsigned i = 0; i < *words; ++i) {
        const auto part = [&](std::uint64_t set) { return static_cast<std::uint32_t>(set >> (32 * i)); };
        const CapabilityData data{part(now.effective), part(now.permitted), part(now.inheritable)};
        if (const auto written = (arguments.pointer<CapabilityData>(1) + i).write(data); !written)
            return fail(written.error());
    }
    return 0;
}

LinuxResult<std::uint64_t> sys_capset(Task& task, const CallArguments& arguments) {
    CapabilityHeader header{};
    const auto words = words_for(arguments, header);
    if (!words)
        return fail(words.error());
    if (*words == 0)
        return fail(Errno::EINVAL);
    if (header.pid != 0 && header.pid != task.tid)
        return fail(Errno::EPERM);
    std::uint64_t effective = 0, permitted = 0, inheritable = 0;
    for (unsigned i = 0; i < *words; ++i) {
        const auto data = (arguments.pointer<CapabilityData>(1) + i).read();
        if (!data)
            return fail(data.error());
        effective |= std::uint64_t{data->effective} << (32 * i);
        permitted |= std::uint64_t{data->permitted} << (32 * i);
        inheritable |= std::uint64_t{data->inheritable} << (32 * i);
    }
    const SandboxLock lock;
    Credentials& now = task.credentials;
    // Nothing is gained: permitted only shrinks, effective lies within it, inheritable grows by what is permitted or bounded.
    if ((permitted & ~now.permitted) != 0 || (effective & ~permitted) != 0)
        return fail(Errno::EPERM);
    const std::uint64_t reachable = now.inheritable | (now.has(capability::setpcap) ? now.bounding : now.permitted);
    if ((inheritable & ~reachable) != 0)
        return fail(Errno::EPERM);
    now.permitted = permitted;
    now.effective = effective;
    now.inheritable = inheritable;
    now.ambient &= permitted & inheritable;
    return 0;
}

} // namespace personality
