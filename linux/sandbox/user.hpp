// Who a program runs as: "uid[:gid]", or names of the image's /etc/passwd and /etc/group, as `docker run --user` takes them.
#pragma once
#include "linux/fs/path.hpp"
#include "linux/task/credentials.hpp"

#include <string_view>

namespace personality {

struct User {
    Credentials credentials;
    char home[256] = "/"; // NUL-terminated
};
// An empty text is root. Sandbox lock held. Errors: unknown_user, unknown_group, id_range, ENOMEM.
LinuxResult<User> find_user(const PathContext& context, std::string_view text);

} // namespace personality
