// What unit tests of linux/{fs,ipc,net} need in place of the process part: sleeping, the clock, the quota, randomness.
#pragma once
#include "linux/core/file.hpp"
#include "linux/fs/operations.hpp"
#include "linux/fs/ram_file_system.hpp"

#include <functional>
#include <string>

namespace personality::test {

// Called when the code under test would sleep: plays the other side. Without one, or when it returns false, the sleep is broken by a signal.
extern std::function<bool()> while_asleep;

// A tree to work in, as root, with the current directory at "/".
class Tree {
public:
    explicit Tree(std::span<const Layer* const> layers = {});
    PathContext context() { return {mounts, root, current, who}; }
    // Results as the numbers a program would see: 0 or more, or a negative errno.
    int make_directory(std::string_view path, std::uint32_t permissions = 0755);
    int make_link(std::string_view target, std::string_view path);
    int unlink(std::string_view path);
    int remove_directory(std::string_view path);
    int rename(std::string_view from, std::string_view to, std::uint32_t flags = 0);
    int hard_link(std::string_view from, std::string_view to);
    int stat(std::string_view path, KernelStat& stat, bool follow = true);
    LinuxResult<base::Ref<File>> open(std::string_view path, std::uint32_t flags, std::uint32_t permissions = 0644);
    int write_file(std::string_view path, std::string_view text);
    std::string read_file(std::string_view path); // "errno N" on failure
    std::string list(std::string_view path);      // names in order, by spaces, without the dots

    std::unique_ptr<RamFileSystem> file_system;
    MountTable mounts;
    Location root, current;
    FileCredentials who;
};

template <class T> int number(const LinuxResult<T>& result) { return result ? 0 : -static_cast<int>(result.error()); }

} // namespace personality::test
