// The files of /proc/net (proc(5)) that tell of this stack.
#pragma once
#include "lib/base/string.hpp"
#include "linux/core/errno.hpp"

#include <span>

namespace personality::net {

struct ProcFile {
    std::string_view name;
    // Appends the file's whole text. Sandbox lock. Errors: ENOMEM.
    LinuxResult<void> (*write)(base::String& to);
};
std::span<const ProcFile> proc_files();

} // namespace personality::net
