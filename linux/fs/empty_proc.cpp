#include "linux/fs/proc.hpp"

#include "lib/base/result.hpp"

#include "linux/fs/ram_file_system.hpp"

namespace personality {

// Empty trees: on the build machine there are no processes to tell of.
LinuxResult<FileSystem*> make_proc() { return TRY(RamFileSystem::make(0555, "proc")); }
LinuxResult<FileSystem*> make_sys() { return TRY(RamFileSystem::make(0555, "sysfs")); }

} // namespace personality
