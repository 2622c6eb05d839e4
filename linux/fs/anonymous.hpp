// What files without a name (pipes, sockets, eventfd) show in stat.
#pragma once
#include "linux/fs/constants.hpp"
#include "linux/fs/stat.hpp"

namespace personality {

// Inode numbers of a file system of their own. Sandbox lock.
std::uint64_t next_anonymous_inode();
void anonymous_stat(KernelStat& stat, std::uint64_t inode, std::uint32_t mode);

} // namespace personality
