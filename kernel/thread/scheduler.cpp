#include "kernel/thread/scheduler.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernel/arch/apic.hpp"
#include "kernel/arch/clock.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/domains.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/segments.hpp"
#include "kernel/arch/upcalls.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/load_roots.hpp"
#include "kernel/thread/migration.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/run_queue.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/thread/vector_state.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/thread/statistics.hpp"
#include "lib/base/weaken.hpp"

extern "C" void switch_stacks(std::uint64_t* save, const std::uint64_t* load);
extern "C" void thread_first_run();
extern "C" void kernel_thread_begins();

namespace kernel {

namespace {

constexpr std::uint64_t slice_nanoseconds = 4'000'000;
// Where a budget has many threads, or many budgets compete, each turn is shorter: nobody is to wait for a round of long ones.
constexpr std::uint64_t shortest_slice_nanoseconds = 500'000;
// A pool that several CPUs draw from is looked at again before it can be empty.
constexpr std::uint64_t pool_look_nanoseconds = 2'000'000;
// What is due already is looked at so soon again, and no timer is set for less.
constexpr std::uint64_t least_timer_nanoseconds = 1'000;
constexpr unsigned wakes_of_step = 32;
// Behind an interrupt of the timer the next deadline waits so long, where somebody runs.
constexpr std::uint64_t deadline_slack_nanoseconds = 50'000;

} // namespace

// What may touch a Task's private part.
struct Scheduling {
    static Task*& current() { return arch::this_cpu().current; }
    static RunQueue& queue() { return *arch::this_cpu().queue; }
    static RunQueue& home(const Task& task) { return *arch::cpu(task.home()).queue; }

    // Charges the pools of the task that runs from now on. Gives whether one is empty, and sees to it that the task leaves then: the way to user mode
    // goes through switch_if_due().
    static bool charge(RunQueue& queue, Budget& budget, std::uint64_t used, std::uint64_t now) BASE_REQUIRES(queue.lock) {
        if (!Budget::any_limited()) [[likely]]
            return false;
        return charge_pools(queue, budget, used, now);
    }
    [[gnu::noinline]] static bool charge_pools(RunQueue& queue, Budget& budget, std::uint64_t used, std::uint64_t now) BASE_REQUIRES(queue.lock) {
        const Budget::Left left = budget.charge(used, now);
        if (left.nanoseconds == Budget::unlimited)
            return false;
        if (left.nanoseconds <= 0) {
            queue.pool_refill = left.refill;
            arch::this_cpu().reschedule = true;
            return true;
        }
        const auto remaining = static_cast<std::uint64_t>(left.nanoseconds);
        const std::uint64_t look = remaining < pool_look_nanoseconds ? remaining : pool_look_nanoseconds;
        if (now + look < queue.timer_due)
            queue.timer_due = now + arch::start_timer(look);
        return false;
    }

    // Charges the time of the running task, to whoever lent it; gives whether its own budget is used up.
    static bool account(Task& task, RunQueue& queue) BASE_REQUIRES(queue.lock) {
        const std::uint64_t now = arch::monotonic_nanoseconds();
        std::uint64_t used = now > task.since_ ? now - task.since_ : 0;
        task.since_ = now;
        if (queue.payer != nullptr) [[unlikely]] {
            charge_lender(queue, std::exchange(used, 0), now);
            queue.payer = nullptr;
        }
        task.used_ += used;
        // Above the fair band its clocks stand still.
        if (task.budget_.group().runs(queue.cpu)) task.budget_.group().charge(queue.fair, queue.cpu, task, used);
        return charge(queue, task.budget_, used, now);
    }
    [[gnu::noinline]] static void charge_lender(RunQueue& queue, std::uint64_t used, std::uint64_t now) BASE_REQUIRES(queue.lock) {
        Task& lender = *queue.payer;
        lender.used_ += used;
        if (lender.priority() == 0) lender.budget_.group().charge(queue.fair, queue.cpu, lender, used);
        // What it has left is no matter of the one that works for it.
        (void)lender.budget_.charge(used, now);
    }

    // Before somebody takes a place: by clocks of when the turn began, which on a processor without ticks is long ago, it would be placed before all that the turn has used. And
    // who pays for it does so as one of those that were there then. A lent turn stays lent.
    static void pay_so_far(RunQueue& queue) BASE_REQUIRES(queue.lock) {
        Task* const running = current();
        if (running == nullptr || &queue != &Scheduling::queue() || running->priority() != 0 || running->state_.load(std::memory_order_relaxed) != Task::State::running)
            return;
        if (queue.payer == nullptr) [[likely]]
            (void)account(*running, queue);
        else
            charge_lender_so_far(queue);
    }

    [[gnu::noinline]] static void charge_lender_so_far(RunQueue& queue) BASE_REQUIRES(queue.lock) {
        Task& running = *current();
        const std::uint64_t now = arch::monotonic_nanoseconds();
        charge_lender(queue, now > running.since_ ? now - running.since_ : 0, now);
        running.since_ = now;
    }

    static std::uint64_t slice(Task& task, RunQueue& queue) BASE_REQUIRES(queue.lock) {
        return slice_nanoseconds / task.budget_.group().sharers(queue.fair, queue.cpu, slice_nanoseconds / shortest_slice_nanoseconds);
    }

    // The task is none of the runnable ones from here on.
    static void leave(RunQueue& queue, Task& task) BASE_REQUIRES(queue.lock) {
        --queue.load;
        task.budget_.group().leave(queue.fair, queue.cpu);
    }

    // The timer goes off at the end of the slice or at the next deadline, if there is either. A timer that goes off sooner is left alone: its handler
    // comes here again. Writing to it is dear, the more so under a hypervisor, and most deadlines are gone before they are due.
    static void program_timer(RunQueue& queue) BASE_REQUIRES(queue.lock) {
        std::uint64_t next = abi::never, deadline = queue.deadlines[0].next();
        if (Task* const running = current(); running != nullptr) {
            // Who is of another priority waits for no slice to end, or does not wait.
            if (queue.occupied >> running->priority() == 1) next = queue.slice_end;
            // Whoever runs pays for what wakes others: deadlines of the fair band that follow each other closely are looked at together.
            deadline = std::max(deadline, queue.timer_went_off + deadline_slack_nanoseconds);
        }
        next = std::min({next, deadline, queue.deadlines[1].next()});
        if (next >= queue.timer_due)
            return;
        const std::uint64_t now = arch::monotonic_nanoseconds();
        // One that goes off as soon as it can is not put off: whoever yields all the time comes here more often than that.
        if (queue.timer_due <= now + least_timer_nanoseconds)
            return;
        queue.timer_due = now + arch::start_timer(std::max(next, now + least_timer_nanoseconds) - now);
    }

    static void make_ready(RunQueue& queue, Task& task) BASE_REQUIRES(queue.lock) {
        // The lender's wait ended while the other one still works in its turn.
        if (queue.payer == &task) [[unlikely]] {
            charge_lender_so_far(queue);
            queue.payer = nullptr;
        }
        pay_so_far(queue);
        // Whoever sees this sees its home as well.
        task.state_.store(Task::State::ready, std::memory_order_release);
        ++queue.load;
        task.budget_.group().enter(queue.fair, queue.cpu);
        if (migration::may_stay(queue, task)) [[likely]]
            queue.add(task);
        else
            migration::send_away(queue, task);
    }

    // The lock is free at return, which is when this task runs again. The current task was charged and put where it belongs, and what came here was sorted in
    // before that: who is sorted in may be sent away, which the current task, whose stack is in use, must not.
    static void switch_away(RunQueue& queue) BASE_RELEASE(queue.lock) {
        Task* const from = current();
        if (from != nullptr && from->budget_.group().runs(queue.cpu))
            from->budget_.group().stop(queue.fair, queue.cpu);
        Task* const to = queue.take_best();
        migration::offer(queue);
        if (to != nullptr) {
            to->state_.store(Task::State::running, std::memory_order_relaxed);
            // Ready since before the rules changed: it looks at itself before it returns to user mode.
            if (to->sorted_ != queue.rules) [[unlikely]]
                arch::this_cpu().reschedule = true;
        }
        arch::this_cpu().quiescent.fetch_add(1, std::memory_order_release);
        if (from == to) {
            if (to != nullptr)
                queue.slice_end = to->since_ + slice(*to, queue); // an old end would set the timer off at once, again and again
            program_timer(queue);
            queue.lock.unlock();
            return;
        }
        ++queue.switches;
        const std::uint64_t now = from != nullptr ? from->since_ : arch::monotonic_nanoseconds();
        if (from != nullptr) {
            vector_switch_out(from->thread());
            from->saved_fs_ = arch::fs_base();
            from->saved_gs_ = arch::user_gs_base();
        }
        // Before the task looks at its kicks and stops: who sets one and then sees another task here sends no interrupt.
        __atomic_store_n(&current(), to, __ATOMIC_SEQ_CST);
        std::uint64_t* const save = from != nullptr ? &from->saved_stack_ : &queue.idle_stack;
        const std::uint64_t* load = &queue.idle_stack;
        if (to != nullptr) {
            to->since_ = now;
            queue.slice_end = now + slice(*to, queue);
            (void)charge(queue, to->budget_, 0, now);
            arch::set_kernel_stack(to->top);
            arch::set_fs_base(to->saved_fs_);
            arch::set_user_gs_base(to->saved_gs_);
            if (from != nullptr)
                kernel::load_roots(to->thread());
            else
                go_on_to_roots(to->thread());
            arch::enter_domain(to->thread().process().domain());
            vector_switch_in(to->thread());
            load = &to->saved_stack_;
        } else {
            // Most often the same thread is the next one to run.
            tlb::rest();
        }
        program_timer(queue);
        switch_over(queue, save, load);
    }
    // The lock goes on to whoever comes out of the switch: nobody else may take a task whose stack is still in use. Not analysed: the one that is given back at return may be
    // another CPU's.
    [[gnu::always_inline]] static void switch_over(RunQueue& queue, std::uint64_t* save, const std::uint64_t* load) BASE_RELEASE(queue.lock) BASE_NO_THREAD_SAFETY_ANALYSIS {
        switch_stacks(save, load);
        after_switch();
    }

    // For a task that holds nothing.
    [[gnu::noinline]] static void wait_for_refill(RunQueue& queue, Task& self) BASE_RELEASE(queue.lock) {
        // Its end or its suspension come first. A kick waits as it does: for a wait to end, or for the return to a guest.
        if (!self.fall_asleep_unless(Thread::attention_kick)) {
            queue.lock.unlock();
            return;
        }
        arch::this_cpu().reschedule = false;
        migration::sort_in(queue);
        queue.arm(self, queue.pool_refill);
        leave(queue, self);
        switch_away(queue);
        disarm_current(self);
    }
    // No lock held. By the task itself, which may be on another CPU than when it armed: then it was disarmed on the way.
    static void disarm_current(Task& self) {
        RunQueue& queue = Scheduling::queue();
        const LockGuard guard(queue.lock);
        queue.disarm(self);
    }

    // False where its home is not here: a task moves under the lock of the queue that it leaves, and until that is held its home is a guess.
    static bool wake_here(RunQueue& queue, Task& task) {
        const LockGuard guard(queue.lock);
        if (&home(task) != &queue) [[unlikely]]
            return false;
        if (!task.must_be_woken())
            return true;
        make_ready(queue, task);
        look_again(queue);
        return true;
    }
    // By the CPU itself: somebody has become ready here.
    static void look_again(RunQueue& queue) BASE_REQUIRES(queue.lock) {
        Task* const running = current();
        if (running == nullptr || queue.beats(*running, false)) {
            arch::this_cpu().reschedule = true;
            return;
        }
        program_timer(queue); // the running task has company now: its slice counts
        // Another CPU is asked to take it once the waker returns to user mode. A waker that blocks before that, as in a call or an answer, leaves its CPU to the one it woke.
        if (migration::is_wanted())
            arch::this_cpu().reschedule = true;
    }

    static void after_switch() {
        RunQueue& queue = Scheduling::queue();
        queue.lock.assert_held();
        Task* const ended = queue.ended;
        queue.ended = nullptr;
        if (queue.moving != nullptr) [[unlikely]]
            migration::send_away(queue, *std::exchange(queue.moving, nullptr));
        queue.lock.unlock();
        if (ended != nullptr)
            ended->thread().release();
    }

    // On the idle stack. Gives whether somebody ran, or there is more to sort in.
    static bool run_if_ready(RunQueue& queue) BASE_RELEASE(queue.lock) {
        arch::this_cpu().reschedule = false;
        migration::sort_in(queue);
        if (queue.occupied == 0) {
            const bool more = migration::is_unsorted(queue);
            queue.lock.unlock();
            return more;
        }
        migration::clear_idle(queue.cpu);
        switch_away(queue);
        return true;
    }

    // Under the lock of wherever it begins, where it counts as load from here on: whoever starts several puts each on another CPU.
    static void start(Task& task) {
        const std::uint64_t chosen = task.chosen();
        migration::renew_rules(task);
        task.set_home(migration::least_loaded(task.allowed_));
        RunQueue& queue = home(task);
        const LockGuard guard(queue.lock);
        // Who chooses from here on finds it started.
        if (task.chosen() != chosen) [[unlikely]]
            migration::renew_rules(task);
        if (&queue != &Scheduling::queue())
            return migration::send_new(queue, task);
        pay_so_far(queue);
        task.virtual_time_ = task.budget_.group().now(queue.cpu);
        make_ready(queue, task);
        look_again(queue);
    }
};

Dying& current_dying() {
    // A thread's list goes with it to other CPUs; before the first thread and while a CPU idles it has one of its own.
    static constinit Dying of_idle[arch::max_cpus];
    Task* const task = Scheduling::current();
    return task != nullptr ? task->dying : of_idle[arch::this_cpu().index];
}

base::Result<void> Task::create(Quota& quota) {
    if (!quota.node().charge_pages(stack_pages))
        return base::fail(abi::Error::no_memory);
    native_top = allocate_stack();
    if (native_top == 0) {
        quota.node().release_pages(stack_pages);
        return base::fail(abi::Error::no_memory);
    }
    top = native_top;
    return {};
}

void Task::destroy(Quota& quota) {
    if (native_top == 0)
        return;
    free_stack(native_top);
    quota.node().release_pages(stack_pages);
    native_top = 0;
}

void Task::start(std::uint64_t entry, std::uint64_t stack, std::uint64_t argument, std::uint64_t page) {
    arch::Registers& registers = user_registers();
    if (!base::weakened(base::Weakness::thread_registers)) std::memset(&registers, 0, sizeof registers);
    registers.rip = entry;
    registers.rsp = stack;
    registers.rdi = argument;
    registers.rsi = page;
    registers.cs = arch::user_code;
    registers.ss = arch::user_data;
    registers.rflags = arch::sanitise_flags(0);
    // What switch_stacks pops: six registers, then the return address. thread_first_run finds the user's registers above it.
    auto* const frame = reinterpret_cast<std::uint64_t*>(&registers) - 7;
    std::memset(frame, 0, 6 * sizeof(std::uint64_t));
    frame[6] = reinterpret_cast<std::uint64_t>(&thread_first_run);
    saved_stack_ = reinterpret_cast<std::uint64_t>(frame);
    Scheduling::start(*this);
}

namespace sched {

void block() {
    lock_ranks::expect_none("a wait");
    Task& self = *Scheduling::current();
    RunQueue& queue = Scheduling::queue();
    queue.lock.lock();
    if (!self.fall_asleep(self.dying.in_steps ? Task::State::blocked_in_steps : Task::State::blocked)) {
        queue.lock.unlock();
        return;
    }
    // The best one runs from here on: what was to be looked at is.
    arch::this_cpu().reschedule = false;
    (void)Scheduling::account(self, queue);
    migration::sort_in(queue);
    Scheduling::leave(queue, self);
    Scheduling::switch_away(queue);
}

void wait_until(Task& self, abi::Deadline deadline, WaitState& wait) {
    while (!wait.is_complete()) {
        if (!self.dying.empty() && !self.dying.in_steps) [[unlikely]] {
            // What ends may wait for its turn, with a deadline of its own.
            Scheduling::disarm_current(self);
            end_the_dying();
            continue;
        }
        if (deadline != abi::never) {
            if (arch::monotonic_nanoseconds() >= deadline && wait.claim()) {
                wait.complete(-static_cast<std::int32_t>(abi::Error::timed_out));
                break;
            }
            RunQueue& queue = Scheduling::queue();
            const LockGuard guard(queue.lock);
            if (!self.armed())
                queue.arm(self, deadline);
        }
        block();
        // Others may wake it for nothing as fast as it comes here.
        if (!wait.is_complete()) [[unlikely]]
            preemption_point();
    }
    if (deadline != abi::never)
        Scheduling::disarm_current(self);
}

void wake(Task& task) {
    RunQueue& queue = Scheduling::queue();
    if (&Scheduling::home(task) == &queue && Scheduling::wake_here(queue, task))
        return;
    // Who does not sleep costs its home nothing: else a thread that waits there for its turn would be a way to interrupt whoever runs, again and again.
    if (task.needs_its_home())
        wake_at_home(task);
}

// No lock of that CPU is waited for: it may be taken away with one held.
void wake_at_home(Task& task) {
    const std::uint32_t cpu = task.home();
    task.thread().retain();
    if (!arch::cpu(cpu).queue->wakes.post(task))
        task.thread().release_shared();
    // Also where it was on the way: who posted it may not have come to this.
    arch::send_interrupt(arch::cpu(cpu).apic_id, arch::vector::reschedule);
}

std::uint64_t processor_nanoseconds(const Task& task) {
    for (;;) {
        RunQueue& queue = Scheduling::home(task);
        const LockGuard guard(queue.lock);
        if (&Scheduling::home(task) != &queue)
            continue;
        const Task* const running = __atomic_load_n(&arch::cpu(queue.cpu).current, __ATOMIC_RELAXED);
        // Whoever pays for the turn has used what of it is not charged yet: a processor with nothing else to do charges seldom.
        if (running == nullptr || (queue.payer != nullptr ? queue.payer : running) != &task)
            return task.used_;
        const std::uint64_t now = arch::monotonic_nanoseconds();
        return task.used_ + (now > running->since_ ? now - running->since_ : 0);
    }
}

void interrupt(Task& task) {
    arch::Cpu& cpu = arch::cpu(task.home());
    if (&cpu != &arch::this_cpu() && __atomic_load_n(&cpu.current, __ATOMIC_SEQ_CST) == &task)
        arch::send_interrupt(cpu.apic_id, arch::vector::reschedule);
}

void yield() {
    arch::this_cpu().reschedule = true;
    RunQueue& queue = Scheduling::queue();
    const LockGuard guard(queue.lock);
    queue.slice_end = 0;
}

bool switch_if_due(bool leaving) {
    arch::Cpu& cpu = arch::this_cpu();
    if (!cpu.reschedule)
        return false;
    cpu.reschedule = false;
    RunQueue& queue = *cpu.queue;
    Task& self = *cpu.current;
    queue.lock.lock();
    if (Scheduling::account(self, queue) && leaving) [[unlikely]] {
        Scheduling::wait_for_refill(queue, self);
        return true;
    }
    migration::sort_in(queue);
    if (!migration::may_stay(queue, self)) [[unlikely]] {
        self.state_.store(Task::State::ready, std::memory_order_relaxed);
        queue.moving = &self;
        Scheduling::switch_away(queue);
        return true;
    }
    // Its budget's priority may have fallen.
    if (self.priority() == 0 && !self.budget_.group().runs(queue.cpu)) [[unlikely]]
        self.budget_.group().run(queue.fair, queue.cpu);
    const bool expired = self.since_ >= queue.slice_end;
    if (!queue.beats(self, expired)) {
        migration::offer(queue);
        Scheduling::program_timer(queue);
        queue.lock.unlock();
        return false;
    }
    self.state_.store(Task::State::ready, std::memory_order_relaxed);
    queue.add(self);
    Scheduling::switch_away(queue);
    return true;
}

void exit_current() {
    RunQueue& queue = Scheduling::queue();
    Task& self = *Scheduling::current();
    queue.lock.lock();
    (void)Scheduling::account(self, queue);
    migration::sort_in(queue);
    self.state_.store(Task::State::ended, std::memory_order_relaxed);
    Scheduling::leave(queue, self);
    queue.ended = &self;
    Scheduling::switch_away(queue);
    __builtin_unreachable();
}

void load_roots(Task& task) {
    if (&task == Scheduling::current())
        kernel::load_roots(task.thread());
}

void load_kernel_roots() { tlb::load(kernel_roots(), false); }

void after_switch() { Scheduling::after_switch(); }

void on_timer() {
    RunQueue& queue = Scheduling::queue();
    const LockGuard guard(queue.lock);
    queue.timer_due = abi::never;
    const std::uint64_t now = queue.timer_went_off = arch::monotonic_nanoseconds();
    // What more is due has the timer go off again, after whatever else waits for the CPU.
    for (unsigned i = 0; i < wakes_of_step; ++i) {
        DeadlineNode* const due = queue.take_due(now);
        if (due == nullptr)
            break;
        Task& task = static_cast<Task&>(*due);
        if (task.must_be_woken())
            Scheduling::make_ready(queue, task);
    }
    arch::this_cpu().reschedule = true;
    Scheduling::program_timer(queue);
}

void on_reschedule() {
    arch::this_cpu().reschedule = true;
    arch::this_cpu().quiescent.fetch_add(1, std::memory_order_release);
    Mailbox& wakes = Scheduling::queue().wakes;
    for (unsigned i = 0; i < wakes_of_step; ++i) {
        MailNode* const node = wakes.take();
        if (node == nullptr)
            return;
        Task& task = static_cast<Task&>(*node);
        wake(task);
        task.thread().release();
    }
    // The rest after whatever else waits for the CPU.
    if (!wakes.is_empty())
        arch::send_interrupt(arch::this_cpu().apic_id, arch::vector::reschedule);
}

void idle() {
    RunQueue& queue = Scheduling::queue();
    for (;;) {
        arch::this_cpu().quiescent.fetch_add(1, std::memory_order_release);
        end_the_dying();
        migration::set_idle(queue.cpu);
        queue.lock.lock();
        // Frames are zeroed ahead one at a time, with a look at the queue and the interrupts between them; once there are enough, and they soon are, this CPU halts.
        if (Scheduling::run_if_ready(queue) || migration::pull(queue) || frames::zero_ahead()) {
            arch::serve_interrupts();
            continue;
        }
        arch::halt_until_interrupt();
        auto& wakeups = arch::this_cpu().idle_wakeups;
        wakeups.store(wakeups.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
}

} // namespace sched

void preemption_point() {
    lock_ranks::expect_none("a preemption point");
    arch::serve_interrupts();
    RunQueue* const queue = arch::this_cpu().queue;
    if (queue == nullptr)
        return; // before the first thread
    if (Scheduling::current() != nullptr) {
        (void)sched::switch_if_due();
        return;
    }
    // An idle CPU that ends what its last thread left.
    queue->lock.lock();
    (void)Scheduling::run_if_ready(*queue);
}

bool caller_ends() {
    Task* const self = Scheduling::current();
    return self != nullptr && self->thread().stopping();
}

bool caller_goes_first() {
    Task* const self = Scheduling::current();
    return self == nullptr || self->priority() > 0;
}

void wait_for_turn(unsigned attempt) {
    constexpr std::uint64_t shortest = 50'000;
    constexpr unsigned doublings = 7;
    Task* const self = Scheduling::current();
    if (self == nullptr || base::weakened(base::Weakness::turn_asleep)) {
        preemption_point();
        return;
    }
    // A wait that nobody else knows of, beside the thread's own: a wake-up for that is seen there when its turn comes.
    WaitState wait;
    wait.announce();
    sched::wait_until(*self, arch::monotonic_nanoseconds() + (shortest << std::min(attempt, doublings)), wait);
}

namespace statistics {
std::uint32_t cpu_count() { return static_cast<std::uint32_t>(arch::cpu_count()); }
std::uint64_t context_switches() {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < arch::max_cpus; ++i)
        if (const RunQueue* const queue = arch::cpu(i).queue)
            sum += __atomic_load_n(&queue->switches, __ATOMIC_RELAXED);
    return sum;
}
std::uint64_t root_loads() { return arch::root_loads(); }
std::uint64_t page_faults() { return arch::page_faults(); }
std::uint64_t idle_wakeups(std::uint32_t cpu) { return arch::cpu(cpu).idle_wakeups.load(std::memory_order_relaxed); }
} // namespace statistics

} // namespace kernel

extern "C" void kernel_thread_begins() {
    kernel::Scheduling::after_switch();
    // It may have been stopped or suspended before it ever ran.
    kernel::arch::upcall::before_return_to_user();
}
