// What the sockets alone need of the rest: there is no task and no file system in such a test.
#include "linux/fs/anonymous.hpp"
#include "linux/ipc/socket.hpp"

namespace personality {

UnixCredentials current_unix_credentials() { return {1, 0, 0}; }
std::uint64_t next_anonymous_inode() { return 1; }
void anonymous_stat(KernelStat&, std::uint64_t, std::uint32_t) {}

} // namespace personality
