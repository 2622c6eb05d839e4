// epoll (man 7 epoll).
#pragma once
#include "linux/core/file.hpp"

#include <array>

namespace personality {

class EpollFile;

struct EpollEvent {
    std::uint32_t events;
    std::uint64_t data;
};

struct EpollReady;
struct EpollInterest;
struct EpollHolder; // list tag: items whose file is this epoll

// One file in the interest list: sits in the file's wait queue and is marked ready by its wakes.
class EpollItem final : public Waiter, public FileWatcher, public base::ListNodeOf<EpollReady>, public base::ListNodeOf<EpollInterest>,
                        public base::ListNodeOf<EpollHolder> {
public:
    EpollItem(EpollFile& owner, File& file, std::int32_t descriptor, const EpollEvent& event)
        : owner(owner), file(file), descriptor(descriptor), event(event) {}
    void wake(std::uint32_t events) override;
    void file_gone() override;
    bool ready() const { return base::ListNodeOf<EpollReady>::linked(); }
    // Disabled by EPOLLONESHOT until the next modification.
    bool disabled() const;

    EpollFile& owner;
    File& file;
    std::int32_t descriptor;
    EpollEvent event;
    bool timed = false;
    abi::Deadline reported = abi::never; // edge-triggered: the expiry that was told already
};

// Sandbox lock.
class EpollFile final : public File {
public:
    EpollFile();
    ~EpollFile() override;

    // Errors: EEXIST, EPERM (the file cannot be waited for), ELOOP, EINVAL, ENOMEM.
    LinuxResult<void> add(std::int32_t descriptor, File& file, const EpollEvent& event);
    LinuxResult<void> modify(std::int32_t descriptor, File& file, const EpollEvent& event); // ENOENT
    LinuxResult<void> remove(std::int32_t descriptor, File& file);                          // ENOENT
    // Takes what is ready, at most `to.size()`; does not wait.
    std::size_t collect(std::span<EpollEvent> to);
    // Waits for something ready. Errors: as block; ETIMEDOUT at the deadline.
    LinuxResult<void> wait(abi::Deadline deadline);

    FileKind kind() const override { return FileKind::epoll; }
    LinuxResult<void> stat(KernelStat& stat) override;
    std::uint32_t poll() override;
    abi::Deadline next_event() override;
    WaitQueue* wait_queue() override { return &queue_; }
    // Is `file` one of these?
    static EpollFile* from(File& file);

private:
    friend class EpollItem;
    EpollItem* find(std::int32_t descriptor, const File& file);
    void destroy(EpollItem& item);
    void mark_ready(EpollItem& item, std::uint32_t events);
    bool may_hold(EpollFile& nested);
    bool expired(const EpollItem& item) const;
    // Epolls on the longest way down (or up) from here, this one included. Each is looked at once in a `round`, however many ways lead to it.
    unsigned depth_below(std::uint64_t round);
    unsigned depth_above(std::uint64_t round);

    static constexpr std::size_t buckets = 64;
    std::array<base::List<EpollItem, EpollInterest>, buckets> interest_;
    base::List<EpollItem, EpollReady> ready_;
    base::List<EpollItem, EpollHolder> holders_;
    std::uint64_t visited_ = 0; // the round that looked here last, and what it found
    unsigned depth_ = 0;
    WaitQueue queue_;
    std::uint32_t timed_ = 0; // items whose file may have deadlines of its own
};

} // namespace personality
