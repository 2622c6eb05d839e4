// A byte stream over a ring pair as an open file: a container's standard streams, and streams that came over a channel.
#pragma once
#include "lib/ring/pair.hpp"
#include "linux/core/file.hpp"
#include "linux/sandbox/bells.hpp"

namespace personality {

class StreamFile final : public File, private BellListener {
public:
    // Takes over the handles, whatever the outcome. `side`: b for a descriptor that came over a channel. Sandbox lock. Errors: EIO (a broken pair), ENOMEM.
    static LinuxResult<base::Ref<File>> attach(const ring::Handles& handles, ring::Side side, std::uint32_t open_flags);
    ~StreamFile() override;

    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override;
    LinuxResult<void> stat(KernelStat& stat) override;
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument) override;
    std::uint32_t poll() override;
    WaitQueue* wait_queue() override { return &queue_; }

private:
    explicit StreamFile(ring::Pair pair) : pair_(std::move(pair)) {}
    void on_bell() override { queue_.wake(); }
    bool may_read() const { return (flags & 3) != 1; }
    bool may_write() const { return (flags & 3) != 0; }

    ring::Pair pair_;
    WaitQueue queue_;
    std::uint64_t bell_ = 0;
};

} // namespace personality
