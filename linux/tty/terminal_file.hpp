// An open file description of a terminal.
#pragma once
#include "linux/fs/anonymous.hpp"
#include "linux/fs/constants.hpp"
#include "linux/fs/stat.hpp"
#include "linux/tty/terminal.hpp"

namespace personality {

class TerminalFile final : public File {
public:
    explicit TerminalFile(base::Ref<Terminal> terminal) : terminal_(std::move(terminal)) {}
    Terminal& terminal() { return *terminal_; }

    LinuxResult<std::size_t> read(std::span<std::byte> to) override { return may(open_flag::write_only) ? terminal_->read(to, nonblocking()) : fail(Errno::EBADF); }
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override {
        return may(open_flag::read_only) ? terminal_->write(from, nonblocking()) : fail(Errno::EBADF);
    }
    LinuxResult<void> stat(KernelStat& stat) override {
        anonymous_stat(stat, terminal_->inode(), mode::character | 0620);
        stat.special_device = make_device(136, 0);
        return {};
    }
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument) override { return terminal_->ioctl(request, argument); }
    FileKind kind() const override { return FileKind::terminal; }
    std::uint32_t poll() override { return terminal_->poll(); }
    WaitQueue* wait_queue() override { return &terminal_->wait_queue(); }

private:
    // Whether the file was opened with more than the one access mode that forbids it.
    bool may(std::uint32_t forbidding) const { return (flags & open_flag::access_mode) != forbidding; }

    base::Ref<Terminal> terminal_;
};

} // namespace personality
