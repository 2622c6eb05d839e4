#include "kernel/thread/migration.hpp"

#include "kernel/arch/apic.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/core/grace.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/scheduler.hpp"

namespace kernel {

namespace {

[[clang::no_destroy]] constinit RunQueue queues[arch::max_cpus];

// Of a long queue only so many are looked at: whoever is confined to its CPU is passed by.
constexpr unsigned most_looked_at = 32;
// Tasks that one step sorts in.
constexpr unsigned step_tasks = 16;

} // namespace

void sched::initialize_queue(std::uint32_t cpu) {
    queues[cpu].cpu = cpu;
    arch::cpu(cpu).queue = &queues[cpu];
}

std::uint64_t sched::processors() {
    std::uint64_t mask = 0;
    for (std::uint32_t i = 0; i < arch::max_cpus; ++i)
        if (arch::cpu(i).online.load(std::memory_order_acquire) && arch::cpu(i).queue != nullptr)
            mask |= 1ull << i;
    return mask;
}

void sched::apply_rules() {
    constexpr std::uint32_t last = (1u << 31) - 1;
    std::uint32_t before = migration::rules.load(std::memory_order_relaxed);
    while (!migration::rules.compare_exchange_weak(before, before == last ? 1 : before + 1, std::memory_order_seq_cst)) {}
    look_again_everywhere();
}

void sched::look_again_everywhere() {
    arch::this_cpu().reschedule = true;
    // Every other CPU is interrupted, and looks at its running task and at its queue before it returns to user mode.
    wait_for_grace_period();
}

void sched::apply_choice(Task& task) {
    for (;;) {
        const std::uint32_t cpu = task.home();
        RunQueue& queue = queues[cpu];
        bool tell = false;
        {
            const LockGuard guard(queue.lock);
            // A task moves under the lock of the queue that it leaves, but for its start, which is elsewhere: whoever sees it started sees where.
            const Task::State state = task.state_.load(std::memory_order_acquire);
            if (task.home() != cpu)
                continue;
            tell = migration::choose(queue, task, state);
        }
        if (!tell)
            return;
        if (&arch::cpu(cpu) == &arch::this_cpu())
            arch::this_cpu().reschedule = true;
        else
            wait_for_grace_period_of(arch::cpu(cpu));
        return;
    }
}

namespace migration {

namespace {

struct Found {
    Task* task = nullptr;
    unsigned index = 0;
};

// One of the fair band, where it does not matter which, and whoever was looked at goes to the back: a crowd that is confined hides nobody for long.
Task* find_fair(RunQueue& queue, std::uint64_t cpus, unsigned most) BASE_REQUIRES(queue.lock) {
    auto& waiting = queue.ready[0];
    const Task* const last = waiting.empty() ? nullptr : &waiting.back();
    for (unsigned looked_at = 0; last != nullptr && looked_at < most; ++looked_at) {
        Task& task = waiting.front();
        if ((task.allowed_ & cpus) != 0)
            return &task;
        waiting.remove(task);
        waiting.push_back(task);
        if (&task == last)
            break;
    }
    return nullptr;
}

// The best of those who may run on one of `cpus`.
Found find(RunQueue& queue, std::uint64_t cpus) BASE_REQUIRES(queue.lock) {
    unsigned looked_at = 0;
    for (std::uint32_t left = queue.occupied; left != 0;) {
        const unsigned index = static_cast<unsigned>(std::bit_width(left)) - 1;
        left &= ~(1u << index);
        if (index == 0)
            return {find_fair(queue, cpus, most_looked_at - looked_at), 0};
        for (Task& task : queue.ready[index]) {
            if ((task.allowed_ & cpus) != 0)
                return {&task, index};
            if (++looked_at == most_looked_at)
                return {};
        }
    }
    return {};
}

// Looks that are due by a choice: what each has instead of a state of the rules.
constinit std::atomic<std::uint32_t> choices{0};

// The task is ready, and in no list.
void send(RunQueue& from, Task& task, std::uint32_t to) BASE_REQUIRES(from.lock) {
    --from.load;
    // Clocks of two queues have nothing to do with each other: what goes along is by how much it is ahead of its group's.
    Budget::Group& group = task.budget_.group();
    task.virtual_time_ = static_cast<std::uint64_t>(group.lead(from.cpu, task));
    group.leave(from.fair, from.cpu);
    // Whoever waits with a deadline looks at it when it runs, and arms again.
    from.disarm(task);
    task.sorted_ = Task::unsorted;
    queues[to].arrivals.add(task, to);
}

void notify(std::uint32_t cpu) {
    if (&arch::cpu(cpu) == &arch::this_cpu())
        arch::this_cpu().reschedule = true;
    else
        arch::send_interrupt(arch::cpu(cpu).apic_id, arch::vector::reschedule);
}

// The fullest of those that offer something, but for the CPUs of `but`; null where there is none.
RunQueue* fullest(std::uint64_t but) {
    RunQueue* best = nullptr;
    std::uint32_t most = 0;
    for (std::uint32_t i = 0; i < arch::max_cpus; ++i) {
        RunQueue& queue = queues[i];
        const std::uint32_t load = __atomic_load_n(&queue.load, __ATOMIC_RELAXED);
        if ((but >> i & 1) != 0 || load <= most || !__atomic_load_n(&queue.offered, __ATOMIC_RELAXED))
            continue;
        most = load;
        best = &queue;
    }
    return best;
}

// One that came here, counted; null where there is none.
Task* arrived(RunQueue& queue) BASE_REQUIRES(queue.lock) {
    Task* const task = queue.arrivals.any() ? queue.arrivals.take() : nullptr;
    if (task == nullptr)
        return nullptr;
    Budget::Group& group = task->budget_.group();
    ++queue.load;
    group.enter(queue.fair, queue.cpu);
    task->virtual_time_ = group.behind_lead(queue.cpu, static_cast<std::int64_t>(task->virtual_time_));
    return task;
}

} // namespace

constinit std::atomic<std::uint64_t> idle_cpus{0};
constinit std::atomic<std::uint32_t> rules{1};

void offer_waiting(RunQueue& queue) {
    __atomic_store_n(&queue.offered, true, __ATOMIC_RELAXED);
    // Set before the idle ones are looked at: who says that it is idle looks at the queues after that.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint64_t idle = idle_cpus.load(std::memory_order_relaxed) & ~(1ull << queue.cpu);
    if (idle == 0)
        return;
    const Found found = find(queue, idle);
    if (found.task == nullptr)
        return;
    const auto cpu = static_cast<std::uint32_t>(std::countr_zero(idle & found.task->allowed_));
    // It says so anew if it finds nothing: until then nobody else asks it.
    clear_idle(cpu);
    notify(cpu);
}

std::uint32_t least_loaded(std::uint64_t cpus) {
    std::uint32_t best = 0;
    std::uint32_t least = ~0u;
    for (std::uint64_t left = cpus & sched::processors(); left != 0; left &= left - 1) {
        const auto cpu = static_cast<std::uint32_t>(std::countr_zero(left));
        const std::uint32_t load = queues[cpu].competing();
        if (load >= least)
            continue;
        least = load;
        best = cpu;
    }
    return best;
}

void renew_rules(Task& task) {
    // Before the rules are read: what changes after that is looked at again.
    const std::uint32_t state = rules.load(std::memory_order_acquire);
    const Budget::Rules now = task.budget_.rules();
    const std::uint64_t both = now.cpus & task.chosen();
    task.set_rules(state, now.priority, both != 0 ? both : now.cpus);
}

bool choose(RunQueue& queue, Task& task, Task::State state) {
    const auto look_again = [&task] { task.look_again(choices.fetch_add(1, std::memory_order_relaxed) | 1u << 31); };
    switch (state) {
    case Task::State::created: // looks itself when it starts, after this lock was given up at the latest
    case Task::State::ended: return false;
    case Task::State::blocked:
    case Task::State::blocked_in_steps: look_again(); return false;
    case Task::State::ready:
        if (task.sorted_ != queue.rules) {
            look_again(); // when it is sorted in, or its turn comes
            return false;
        }
        queue.take(task.priority(), task);
        renew_rules(task);
        queue.add(task);
        // Who computes elsewhere is not interrupted for it, which anybody could ask for again and again: it goes when an idle one takes it, or its turn comes.
        if ((task.allowed_ >> queue.cpu & 1) == 0) {
            task.sorted_ = Task::unsorted;
            look_again();
        }
        offer(queue);
        return false;
    case Task::State::running:
        renew_rules(task);
        if ((task.allowed_ >> queue.cpu & 1) != 0)
            return false;
        // Nobody hands over to it, nor it to another, until its CPU has looked.
        look_again();
        return true;
    }
    return false;
}

void send_new(RunQueue& to, Task& task) {
    task.virtual_time_ = 0;
    task.sorted_ = Task::unsorted;
    // Whoever sees this sees its home as well.
    task.state_.store(Task::State::ready, std::memory_order_release);
    to.arrivals.add(task, to.cpu);
    notify(to.cpu);
}

void send_away(RunQueue& from, Task& task) {
    const std::uint32_t to = least_loaded(task.allowed_);
    send(from, task, to);
    notify(to);
}

bool pull(RunQueue& own) {
    std::uint64_t but = 1ull << own.cpu;
    while (RunQueue* const queue = fullest(but)) {
        but |= 1ull << queue->cpu;
        const LockGuard guard(queue->lock);
        const Found found = queue->offered ? find(*queue, 1ull << own.cpu) : Found{};
        if (found.task == nullptr)
            continue;
        queue->take(found.index, *found.task);
        send(*queue, *found.task, own.cpu);
        return true;
    }
    return false;
}

void sort_in_step(RunQueue& queue) {
    if (const std::uint32_t now = rules.load(std::memory_order_acquire); queue.rules != now) {
        queue.rules = now;
        for (unsigned index = priorities - 1; index != 0; --index)
            queue.unsorted[1].splice_back(queue.ready[index]);
        queue.unsorted[0].splice_back(queue.ready[0]);
        queue.occupied = queue.fair_ready != 0 ? 1 : 0;
    }
    for (unsigned i = 0; i < step_tasks; ++i) {
        // What waits for nothing but this comes first.
        Task* task = queue.unsorted[1].pop_front();
        if (task == nullptr)
            task = arrived(queue);
        if (task == nullptr)
            task = queue.unsorted[0].pop_front();
        if (task == nullptr)
            return;
        // Of the fair band it was ready all the time.
        if (task->in_band())
            queue.take(0, *task);
        if (may_stay(queue, *task))
            queue.add(*task);
        else
            send_away(queue, *task);
    }
    // Not when the running task comes to the kernel by itself, which may be never.
    if (is_unsorted(queue))
        arch::send_interrupt(arch::this_cpu().apic_id, arch::vector::reschedule);
}

} // namespace migration
} // namespace kernel
