#include "linux/task/credentials.hpp"

namespace personality {

FileCredentials Credentials::for_files(std::uint32_t as_user, std::uint32_t as_group) const {
    FileCredentials who;
    who.user = as_user;
    who.group = as_group;
    who.groups = group_ids();
    who.override_permissions = has(capability::dac_override);
    who.override_search = has(capability::dac_read_search);
    who.override_owner = has(capability::fowner);
    who.change_owner = has(capability::chown);
    who.keep_set_id = has(capability::fsetid);
    who.make_devices = has(capability::mknod);
    return who;
}

FileCredentials Credentials::for_access() const {
    Credentials real;
    real.groups = groups;
    real.effective = user == 0 ? permitted : 0;
    return real.for_files(user, group);
}

void Credentials::user_changed(std::uint32_t old_user, std::uint32_t old_effective, std::uint32_t old_saved) {
    const bool was_root = old_user == 0 || old_effective == 0 || old_saved == 0;
    const bool is_root = user == 0 || effective_user == 0 || saved_user == 0;
    if (was_root && !is_root && !keep_capabilities) {
        permitted = effective = 0;
        ambient = 0;
    }
    if (old_effective == 0 && effective_user != 0)
        effective = 0;
    if (old_effective != 0 && effective_user == 0)
        effective = permitted;
}

} // namespace personality
