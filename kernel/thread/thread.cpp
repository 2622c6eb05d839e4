#include "kernel/thread/thread.hpp"

#include "kernel/arch/clock.hpp"
#include "kernel/arch/domains.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/vector_state.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/core/preempt.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constexpr std::int32_t negative(abi::Error error) { return -static_cast<std::int32_t>(error); }

// In a twin alone: as slow as a CPU may be between a thread's end and the switch away from it. Until the last thread has freed the process' tables, `root` among them, somebody else
// has that memory, and this CPU has forgotten what it knew.
[[maybe_unused]] void stay_behind(const Process& process, std::uint64_t root) {
    if (!process.ending() || process.ended()) return;
    const auto* const kernel_entry = direct<const std::uint64_t>(root) + abi::page_size / sizeof(std::uint64_t) - 1;
    const std::uint64_t entry = __atomic_load_n(kernel_entry, __ATOMIC_RELAXED);
    while (!process.ended() || __atomic_load_n(kernel_entry, __ATOMIC_RELAXED) == entry) arch::relax();
    arch::invalidate_everything();
}

} // namespace

base::Result<void> CallState::prepare(Thread& caller, std::uint64_t call_badge) {
    TRY(capabilities.collect(caller, caller.registers().rsi));
    badge = call_badge;
    // The Reply of the last call serves again, unless somebody still has a slot or a use of it.
    if (reply && reply->has_one_reference()) return {};
    auto fresh = make_object<Reply>(caller.process().quota());
    if (!fresh) {
        capabilities.clear();
        return std::unexpected(fresh.error());
    }
    reply = std::move(*fresh);
    return {};
}

void CallState::finish() { capabilities.clear(); }

base::Result<base::Ref<Thread>> Thread::create(Process& process, base::Ref<Budget> budget) {
    trim_stacks();
    auto thread = TRY(make_object<Thread>(process.quota(), process, std::move(budget)));
    TRY(thread->task_.create(process.quota()));
    auto space = TRY(process.space());
    thread->page_frame_ = TRY(space->add_thread_page(thread->page_address_));
    thread->page_ = direct<abi::ThreadPage>(thread->page_frame_);
    TRY(process.add_thread(*thread));
    return thread;
}

Thread::Thread(Process& process, base::Ref<Budget> budget) : Object(object_kind), process_(process), budget_(std::move(budget)), task_(*this, *budget_), wait_use_(*this) {
    task_.dying.attention = &task_.attention;
}

// Never started and nobody is left who could: its process must not wait for it. (One that ran has left already.)
bool Thread::ends_long() const { return static_cast<const base::ListNodeOf<InProcess>&>(*this).linked(); }

void Thread::end_in_steps() {
    if (!ends_long()) return;
    remove_page();
    process_->thread_ended(*this, Process::Pauses::yes);
}

// A process that ends unmaps everything at once: thousands of threads would forget their pages in all TLBs one by one.
void Thread::remove_page() {
    if (auto space = process_->space(); space && !process_->ending()) (*space)->remove_thread_page(page_address_, page_frame_);
}

void Thread::discard() {
    task_.attention.fetch_or(attention_stop, std::memory_order_seq_cst);
    // Its process may have ended it already.
    if (started_.exchange(true)) return;
    remove_page();
    process_->forget_thread(*this);
}

Thread::~Thread() {
    if (ends_long()) process_->thread_ended(*this, Process::Pauses::no);
    if (page_frame_) frames::release(page_frame_);
    release_vector_state(*this);
    task_.destroy(process_->quota());
}

void Thread::wait_under(const LeaseHold& hold) {
    if (wait_hold_.lease.get() != hold.lease.get() || wait_hold_.generation != hold.generation) {
        wait_use_.unlink();
        wait_hold_ = {};
        if (!wait_use_.link(*hold.lease, hold.generation)) return end_wait(abi::Error::revoked);
        wait_hold_ = hold;
    }
    // A revocation first bumps the generation and then looks at the waits: one of the two sees the other.
    waits_under_lease_.store(true, std::memory_order_seq_cst);
    if (!hold.valid()) end_wait(abi::Error::revoked);
}

std::int32_t Thread::wait(abi::Deadline deadline) {
    // The wait was announced before these are looked at, and a kick sets its latch before it looks for a wait: one of the two sees the other.
    if (stopping() || kicked()) end_wait(abi::Error::canceled);
    if (deadline == abi::poll) end_wait(abi::Error::timed_out);
    sched::wait_until(task_, deadline, wait_);
    wait_is_over();
    const std::int32_t outcome = wait_.outcome();
    // The kick is used up by the wait that it ended, and by no other.
    if (outcome == negative(abi::Error::canceled)) take_kick();
    return outcome;
}

base::Result<void> Thread::drop_current_reply() {
    const base::Ref<Reply> dropped = std::move(current_reply_);
    if (!dropped) return std::unexpected(abi::Error::bad_handle);
    dropped->drop();
    return {};
}

void Thread::end_wait(abi::Error error) {
    if (wait_.claim()) finish_wait(negative(error));
}

void Thread::finish_wait(std::int32_t outcome) {
    // Complete, the thread may run to its end before the next line is done here.
    base::Ref<Thread> keep(*this);
    wait_.complete(outcome);
    sched::wake(task_);
}

void Thread::abandon_wait() {
    if (wait_.claim()) {
        wait_.complete(0);
        return;
    }
    while (!wait_.is_complete()) arch::relax();
    // Ended by a kick, most likely: its latch is still set for the next wait.
}

bool Thread::WaitUse::begin_end() {
    if (base::weakened(base::Weakness::revoke_wait)) return false;
    // The thread may be in another wait already, which this lease has nothing to do with.
    const std::uint32_t wait = thread.wait_.current();
    if (thread.waits_under_lease_.load(std::memory_order_seq_cst) && thread.wait_.claim(wait)) thread.finish_wait(negative(abi::Error::revoked));
    return false;
}

base::Result<void> Thread::start(std::uint64_t entry, std::uint64_t stack, std::uint64_t argument) {
    if (!personality_half().contains(entry, 1) || !personality_half().contains(stack, 0)) {
        return std::unexpected(abi::Error::bad_pointer);
    }
    if (process_->ending() || stopping() || started_.exchange(true)) return std::unexpected(abi::Error::bad_state);
    process_->thread_started();
    // The reference of the running thread itself; given up when its stack is no longer in use.
    retain();
    task_.start(entry, stack, argument, page_address_);
    return {};
}

bool Thread::stop() {
    base::Ref<Thread> keep(*this);
    const bool first = (task_.attention.fetch_or(attention_stop, std::memory_order_seq_cst) & attention_stop) == 0;
    if (!started_.exchange(true)) {
        // Never ran: there is nothing that could end it but this.
        remove_page();
        process_->thread_ended(*this, Process::Pauses::yes);
        return first;
    }
    end_wait(abi::Error::canceled);
    sched::wake(task_);
    sched::interrupt(task_);
    return first;
}

void Thread::suspend() {
    task_.attention.fetch_or(attention_suspend, std::memory_order_seq_cst);
    sched::interrupt(task_);
}

void Thread::resume() {
    // Who is not suspended has nothing to look at, and its sleep is no business of this.
    if (task_.attention.fetch_and(~attention_suspend, std::memory_order_seq_cst) & attention_suspend) sched::wake(task_);
}

void Thread::kick() {
    task_.attention.fetch_or(attention_kick, std::memory_order_seq_cst);
    // The thread may have seen the latch already, ended a wait by it, and be in the next one, which this kick has nothing to do with: then the latch is gone.
    const std::uint32_t wait = wait_.current();
    if (kicked() && wait_.claim(wait)) finish_wait(negative(abi::Error::canceled));
    sched::interrupt(task_);
}

base::Result<void> Thread::choose(std::uint64_t cpus) {
    if (cpus != 0 && (cpus & budget_->rules().cpus) == 0) return std::unexpected(abi::Error::bad_argument);
    if (task_.chosen() == cpus) return {};
    task_.choose(cpus);
    if (started_.load()) sched::apply_choice(task_);
    return {};
}

base::Result<void> Thread::pay_for_records() {
    records_paid_ = TRY(Audit::take_ahead(process_->audit_account()));
    return {};
}

base::Result<void> Thread::may_look_again(const LeaseHold& hold, abi::Deadline deadline) {
    if (stopping() || take_kick()) return std::unexpected(abi::Error::canceled);
    if (!hold.valid()) return std::unexpected(abi::Error::revoked);
    if (deadline != abi::poll && deadline != abi::never && arch::monotonic_nanoseconds() >= deadline) return std::unexpected(abi::Error::timed_out);
    return {};
}

void Thread::before_user() {
    for (;; sched::block()) {
        if (task_.attention.load(std::memory_order_relaxed) & Dying::attention_bit) {
            end_the_dying();
            task_.attention.fetch_and(~Dying::attention_bit, std::memory_order_relaxed);
        }
        // Once more after a suspension: the switch out of it may have brought ends.
        if ((attention() & (attention_stop | attention_suspend)) != attention_suspend) break;
    }
    if (stopping()) exit();
}

void Thread::exit() {
    task_.attention.fetch_or(attention_stop, std::memory_order_seq_cst);
    // Of thousands that are told to end each switches to the next, which does not come by user mode.
    preemption_point();
    attach(nullptr);
    trim_stacks();
    call_.finish();
    call_.reply.reset();
    (void)drop_current_reply();
    exchange_.sends = {};
    exchange_.receives = {};
    wait_use_.unlink();
    wait_hold_ = {};
    if (const std::uint32_t paid = std::exchange(records_paid_, 0); paid != 0) Audit::give_back(process_->audit_account(), paid);
    remove_page();
    end_the_dying();
    // From the next line on another thread may be the process' last one, and free the space. Nothing here loads its roots again: there is no preemption point but for the last thread.
    const std::uint64_t left = base::weakened(base::Weakness::root_left) ? process_->roots().native : 0;
    if (left == 0) sched::load_kernel_roots();
    process_->thread_ended(*this, Process::Pauses::yes);
    if (left != 0) stay_behind(*process_, left);
    // What the process' end left, if this was the last thread. Else nothing.
    end_the_dying();
    sched::exit_current();
}

void Thread::inspect(abi::ThreadInfo& info) {
    info.thread_page = page_address_;
    info.cpu_nanoseconds = sched::processor_nanoseconds(task_);
    info.cpu = task_.home();
    info.state = stopping() ? 2 : started_.load() ? 1 : 0;
}

void Thread::attach(base::Ref<Space> space) {
    base::Ref<Space> before = std::move(guest_);
    guest_ = std::move(space);
    task_.guest = nullptr; // until the general way has prepared it
    // The old roots must be out of the register before their tables may go.
    sched::load_roots(task_);
    // A hand-over between threads without guests looks at neither: whoever has none has no vector registers.
    if (!guest_) leave_vector_registers(*this);
    if (guest_) process_->take_domain();
    arch::enter_domain(process_->domain());
}

} // namespace kernel
