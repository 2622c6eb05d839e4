// Pipes and FIFOs (man 7 pipe).
#pragma once
#include "linux/fs/inode_file.hpp"

namespace personality {

// The bytes between the ends. Sandbox lock.
class Pipe final : public InodeAttachment {
public:
    static constexpr std::size_t default_capacity = 64 * 1024;
    static constexpr std::size_t atomic_bytes = 4096; // PIPE_BUF
    static constexpr std::size_t max_capacity = 1024 * 1024;

    ~Pipe() override { delete[] bytes_; }

    LinuxResult<std::size_t> read(std::span<std::byte> to, bool nonblocking);
    LinuxResult<std::size_t> write(std::span<const std::byte> from, bool nonblocking); // EPIPE without readers; the call adds SIGPIPE
    std::size_t used() const { return used_; }
    std::size_t capacity() const { return capacity_; }
    // F_SETPIPE_SZ: a power of two of at least a page; EBUSY where the contents do not fit. Returns what it became.
    LinuxResult<std::size_t> set_capacity(std::size_t wanted);

    void add_end(bool reads, bool writes);
    void remove_end(bool reads, bool writes);

    std::uint32_t readers = 0, writers = 0;
    std::uint64_t reader_opens = 0, writer_opens = 0; // ever: an open of a FIFO waits for the other side to come, even if it left again
    WaitQueue queue;

private:
    LinuxResult<void> allocate();
    void put(std::span<const std::byte> from);

    std::byte* bytes_ = nullptr; // with the first write
    std::size_t capacity_ = default_capacity;
    std::size_t start_ = 0, used_ = 0;
};

class PipeFile final : public LocatedFile {
public:
    // `location` is none for a pipe without a name.
    PipeFile(base::Ref<Pipe> pipe, Location location, std::uint32_t flags);
    ~PipeFile() override;
    Pipe& pipe() { return *pipe_; }

    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override;
    LinuxResult<void> stat(KernelStat& stat) override;
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument) override;
    FileKind kind() const override { return FileKind::pipe; }
    std::uint32_t poll() override;
    WaitQueue* wait_queue() override { return &pipe_->queue; }
    // Is `file` one of these? Then its pipe, for F_SETPIPE_SZ.
    static Pipe* pipe_of(File& file);

private:
    base::Ref<Pipe> pipe_;
    std::uint64_t number_;
};

struct PipeEnds {
    base::Ref<File> read, write;
};
// `flags`: open_flag::nonblock and direct.
LinuxResult<PipeEnds> make_pipe(std::uint32_t flags);
// Waits for the other end as man 7 fifo says; ENXIO for a nonblocking writer without a reader.
LinuxResult<base::Ref<File>> open_fifo(const Location& location, std::uint32_t flags);

} // namespace personality
