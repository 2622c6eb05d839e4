#include "linux/ipc/epoll.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {
constexpr std::uint32_t always = poll_event::error | poll_event::hang_up;
constexpr std::uint32_t behaviour = poll_event::exclusive | poll_event::wake_up | poll_event::one_shot | poll_event::edge_triggered;
constexpr unsigned nesting_limit = 5;
bool timed(const File& file) { return file.kind() == FileKind::timer || file.kind() == FileKind::epoll; }
} // namespace

bool EpollItem::disabled() const { return (event.events & ~behaviour) == 0; }

void EpollItem::wake(std::uint32_t events) {
    if (!disabled() && (events == 0 || (events & (event.events | always)) != 0))
        owner.mark_ready(*this, events);
}

void EpollItem::file_gone() { owner.destroy(*this); }

EpollFile::EpollFile() { flags = open_flag::read_write; }

EpollFile::~EpollFile() {
    for (auto& bucket : interest_)
        while (!bucket.empty())
            destroy(bucket.front());
}

EpollItem* EpollFile::find(std::int32_t descriptor, const File& file) {
    for (EpollItem& item : interest_[static_cast<std::uint32_t>(descriptor) % buckets])
        if (item.descriptor == descriptor && &item.file == &file)
            return &item;
    return nullptr;
}

// The item may be called for by its dying file, whose wait queue is gone already: the list nodes unlink themselves.
void EpollFile::destroy(EpollItem& item) {
    timed_ -= item.timed;
    delete &item;
}

void EpollFile::mark_ready(EpollItem& item, std::uint32_t events) {
    if (!item.ready())
        ready_.push_back(item);
    queue_.wake(poll_event::readable);
    (void)events;
}

unsigned EpollFile::depth_below(std::uint64_t round) {
    if (visited_ == round)
        return depth_;
    visited_ = round;
    depth_ = 1;
    for (const auto& bucket : interest_)
        for (EpollItem& item : bucket)
            if (EpollFile* const nested = from(item.file))
                depth_ = std::max(depth_, 1 + nested->depth_below(round));
    return depth_;
}

unsigned EpollFile::depth_above(std::uint64_t round) {
    if (visited_ == round)
        return depth_;
    visited_ = round;
    depth_ = 1;
    for (EpollItem& holder : holders_)
        depth_ = std::max(depth_, 1 + holder.owner.depth_above(round));
    return depth_;
}

// The graph has no circle and is at most nesting_limit deep, so the two walks above end, and their recursion is that deep.
bool EpollFile::may_hold(EpollFile& nested) {
    static constinit std::uint64_t rounds = 0; // sandbox lock
    const unsigned below = nested.depth_below(++rounds);
    if (visited_ == rounds)
        return false; // a circle
    return depth_above(++rounds) + below <= nesting_limit;
}

// A timer that has run out wakes nobody: it is looked at. An edge-triggered one counts once.
bool EpollFile::expired(const EpollItem& item) const {
    if (!item.timed || item.disabled())
        return false;
    const abi::Deadline event = item.file.next_event();
    if (event == abi::never || ((item.event.events & poll_event::edge_triggered) != 0 && event == item.reported))
        return false;
    return (item.file.poll() & item.event.events) != 0;
}

LinuxResult<void> EpollFile::add(std::int32_t descriptor, File& file, const EpollEvent& event) {
    if (&file == this)
        return fail(Errno::EINVAL);
    WaitQueue* queue = file.wait_queue();
    if (queue == nullptr)
        return fail(Errno::EPERM);
    EpollFile* nested = from(file);
    if ((event.events & poll_event::exclusive) != 0 && (nested != nullptr || (event.events & poll_event::one_shot) != 0))
        return fail(Errno::EINVAL);
    if (find(descriptor, file) != nullptr)
        return fail(Errno::EEXIST);
    if (nested != nullptr && !may_hold(*nested))
        return fail(Errno::ELOOP);
    auto* item = new (std::nothrow) EpollItem(*this, file, descriptor, {event.events | always, event.data});
    if (item == nullptr)
        return fail(Errno::ENOMEM);
    interest_[static_cast<std::uint32_t>(descriptor) % buckets].push_back(*item);
    file.watchers.push_back(*item);
    if (nested != nullptr)
        nested->holders_.push_back(*item);
    queue->add(*item);
    if ((file.poll() & (event.events | always)) != 0)
        mark_ready(*item, 0);
    item->timed = timed(file);
    timed_ += item->timed;
    return {};
}

LinuxResult<void> EpollFile::modify(std::int32_t descriptor, File& file, const EpollEvent& event) {
    EpollItem* item = find(descriptor, file);
    if (item == nullptr)
        return fail(Errno::ENOENT);
    if (((event.events | item->event.events) & poll_event::exclusive) != 0)
        return fail(Errno::EINVAL);
    item->event = {event.events | always, event.data};
    if (!item->disabled() && (file.poll() & (event.events | always)) != 0)
        mark_ready(*item, 0);
    return {};
}

LinuxResult<void> EpollFile::remove(std::int32_t descriptor, File& file) {
    EpollItem* item = find(descriptor, file);
    if (item == nullptr)
        return fail(Errno::ENOENT);
    destroy(*item);
    return {};
}

std::size_t EpollFile::collect(std::span<EpollEvent> to) {
    if (timed_ != 0)
        for (auto& bucket : interest_)
            for (EpollItem& item : bucket)
                if (!item.ready() && expired(item)) {
                    ready_.push_back(item);
                    item.reported = item.file.next_event();
                }
    std::size_t count = 0;
    base::List<EpollItem, EpollReady> again; // level-triggered ones stay, behind the others, so that all get their turn
    while (count < to.size()) {
        EpollItem* item = ready_.pop_front();
        if (item == nullptr)
            break;
        const std::uint32_t events = item->file.poll() & (item->event.events | always) & ~behaviour;
        if (events == 0 || item->disabled())
            continue;
        to[count++] = {events, item->event.data};
        if ((item->event.events & poll_event::one_shot) != 0)
            item->event.events &= behaviour;
        else if ((item->event.events & poll_event::edge_triggered) == 0)
            again.push_back(*item);
    }
    while (EpollItem* item = again.pop_front())
        ready_.push_back(*item);
    return count;
}

LinuxResult<void> EpollFile::wait(abi::Deadline deadline) {
    const abi::Deadline event = next_event();
    auto slept = block(queue_, std::min(deadline, event));
    if (!slept && slept.error() == Errno::ETIMEDOUT && event < deadline)
        return {};
    return slept;
}

LinuxResult<void> EpollFile::stat(KernelStat& stat) {
    anonymous_stat(stat, 1, 0600);
    return {};
}

std::uint32_t EpollFile::poll() {
    for (EpollItem& item : ready_)
        if (!item.disabled() && (item.file.poll() & (item.event.events | always)) != 0)
            return poll_event::readable;
    if (timed_ != 0)
        for (auto& bucket : interest_)
            for (EpollItem& item : bucket)
                if (expired(item))
                    return poll_event::readable;
    return 0;
}

abi::Deadline EpollFile::next_event() {
    abi::Deadline earliest = abi::never;
    if (timed_ != 0)
        for (auto& bucket : interest_)
            for (EpollItem& item : bucket)
                if (item.timed && !item.disabled()) {
                    const abi::Deadline event = item.file.next_event();
                    if ((item.event.events & poll_event::edge_triggered) == 0 || event != item.reported)
                        earliest = std::min(earliest, event);
                }
    return earliest;
}

EpollFile* EpollFile::from(File& file) {
    return file.kind() == FileKind::epoll ? &static_cast<EpollFile&>(file) : nullptr;
}

} // namespace personality
