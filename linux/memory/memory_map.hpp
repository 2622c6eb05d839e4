// The address space of a guest process: its areas, which are the truth, and the kernel's space, which follows them.
#pragma once
#include "lib/base/string.hpp"
#include "linux/memory/area_tree.hpp"
#include "linux/signal/signal_set.hpp"
#include "linux/signal/signal_info.hpp"

namespace personality {

struct MapRequest {
    std::uint64_t address = 0; // page-aligned: a wish, or with `fixed` a must
    std::uint64_t length = 0;  // bytes, rounded up to pages
    abi::Protection protection = 0;
    std::uint32_t flags = 0;   // area_flag
    base::Ref<File> file;
    std::uint64_t offset = 0;
    bool fixed = false;
    bool replace = false; // what lies there goes
    bool populate = false;
};

// Where parts of the program lie, for brk, /proc/PID/stat and auxv.
struct ProgramLayout {
    std::uint64_t code_start = 0, code_end = 0, data_start = 0, data_end = 0;
    std::uint64_t break_start = 0, break_end = 0;
    std::uint64_t stack_start = 0;
    std::uint64_t argument_start = 0, argument_end = 0, environment_start = 0, environment_end = 0;
    std::uint64_t auxiliary_start = 0, auxiliary_end = 0;
};

// What a program was started with, one argument behind the other, each with its NUL.
struct CommandLine : base::RefCounted<CommandLine> {
    base::String text;
};

// Sandbox lock for all members, unless said otherwise.
class MemoryMap final : public base::RefCounted<MemoryMap> {
public:
    static constexpr std::uint64_t lowest_address = 0x10000; // vm.mmap_min_addr

    // ENOMEM.
    static LinuxResult<base::Ref<MemoryMap>> create();
    // A copy for fork: private memory becomes copy-on-write on both sides.
    LinuxResult<base::Ref<MemoryMap>> fork();
    ~MemoryMap();

    abi::Handle space() const { return space_; } // constant: no lock
    AreaTree& areas() { return areas_; }

    // Errors as mmap(2). The limit on the size of the address space is the caller's, RLIMIT_AS in bytes.
    LinuxResult<std::uint64_t> map(const MapRequest& request);
    LinuxResult<void> unmap(std::uint64_t address, std::uint64_t length);
    LinuxResult<void> protect(std::uint64_t address, std::uint64_t length, abi::Protection protection, bool grows_down);
    struct RemapRequest {
        std::uint64_t address, old_length, new_length, new_address;
        bool may_move, fixed, keep_old;
    };
    LinuxResult<std::uint64_t> remap(const RemapRequest& request);
    // MADV_DONTNEED, MADV_FREE: anonymous pages read as zero again, file pages as the file.
    LinuxResult<void> discard(std::uint64_t address, std::uint64_t length);
    LinuxResult<void> advise_fork(std::uint64_t address, std::uint64_t length, std::uint32_t set, std::uint32_t clear);
    // The new end of the heap, or the old one where it cannot be had.
    std::uint64_t set_break(std::uint64_t end, std::uint64_t data_limit);

    enum class Access { read, write, execute };
    // A fault of the guest at `address`. True: resolved, go on. False: `info` is the signal for it (number, code, address).
    bool resolve_fault(std::uint64_t address, Access access, std::uint64_t stack_limit, SignalInfo& info);

    ProgramLayout layout;
    base::Ref<CommandLine> command_line;
    std::uint64_t mmap_top = 0; // mappings without an address go below it
    std::uint64_t address_limit = UINT64_MAX; // RLIMIT_AS
    std::uint64_t vdso = 0;     // 0: none
    bool lock_future = false;

private:
    MemoryMap() = default;
    LinuxResult<void> enter(const Area& area, std::uint64_t start, std::uint64_t end, bool replace, bool populate);
    LinuxResult<std::uint64_t> choose(const MapRequest& request, std::uint64_t length) const;
    AreaTree areas_;
    abi::Handle space_ = abi::no_handle;
};

} // namespace personality
