// eventfd: a counter to wait on (man 2 eventfd).
#pragma once
#include "linux/core/file.hpp"

namespace personality {

class EventFile final : public File {
public:
    EventFile(std::uint64_t count, bool semaphore, std::uint32_t open_flags);
    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override;
    LinuxResult<void> stat(KernelStat& stat) override;
    FileKind kind() const override { return FileKind::event; }
    std::uint32_t poll() override;
    WaitQueue* wait_queue() override { return &queue_; }

private:
    std::uint64_t count_;
    bool semaphore_;
    WaitQueue queue_;
};

} // namespace personality
