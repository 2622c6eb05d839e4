// The tree of names of a sandbox: layers under RAM, and the file systems of the system on top (/proc, /sys, /dev).
#pragma once
#include "linux/fs/layer.hpp"
#include "linux/fs/mount.hpp"

namespace personality {

// What the launch arguments say about the tree.
struct RootOptions {
    std::string_view hostname;
    std::string_view hosts;        // lines for /etc/hosts after those of the loopback
    std::string_view resolver;     // text of /etc/resolv.conf; empty: none is written
    bool inject_files = true;      // /etc/{hostname,hosts,resolv.conf}, as containers get them
};

MountTable& sandbox_mounts();
// Makes the tree. `layers` the lowest first; they live for good. Once. Errors: ENOMEM, EIO (a broken layer).
LinuxResult<void> make_root(std::span<const Layer* const> layers, const RootOptions& options);

} // namespace personality
