// poll, ppoll, select, pselect6.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/calls/waiting.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/task/task.hpp"

#include <algorithm>
#include <memory>
#include <new>

namespace personality {

namespace {

struct PollEntry { // struct pollfd
    std::int32_t descriptor;
    std::int16_t events, results;
};
constexpr std::uint32_t always = poll_event::error | poll_event::hang_up;

// A place in a file's wait queue that passes wakes on to the poller's own queue.
class PollWaiter final : public Waiter {
public:
    void wake(std::uint32_t) override { target->wake(); }
    WaitQueue* target = nullptr;
    base::Ref<File> file;
};

// Waits in the queues of many files at once. Sandbox lock.
class Poller {
public:
    LinuxResult<void> prepare(std::size_t count) {
        waiters_.reset(new (std::nothrow) PollWaiter[count]);
        if (!waiters_)
            return fail(Errno::ENOMEM);
        return {};
    }
    void watch(base::Ref<File> file) {
        WaitQueue* queue = file->wait_queue();
        PollWaiter& waiter = waiters_[used_++];
        waiter.target = &queue_;
        waiter.file = std::move(file);
        if (queue != nullptr)
            queue->add(waiter);
    }
    // What the n-th watched file has.
    std::uint32_t events(std::size_t index) { return waiters_[index].file->poll(); }
    // Errors: as block.
    LinuxResult<void> wait(abi::Deadline deadline) {
        abi::Deadline event = abi::never;
        for (std::size_t i = 0; i < used_; ++i)
            event = std::min(event, waiters_[i].file->next_event());
        auto slept = block(queue_, std::min(deadline, event));
        if (!slept && slept.error() == Errno::ETIMEDOUT && event < deadline)
            return {};
        return slept;
    }
    ~Poller() { waiters_.reset(); }

private:
    WaitQueue queue_;
    std::unique_ptr<PollWaiter[]> waiters_;
    std::size_t used_ = 0;
};

// Which events of an entry end the wait.
using Counts = std::uint32_t (*)(const PollEntry&);

// Fills `results`; returns how many entries have some. Errors: ERESTARTNOHAND (a signal), ENOMEM.
LinuxResult<std::size_t> poll_entries(Task& task, std::span<PollEntry> entries, abi::Deadline deadline, Counts counts) {
    SandboxLock lock;
    Poller poller;
    TRY(poller.prepare(entries.size()));
    std::unique_ptr<std::uint32_t[]> index(new (std::nothrow) std::uint32_t[entries.size()]);
    if (!index)
        return fail(Errno::ENOMEM);
    std::uint32_t watched = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        index[i] = UINT32_MAX;
        if (entries[i].descriptor < 0)
            continue;
        auto file = file_of(task, entries[i].descriptor);
        if (!file)
            continue;
        index[i] = watched++;
        poller.watch(std::move(*file));
    }
    for (;;) {
        std::size_t ready = 0;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            std::uint32_t events = 0;
            if (index[i] != UINT32_MAX)
                events = poller.events(index[i]) & counts(entries[i]);
            else if (entries[i].descriptor >= 0)
                events = poll_event::invalid;
            entries[i].results = static_cast<std::int16_t>(events);
            ready += events != 0;
        }
        if (ready != 0 || deadline == abi::poll)
            return ready;
        auto slept = poller.wait(deadline);
        if (!slept && slept.error() == Errno::ETIMEDOUT)
            return std::size_t{0};
        if (!slept)
            return fail(slept.error() == Errno::ERESTARTSYS ? Errno::ERESTARTNOHAND : slept.error());
    }
}

CallResult poll_guest(Task& task, std::uint64_t address, std::uint64_t count, abi::Deadline deadline) {
    if (count > descriptor_limit(task))
        return fail(Errno::EINVAL);
    PollEntry few[32];
    std::unique_ptr<PollEntry[]> many;
    std::span<PollEntry> entries(few, std::min<std::uint64_t>(count, 32));
    if (count > 32) {
        many.reset(new (std::nothrow) PollEntry[count]);
        if (!many)
            return fail(Errno::ENOMEM);
        entries = {many.get(), count};
    }
    TRY(copy_in(std::as_writable_bytes(entries), address));
    const std::size_t ready = TRY(poll_entries(task, entries, deadline, [](const PollEntry& entry) { return static_cast<std::uint16_t>(entry.events) | always | poll_event::invalid; }));
    for (std::size_t i = 0; i < count; ++i)
        TRY(UserPtr<std::int16_t>(address + i * sizeof(PollEntry) + offsetof(PollEntry, results)).write(entries[i].results));
    return ready;
}

// What is left of a relative timeout goes back to the program.
void give_remaining(std::uint64_t address, abi::Deadline deadline, bool microseconds) {
    if (address == 0 || deadline == abi::never)
        return;
    const std::uint64_t now = monotonic_now();
    const std::uint64_t left = deadline > now ? deadline - now : 0;
    const std::int64_t value[2] = {static_cast<std::int64_t>(left / 1'000'000'000),
                                   static_cast<std::int64_t>(microseconds ? left % 1'000'000'000 / 1000 : left % 1'000'000'000)};
    (void)copy_out(address, std::as_bytes(std::span(value)));
}

constexpr std::uint32_t most_select = 1024;
using Bits = std::uint64_t[most_select / 64];

// What each of select's sets asks for, and which events it counts: a hang-up is none for one who only wants to write.
constexpr std::uint32_t asked[3] = {poll_event::in, poll_event::out, poll_event::priority};
constexpr std::uint32_t counted[3] = {poll_event::in | poll_event::read_normal | poll_event::read_band | poll_event::hang_up | poll_event::error,
                                      poll_event::out | poll_event::write_normal | poll_event::write_band | poll_event::error, poll_event::priority};

bool asks(const PollEntry& entry, int set) { return (static_cast<std::uint16_t>(entry.events) & asked[set]) != 0; }

std::uint32_t select_counts(const PollEntry& entry) {
    std::uint32_t events = 0;
    for (int set = 0; set < 3; ++set)
        if (asks(entry, set))
            events |= counted[set];
    return events;
}

CallResult select_guest(Task& task, std::uint32_t count, const std::uint64_t (&addresses)[3], abi::Deadline deadline) {
    if (static_cast<std::int32_t>(count) < 0)
        return fail(Errno::EINVAL);
    count = std::min(count, most_select);
    Bits wanted[3] = {};
    const std::size_t bytes = (count + 63) / 64 * 8;
    for (int set = 0; set < 3; ++set)
        if (addresses[set] != 0)
            TRY(copy_in(std::as_writable_bytes(std::span(wanted[set])).first(bytes), addresses[set]));
    std::unique_ptr<PollEntry[]> entries(new (std::nothrow) PollEntry[count + 1]);
    if (!entries)
        return fail(Errno::ENOMEM);
    std::size_t used = 0;
    for (std::uint32_t number = 0; number < count; ++number) {
        std::uint32_t events = 0;
        for (int set = 0; set < 3; ++set)
            if ((wanted[set][number / 64] >> (number % 64) & 1) != 0)
                events |= asked[set];
        if (events == 0)
            continue;
        {
            SandboxLock lock;
            TRY(file_of(task, static_cast<std::int32_t>(number)));
        }
        entries[used++] = {static_cast<std::int32_t>(number), static_cast<std::int16_t>(events), 0};
    }
    std::size_t total = 0;
    Bits found[3] = {};
    (void)TRY(poll_entries(task, {entries.get(), used}, deadline, select_counts));
    for (std::size_t i = 0; i < used; ++i)
        for (int set = 0; set < 3; ++set) {
            const auto number = static_cast<std::uint32_t>(entries[i].descriptor);
            if (asks(entries[i], set) && (static_cast<std::uint16_t>(entries[i].results) & counted[set]) != 0) {
                found[set][number / 64] |= std::uint64_t{1} << (number % 64);
                ++total;
            }
        }
    for (int set = 0; set < 3; ++set)
        if (addresses[set] != 0)
            TRY(copy_out(addresses[set], std::as_bytes(std::span(found[set])).first(bytes)));
    return total;
}

} // namespace

CallResult sys_poll(Task& task, const CallArguments& arguments) {
    const std::int32_t milliseconds = arguments.i32(2);
    const abi::Deadline deadline = milliseconds < 0 ? abi::never : deadline_after(static_cast<std::uint64_t>(milliseconds) * 1'000'000);
    return poll_guest(task, arguments[0], arguments.u32(1), deadline);
}

CallResult sys_ppoll(Task& task, const CallArguments& arguments) {
    const abi::Deadline deadline = TRY(load_timeout(arguments[2], false));
    TRY(load_signal_mask(task, arguments[3], arguments[4]));
    auto result = poll_guest(task, arguments[0], arguments.u32(1), deadline);
    give_remaining(arguments[2], deadline, false);
    return result;
}

CallResult sys_select(Task& task, const CallArguments& arguments) {
    const abi::Deadline deadline = TRY(load_timeout(arguments[4], true));
    auto result = select_guest(task, arguments.u32(0), {arguments[1], arguments[2], arguments[3]}, deadline);
    give_remaining(arguments[4], deadline, true);
    return result;
}

CallResult sys_pselect6(Task& task, const CallArguments& arguments) {
    const abi::Deadline deadline = TRY(load_timeout(arguments[4], false));
    if (arguments[5] != 0) {
        std::uint64_t mask[2]; // address and size
        TRY(arguments.pointer<std::uint64_t>(5).read(mask));
        TRY(load_signal_mask(task, mask[0], mask[1]));
    }
    auto result = select_guest(task, arguments.u32(0), {arguments[1], arguments[2], arguments[3]}, deadline);
    give_remaining(arguments[4], deadline, false);
    return result;
}

} // namespace personality
