// signalfd: the signals of whoever reads (man 2 signalfd).
#pragma once
#include "linux/core/file.hpp"
#include "linux/signal/signal_set.hpp"

namespace personality {

struct SignalInfo;

// Who waits for signals of any process at descriptors: woken by every signal that becomes pending, and looks whether it is one of its own. Sandbox lock.
WaitQueue& signal_readers();

class SignalFile final : public File {
public:
    // Takes a pending signal of `wanted` of the calling task or its process; false where there is none. Sandbox lock.
    using Take = bool (*)(SignalSet wanted, SignalInfo& info);
    // The signals of the calling task and its process that are pending.
    using Pending = SignalSet (*)();

    SignalFile(SignalSet mask, std::uint32_t open_flags, Take take, Pending pending);
    void set_mask(SignalSet mask);

    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<void> stat(KernelStat& stat) override;
    FileKind kind() const override { return FileKind::signal; }
    std::uint32_t poll() override;
    WaitQueue* wait_queue() override { return &signal_readers(); }

private:
    SignalSet mask_;
    Take take_;
    Pending pending_;
};

} // namespace personality
