// The terminal of a container that was started with one: a pseudo-terminal whose other end is the Docker client.
#pragma once
#include "lib/ring/pair.hpp"
#include "linux/core/file.hpp"
#include "linux/sandbox/bells.hpp"
#include "linux/tty/line_discipline.hpp"

namespace personality {

struct Session;

struct WindowSize { // struct winsize
    std::uint16_t rows = 0, columns = 0, width = 0, height = 0;
};

// Sandbox lock for all.
class Terminal final : public base::RefCounted<Terminal>, private BellListener, private EchoSink {
public:
    // Takes over the handles, whatever the outcome. Errors: EIO (a broken pair), ENOMEM.
    static LinuxResult<base::Ref<Terminal>> attach(const ring::Handles& handles);
    ~Terminal();

    // An open file description of the terminal. ENOMEM.
    LinuxResult<base::Ref<File>> open(std::uint32_t open_flags);

    LinuxResult<std::size_t> read(std::span<std::byte> to, bool nonblocking);
    LinuxResult<std::size_t> write(std::span<const std::byte> from, bool nonblocking);
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument);
    std::uint32_t poll();
    WaitQueue& wait_queue() { return queue_; }
    std::uint64_t inode() const { return bell_; }

    // From either end. A change is told to the foreground programs.
    void resize(const WindowSize& size);
    // The session that it controls, or null. It stays alive as long as it names this terminal; its end clears this.
    void set_session(Session* session) { session_ = session; }

private:
    explicit Terminal(ring::Pair pair) : pair_(std::move(pair)) {}
    void on_bell() override;
    void echo(std::span<const std::uint8_t> bytes) override;
    // Moves what was typed from the ring to the line discipline.
    void pump();
    // Whether the caller may use the terminal. A background process gets `signal` instead: ERESTARTSYS, or EIO where the signal could not stop it.
    LinuxResult<void> check_foreground(int signal);
    LinuxResult<void> wait_for_input(bool nonblocking, abi::Deadline deadline);
    LinuxResult<std::size_t> read_raw(std::span<std::byte> to, bool nonblocking);
    LinuxResult<void> set_foreground(std::int32_t group);
    LinuxResult<void> take_control();

    ring::Pair pair_;
    LineDiscipline discipline_;
    WindowSize size_;
    Session* session_ = nullptr;
    WaitQueue queue_;
    std::uint64_t bell_ = 0;
};

// The terminal behind an open file, or null.
Terminal* terminal_of(File& file);
// /dev/tty: a new description of the terminal of the caller's session, or null.
base::Ref<File> open_controlling_terminal();

} // namespace personality
