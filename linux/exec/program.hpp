// From a file to a program that is ready to run: what execve builds before it gives the old program up (man 2 execve).
#pragma once
#include "lib/base/vector.hpp"
#include "linux/fs/operations.hpp"
#include "linux/memory/memory_map.hpp"
#include "linux/task/credentials.hpp"
#include "linux/task/limits.hpp"

#include <string_view>

namespace personality {

// Texts one behind the other, each with its NUL.
class TextList {
public:
    static constexpr std::size_t longest = 128 * 1024; // MAX_ARG_STRLEN
    static constexpr std::size_t most_bytes = 2 << 20; // arguments and environment together are bounded by a quarter of the stack too

    LinuxResult<void> add(std::string_view text); // E2BIG, ENOMEM
    LinuxResult<void> prepend(std::span<const std::string_view> texts);
    LinuxResult<void> drop_first();
    // `count` pointers at `address` in the guest, ended by a null pointer; no address is an empty list. Sandbox lock not held. EFAULT, E2BIG, ENOMEM.
    LinuxResult<void> load(std::uint64_t address);

    std::size_t size() const { return starts_.size(); }
    std::size_t bytes() const { return bytes_.size(); }
    // Views stay good until the next change.
    LinuxResult<void> views(base::Vector<std::string_view>& to) const;

private:
    base::Vector<char> bytes_;
    base::Vector<std::uint32_t> starts_;
};

struct Program {
    base::Ref<MemoryMap> memory;
    base::Ref<File> executable;
    std::uint64_t entry = 0;
    std::uint64_t stack_pointer = 0;
    base::Vector<std::byte> stack; // goes to [stack_pointer, ...)
    // Ends of segments whose file part stops inside a page: the rest of the page is zero.
    struct Clear {
        std::uint64_t address, length;
    };
    Clear clears[2] = {};
    std::uint32_t user = 0, group = 0; // effective ids after set-user-id and set-group-id
    bool secure = false;
    char name[16] = {};

    // Writes stack and zeroes through the calling thread, to which `memory` must be attached. Lock not held. EFAULT.
    LinuxResult<void> fill() const;
};

struct ProgramRequest {
    PathContext context;
    Location start;             // of relative paths
    std::string_view path;      // what to run
    base::Ref<File> file;       // or an open file (execveat with AT_EMPTY_PATH)
    std::uint32_t walk = walk_flag::follow;
    const Credentials& credentials;
    const Limits& limits;
};

// Sandbox lock held. `arguments` change for scripts. Errors of execve: ENOENT, EACCES, ENOEXEC, ENOMEM, E2BIG, ELOOP, ETXTBSY, ELIBBAD ...
LinuxResult<void> build_program(const ProgramRequest& request, TextList& arguments, const TextList& environment, Program& program);

} // namespace personality
