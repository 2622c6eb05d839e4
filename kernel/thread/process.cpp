#include "kernel/thread/process.hpp"

#include <utility>

#include "kernel/arch/relax.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/thread/thread_queue.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

struct ByOrder {
    std::uint64_t operator()(const Process& process) const { return process.order(); }
};

// All processes that were not torn down, in the order in which they were made: a walk goes on from a number, and holds none of them to keep its place.
constinit base::Tree<Process, ByOrder, Process> list BASE_GUARDED_BY(process_list_lock);
constinit std::uint64_t next_order BASE_GUARDED_BY(process_list_lock) = 1;

} // namespace

constinit SpinLock process_list_lock{LockRank::process_list};

Process::Process(Quota& quota, base::Ref<Budget> budget, base::Ref<Process> sandbox)
    : Object(object_kind), quota_(quota), budget_(std::move(budget)), sandbox_(sandbox && sandbox->sandbox_ ? sandbox->sandbox_ : std::move(sandbox)),
      domain_(sandbox_ ? sandbox_->number() : 0), handles_(quota) {
    LockGuard guard(process_list_lock);
    order_ = next_order++;
    list.insert(*this);
}

Process::~Process() {
    tear_down(Pauses::no);
    if (!sandbox_) Audit::finish(audit_account_);
}

void Process::end_in_steps() {
    tear_down(Pauses::yes);
    if (sandbox_) return;
    Audit::finish(audit_account_);
    Audit::tell();
}

base::Result<base::Ref<Process>> Process::create(Quota& quota, base::Ref<Budget> budget, base::Ref<Process> sandbox) {
    auto process = TRY(make_object<Process>(quota, quota, std::move(budget), std::move(sandbox)));
    if (!process->sandbox_) process->audit_account_.set_process(process->number());
    auto space = TRY(Space::create_personality(quota, process->number(), process->audit_account().process()));
    // It is in the list: the end of its quota may have found it already.
    LockGuard guard(process->lock_);
    if (process->torn_down_) return std::unexpected(abi::Error::no_memory);
    process->roots_ = &space->roots();
    process->space_ = std::move(space);
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

bool Process::remove_thread(Thread& thread, bool was_known) {
    LockGuard guard(lock_);
    threads_.remove(thread);
    if (--thread_count_ != 0) return false;
    // One that has never run waits for its first thread, unless an end that came meanwhile counted on this one. Of another one the last thread that ran ended beside this.
    if (!was_known && state_.load() == abi::ProcessState::created && !ending_) return false;
    // Under the lock that counted: it is given no thread any more.
    if (!base::weakened(base::Weakness::last_thread)) begin_end(abi::EndReason::exit, 0);
    return true;
}

void Process::thread_ended(Thread& thread, Pauses pauses) {
    if (!remove_thread(thread, true)) return;
    // In a twin alone: as slow as a CPU may be.
    constexpr unsigned long_time = 100'000;
    for (unsigned i = 0; base::weakened(base::Weakness::last_thread) && i < long_time; ++i) arch::relax();
    tear_down(pauses);
}

void Process::forget_thread(Thread& thread) {
    if (remove_thread(thread, false)) tear_down(Pauses::yes);
}

void Process::begin_end(abi::EndReason reason, std::uint64_t status, std::uint64_t fault_address, std::uint64_t fault_instruction) {
    if (ending_) return;
    ending_ = true;
    record_.reason = reason;
    record_.status = status;
    record_.fault_address = fault_address;
    record_.fault_instruction = fault_instruction;
}

bool Process::end(abi::EndReason reason, std::uint64_t status, std::uint64_t fault_address, std::uint64_t fault_instruction) {
    std::uint32_t left = 0;
    bool first = false;
    {
        LockGuard guard(lock_);
        first = !ending_;
        begin_end(reason, status, fault_address, fault_instruction);
        left = thread_count_;
    }
    if (left == 0) {
        tear_down(Pauses::yes);
        return first;
    }
    // Stopped one by one without the lock: a thread that never ran ends on the spot and may be the last. A thread created meanwhile is refused.
    // Each goes to the back of the list as its turn comes, and the list only gets shorter: after `left` turns every thread had one, here or in another call of this.
    // Who is to end itself meanwhile leaves it to whoever was the first.
    for (; left > 0 && (first || !caller_ends()); --left, preemption_point()) {
        base::Ref<Thread> next;
        {
            LockGuard guard(lock_);
            Thread* thread = threads_.pop_front();
            if (!thread) return first;
            threads_.push_back(*thread);
            if (thread->stopping()) continue;
            // In the list, so it holds or held a reference; in destruction it would have left.
            if (!thread->try_retain()) continue;
            next = base::Ref<Thread>::adopt(*thread);
        }
        next->stop();
    }
    return first;
}

void Process::expect_no_threads() const {
#ifdef KERNEL_CHECKS
    if (thread_count_ != 0) panic("process %u ends with %u threads", number(), thread_count_);
#endif
}

void Process::tear_down(Pauses pauses) {
    base::Ref<Space> space;
    {
        LockGuard guard(lock_);
        if (torn_down_) return;
        expect_no_threads();
        torn_down_ = true;
        ending_ = true;
        space = std::move(space_);
        // The last thread has left the roots, and comes back from its pauses to none that another holder of the space may free.
        if (!base::weakened(base::Weakness::root_returned)) roots_ = &kernel_roots();
    }
    // Capabilities first: peers learn that this side is gone. Then the memory, unless another process holds the space.
    handles_.close_all(pauses == Pauses::yes);
    if (space) space->remove_all();
    space.reset();
    // Whoever is told of the end finds the memory back.
    if (pauses == Pauses::yes) end_the_dying();
    abi::ProcessInfo record;
    bool recorded = false;
    {
        LockGuard guard(lock_);
        state_.store(abi::ProcessState::ended, std::memory_order_release);
        record = record_;
        recorded = recorded_;
    }
    // One that came to nothing, and that nobody ever heard of, takes no place in the log: there may be any number of such.
    if (recorded) record_end(record);
    if (pauses == Pauses::yes) Audit::tell();
    // No watch is added any more.
    for (;;) {
        Watch* watch = nullptr;
        {
            LockGuard guard(lock_);
            watch = watches_.first();
            if (watch) watches_.remove(*watch);
        }
        if (!watch) break;
        if (watch->holds.valid()) watch->target->signal(watch->bits);
        delete_watch(*watch);
        if (pauses == Pauses::yes) preemption_point();
    }
    {
        LockGuard guard(process_list_lock);
        left_ = true;
        list.remove(*this);
    }
    // Nobody joins them any more.
    constexpr unsigned waiters_of_step = 64;
    for (bool more = true; more;) {
        {
            LockGuard guard(process_list_lock);
            for (unsigned i = 0; i < waiters_of_step && more; ++i) {
                Thread* const waiter = waiters_.first();
                more = waiter != nullptr;
                if (!more) break;
                waiters_.remove(*waiter);
                if (waiter->wait_state().claim()) waiter->finish_wait(0);
            }
        }
        if (pauses == Pauses::yes) preemption_point();
    }
}

void Process::record_end(const abi::ProcessInfo& record) {
    Audit::record_now({.operation = abi::AuditOperation::end, .kind = kind(), .object = number(), .error = static_cast<std::uint32_t>(record.reason), .word = record.status});
}

void Process::note_recorded() {
    abi::ProcessInfo record;
    {
        LockGuard guard(lock_);
        recorded_ = true;
        if (state_.load() != abi::ProcessState::ended) return;
        record = record_;
    }
    // The end of its quota came first.
    record_end(record);
    Audit::tell();
}

base::Result<void> Process::end_quota(Quota& quota) {
    if (quota.is_root()) return std::unexpected(abi::Error::bad_state);
    quota.node().close();
    end_all_within(quota.node());
    return {};
}

// A walk over all processes in steps.
class Process::Cursor {
public:
    // Goes on to the next one within the quota that is there, and holds it; null at the end. `blocked`: it is on its way out of its destructor and cannot be held; the caller's
    // wait is announced, and it comes again for that one. Without locks.
    Process* next(const QuotaNode& quota, Thread* waiter, bool& blocked) {
        constexpr unsigned steps_in_one_hold = 64;
        blocked = false;
        at_.reset(); // a last reference ends outside of the lock
        for (;; preemption_point()) {
            LockGuard guard(process_list_lock);
            Process* process = list.lower_bound(from_);
            for (unsigned steps = 0; process && steps < steps_in_one_hold; ++steps, process = list.next(*process)) {
                from_ = process->order_ + 1;
                if (!process->quota().node().is_within(quota)) continue;
                if (process->try_retain()) {
                    at_ = base::Ref<Process>::adopt(*process);
                    return process;
                }
                if (!waiter) continue;
                from_ = process->order_;
                blocked = true;
                announce(*waiter, *process);
                return nullptr;
            }
            if (!process) return nullptr;
        }
    }

    // Whether the one it is at has left; announces the caller's wait where not.
    bool has_left(Thread& waiter) {
        LockGuard guard(process_list_lock);
        if (at_->left_) return true;
        announce(waiter, *at_);
        return false;
    }

private:
    static void announce(Thread& waiter, Process& process) BASE_REQUIRES(process_list_lock) {
        waiter.wait_state().announce();
        process.waiters_.push(waiter);
    }

    base::Ref<Process> at_;
    std::uint64_t from_ = 0; // the order
};

void Process::end_all_within(const QuotaNode& quota) {
    bool blocked = false;
    {
        // All of them at once, so that they end beside each other.
        Cursor cursor;
        while (Process* process = cursor.next(quota, nullptr, blocked)) {
            // Also one that ends already: whoever ends it may get no time before its threads do.
            if (!process->ended()) process->end(abi::EndReason::quota, 0);
            preemption_point();
        }
    }
    // Then one after the other is waited for; what was made meanwhile stands behind.
    Thread& self = sched::current_thread();
    bool kicked = false;
    Cursor cursor;
    for (;;) {
        Process* const process = cursor.next(quota, &self, blocked);
        if (!process && !blocked) break;
        if (process && !process->ended()) process->end(abi::EndReason::quota, 0);
        while (blocked || !cursor.has_left(self)) {
            // A kick does not end this: what was begun must be finished before the call returns. Only the caller's own end does.
            if (self.wait(abi::never, {}) == -static_cast<std::int32_t>(abi::Error::canceled)) kicked = true;
            LockGuard guard(process_list_lock);
            // Still queued, so the process has not told everybody yet, and is there.
            if (self.queue) self.queue->remove(self);
            if (self.stopping()) return;
            if (std::exchange(blocked, false)) break;
        }
    }
    // It is for a later wait.
    if (kicked) self.keep_kick();
}

Process::Watch* Process::new_watch(Quota& payer, base::Ref<Object> owner, SignalTarget& target, std::uint64_t bits) {
    void* memory = allocate_object(payer, sizeof(Watch));
    if (!memory) return nullptr;
    Watch* watch = new (memory) Watch;
    watch->owner = std::move(owner);
    watch->target = &target;
    watch->bits = bits;
    return watch;
}

void Process::delete_watch(Watch& watch) {
    watch.~Watch();
    release_object(&watch, sizeof(Watch));
}

base::Result<void> Process::watch(Quota& payer, base::Ref<Object> owner, SignalTarget& target, std::uint64_t bits, Holds holds) {
    const base::Ref<Object> keep = owner; // the watch may be gone before its target is signalled
    Watch* watch = new_watch(payer, std::move(owner), target, bits);
    if (!watch) return std::unexpected(abi::Error::no_memory);
    watch->holds = std::move(holds);
    bool over = false, exists = false;
    {
        LockGuard guard(lock_);
        over = state_.load() == abi::ProcessState::ended;
        Watch* found = watches_.lower_bound(WatchTarget()(*watch));
        if (found && found->target != &target) found = nullptr;
        exists = found && found->holds.valid();
        if (!over && !exists) {
            // One that signals nobody any more takes no place.
            if (found) watches_.remove(*found);
            watches_.insert(*watch);
            watch = found;
        }
    }
    if (watch) delete_watch(*watch);
    if (over) target.signal(bits);
    return over || !exists ? base::Result<void>() : std::unexpected(abi::Error::exists);
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
