// How long each processor keeps a thread of the highest priority waiting: what the kernel does with interrupts off, whatever the guest asks of it.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "lib/base/result.hpp"
#include "linux/core/file.hpp"

namespace personality {

inline constexpr std::uint32_t most_watched = 4;

// One thread on each processor of the mask, which sleeps until near deadlines and keeps how late it was. Once. Errors: as budget_create and
// native::Thread::create; bad_argument for more than most_watched.
base::Result<void> start_watch(std::uint64_t processors);

// What the guest sees of it. A write forgets the latest; a read gives a Watched for each processor, the lowest first.
struct Watched {
    std::uint64_t latest; // nanoseconds
    std::uint64_t naps;   // since the start
};

class WatchFile final : public File {
public:
    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override;
};

} // namespace personality
