// The file systems that show the system itself.
#pragma once
#include "linux/fs/inode.hpp"

namespace personality {

LinuxResult<FileSystem*> make_proc();
LinuxResult<FileSystem*> make_sys();

} // namespace personality
