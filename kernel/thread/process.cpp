#include "kernel/thread/process.hpp"

#include "kernel/core/preempt.hpp"
#include "kernel/memory/heap.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/thread/thread_queue.hpp"

namespace kernel {

namespace {

// All processes that were not torn down, and who waits for one to be.
struct ProcessList {
    SpinLock lock;
    base::List<Process, Process> processes;
    ThreadQueue waiters;
    std::uint64_t next_number = 1;
};

// Made by the first use, at boot on one CPU: a list's head points to itself, so it cannot be made at compile time.
alignas(ProcessList) constinit unsigned char list_storage[sizeof(ProcessList)] = {};
constinit ProcessList* list = nullptr;

ProcessList& all() {
    if (!list) list = new (list_storage) ProcessList;
    return *list;
}

} // namespace

Process::Process(Quota& quota, base::Ref<Budget> budget) : Object(object_kind), quota_(quota), budget_(std::move(budget)), handles_(quota) {
    LockGuard guard(all().lock);
    number_ = all().next_number++;
    all().processes.push_back(*this);
}

Process::~Process() { tear_down(Pauses::no); }

base::Result<base::Ref<Process>> Process::create(Quota& quota, base::Ref<Budget> budget) {
    auto process = TRY(make_object<Process>(quota, quota, std::move(budget)));
    process->space_ = TRY(Space::create_personality(quota, process->number_));
    process->native_root_ = process->space_->native_root();
    return process;
}

base::Result<base::Ref<Space>> Process::space() {
    LockGuard guard(lock_);
    if (!space_) return std::unexpected(abi::Error::bad_state);
    return space_;
}

base::Result<void> Process::add_thread(Thread& thread) {
    LockGuard guard(lock_);
    if (ending_) return std::unexpected(abi::Error::bad_state);
    threads_.push_back(thread);
    ++thread_count_;
    return {};
}

void Process::thread_started() {
    LockGuard guard(lock_);
    if (state_.load() == abi::ProcessState::created) state_.store(abi::ProcessState::running, std::memory_order_release);
}

void Process::thread_ended(Thread& thread, Pauses pauses) {
    bool last = false;
    {
        LockGuard guard(lock_);
        threads_.remove(thread);
        last = --thread_count_ == 0;
    }
    if (!last) return;
    end(abi::EndReason::exit, 0);
    tear_down(pauses);
}

void Process::end(abi::EndReason reason, std::uint64_t status, std::uint64_t fault_address, std::uint64_t fault_instruction) {
    std::uint32_t left = 0;
    {
        LockGuard guard(lock_);
        if (!ending_) {
            ending_ = true;
            record_.reason = reason;
            record_.status = status;
            record_.fault_address = fault_address;
            record_.fault_instruction = fault_instruction;
        }
        left = thread_count_;
    }
    if (left == 0) {
        tear_down(Pauses::yes);
        return;
    }
    // Stopped one by one without the lock: a thread that never ran ends on the spot and may be the last. A thread created meanwhile is refused.
    // Each goes to the back of the list as its turn comes, and the list only gets shorter: after `left` turns every thread had one, here or in another call of this.
    for (; left > 0; --left) {
        base::Ref<Thread> next;
        {
            LockGuard guard(lock_);
            Thread* thread = threads_.pop_front();
            if (!thread) return;
            threads_.push_back(*thread);
            if (thread->stopping()) continue;
            // In the list, so it holds or held a reference; in destruction it would have left.
            if (!thread->try_retain()) continue;
            next = base::Ref<Thread>::adopt(*thread);
        }
        next->stop();
        next = nullptr;
        preemption_point();
    }
}

void Process::tear_down(Pauses pauses) {
    base::Ref<Space> space;
    base::List<Watch, Watch> watches;
    {
        LockGuard guard(lock_);
        if (torn_down_) return;
        torn_down_ = true;
        ending_ = true;
        space = std::move(space_);
    }
    // Capabilities first: peers learn that this side is gone. Then the memory, unless another process holds the space.
    handles_.close_all(pauses == Pauses::yes);
    native_root_ = kernel_root();
    if (space) space->remove_all();
    space.reset();
    {
        LockGuard guard(lock_);
        state_.store(abi::ProcessState::ended, std::memory_order_release);
        while (Watch* watch = watches_.pop_front()) watches.push_back(*watch);
    }
    while (Watch* watch = watches.pop_front()) {
        watch->target->signal(watch->bits);
        delete_watch(*watch);
    }
    LockGuard guard(all().lock);
    all().processes.remove(*this);
    while (Thread* waiter = all().waiters.first()) {
        all().waiters.remove(*waiter);
        if (waiter->wait_state().claim()) waiter->finish_wait(0);
    }
}

base::Result<void> Process::end_quota(Quota& quota) {
    if (quota.is_root()) return std::unexpected(abi::Error::bad_state);
    quota.node().close();
    end_all_within(quota.node());
    return {};
}

void Process::end_all_within(const QuotaNode& quota) {
    for (;;) {
        base::Ref<Process> victim;
        bool dying = false;
        {
            LockGuard guard(all().lock);
            for (Process& process : all().processes) {
                if (!process.quota().node().is_within(quota)) continue;
                dying = true;
                if (process.ending_ || !process.try_retain()) continue;
                victim = base::Ref<Process>::adopt(process);
                break;
            }
            if (!victim && dying) {
                Thread& self = sched::current_thread();
                self.wait_state().announce();
                all().waiters.push(self);
            }
        }
        if (victim) {
            victim->end(abi::EndReason::quota, 0);
            continue;
        }
        if (!dying) return;
        Thread& self = sched::current_thread();
        // A kick does not end this: what was begun must be finished before the call returns. Only the caller's own end does.
        (void)self.wait(abi::never, {});
        LockGuard guard(all().lock);
        all().waiters.remove_if_queued(self);
        if (self.stopping()) return;
    }
}

Process::Watch* Process::new_watch(base::Ref<Object> owner, SignalTarget& target, std::uint64_t bits) {
    void* memory = allocate_object(*quota_, sizeof(Watch));
    if (!memory) return nullptr;
    Watch* watch = new (memory) Watch;
    watch->owner = std::move(owner);
    watch->target = &target;
    watch->bits = bits;
    return watch;
}

void Process::delete_watch(Watch& watch) {
    watch.~Watch();
    heap::release(&watch, sizeof(Watch));
    quota_->node().release_bytes(sizeof(Watch));
}

base::Result<void> Process::watch(base::Ref<Object> owner, SignalTarget& target, std::uint64_t bits) {
    const base::Ref<Object> keep = owner; // the watch may be gone before its target is signalled
    Watch* watch = new_watch(std::move(owner), target, bits);
    if (!watch) return std::unexpected(abi::Error::no_memory);
    bool over = false;
    {
        LockGuard guard(lock_);
        over = state_.load() == abi::ProcessState::ended;
        bool watched = false;
        for (const Watch& other : watches_) watched |= other.target == &target;
        if (!over && !watched) {
            watches_.push_back(*watch);
            return {};
        }
    }
    delete_watch(*watch);
    if (!over) return std::unexpected(abi::Error::exists);
    target.signal(bits);
    return {};
}

void Process::inspect(abi::ProcessInfo& info) {
    LockGuard guard(lock_);
    info = record_;
    info.state = state_.load();
    info.threads = thread_count_;
    info.handles = handles_.count();
}

void Process::set_fixup(const Fixup& fixup) {
    LockGuard guard(lock_);
    fixup_ = fixup;
}

Process::Fixup Process::fixup() {
    LockGuard guard(lock_);
    return fixup_;
}

} // namespace kernel
