// Signal-driven input and output: O_ASYNC, F_SETOWN, F_SETSIG (man 2 fcntl). Sandbox lock held for all.
#pragma once
#include "linux/core/file.hpp"

namespace personality {

class Task;

// Who is told when a file becomes ready, and whether. Made when a program first asks; goes with its file.
class SignalDriven final : public Waiter, public FileWatcher {
public:
    // The file's, made where it has none. ENOMEM.
    static LinuxResult<SignalDriven*> of(File& file);
    // Null where the program never asked.
    static SignalDriven* find(File& file) { return file.signal_driven; }

    // As F_SETOWN: a process, a process group's number negated, or 0 for nobody. The rights are those of `task` now. EINVAL, ESRCH.
    LinuxResult<void> set_owner(const Task& task, std::int32_t owner);
    std::int32_t owner() const { return owner_; }
    // 0 is SIGIO, without information. EINVAL.
    LinuxResult<void> set_signal(std::int32_t number);
    std::int32_t signal() const { return signal_; }
    // O_ASYNC. `descriptor` is what the signal's information will name.
    void enable(bool on, std::int32_t descriptor);

    void wake(std::uint32_t events) override;
    void file_gone() override;

private:
    explicit SignalDriven(File& file) : file_(file) {}

    File& file_;
    std::int32_t owner_ = 0;
    std::int32_t signal_ = 0;
    std::int32_t descriptor_ = -1;
    std::uint32_t user_ = 0, effective_user_ = 0;
    bool anyone_ = false; // may signal processes of other users
};

// Whether O_ASYNC means something for the file: sockets, pipes, terminals.
bool can_drive_signals(const File& file);
// Follows a change of the file's O_ASYNC, which the caller makes. ENOMEM.
LinuxResult<void> drive_signals(File& file, bool on, std::int32_t descriptor);

} // namespace personality
