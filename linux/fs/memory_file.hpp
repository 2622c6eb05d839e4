// Files in RAM that never had a name: memfd, and Memory objects that came over a channel.
#pragma once
#include "linux/fs/ram_file_system.hpp"

namespace personality {

// An empty one, open for reading and writing. `name` is shown in /proc. Sandbox lock.
LinuxResult<base::Ref<File>> make_memory_file(std::string_view name, bool sealable);
// Takes over a Memory of `size` bytes as the contents.
LinuxResult<base::Ref<File>> adopt_memory_file(std::string_view name, abi::Handle memory, std::uint64_t size, bool writable);
// The Memory behind a file of either kind, which goes on owning it. EINVAL: the file is none.
LinuxResult<abi::Handle> memory_of_file(File& file);

} // namespace personality
