// Who a thread is: user and group ids and capabilities (man 7 credentials, man 7 capabilities).
#pragma once
#include "lib/base/ref.hpp"
#include "lib/base/vector.hpp"
#include "linux/fs/path.hpp"

namespace personality {

namespace capability {
inline constexpr unsigned chown = 0, dac_override = 1, dac_read_search = 2, fowner = 3, fsetid = 4, kill = 5, setgid = 6, setuid = 7, setpcap = 8,
                          net_bind_service = 10, net_raw = 13, ipc_lock = 14, sys_chroot = 18, sys_ptrace = 19, sys_admin = 21, sys_boot = 22, sys_nice = 23,
                          sys_resource = 24, sys_time = 25, mknod = 27, audit_write = 29, setfcap = 31, last = 40;
constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }
inline constexpr std::uint64_t all = (std::uint64_t{1} << (last + 1)) - 1;
// What root in a container has: the set of the Docker Engine's default.
inline constexpr std::uint64_t container = bit(chown) | bit(dac_override) | bit(fowner) | bit(fsetid) | bit(kill) | bit(setgid) | bit(setuid) | bit(setpcap) |
                                           bit(net_bind_service) | bit(net_raw) | bit(sys_chroot) | bit(mknod) | bit(audit_write) | bit(setfcap);
} // namespace capability

// Immutable once shared.
struct GroupList : base::RefCounted<GroupList> {
    base::Vector<std::uint32_t> ids;
};

struct Credentials {
    std::uint32_t user = 0, effective_user = 0, saved_user = 0, file_user = 0;
    std::uint32_t group = 0, effective_group = 0, saved_group = 0, file_group = 0;
    base::Ref<GroupList> groups;
    std::uint64_t permitted = capability::container, effective = capability::container, inheritable = 0, bounding = capability::container, ambient = 0;
    bool keep_capabilities = false;
    bool no_new_privileges = false;

    bool has(unsigned number) const { return (effective & capability::bit(number)) != 0; }
    std::span<const std::uint32_t> group_ids() const { return groups ? std::span<const std::uint32_t>(groups->ids) : std::span<const std::uint32_t>(); }
    // For the file system: valid while these credentials do not change.
    FileCredentials for_files() const { return for_files(file_user, file_group); }
    // access(2) asks with the real ids.
    FileCredentials for_access() const;
    FileCredentials for_files(std::uint32_t as_user, std::uint32_t as_group) const;
    // After a change of user ids: capabilities follow (man 7 capabilities, "Effect of user ID changes on capabilities").
    void user_changed(std::uint32_t old_user, std::uint32_t old_effective, std::uint32_t old_saved);
};

} // namespace personality
