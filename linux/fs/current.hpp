// What files need to know of the task that makes a call. Given by linux/calls from the current task; by the test support on the build machine.
#pragma once
#include "linux/fs/path.hpp"

namespace personality {

PathContext current_path_context();
std::uint32_t current_umask();

} // namespace personality
