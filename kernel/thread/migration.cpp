#include "kernel/thread/migration.hpp"

#include "kernel/arch/apic.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/scheduler.hpp"

namespace kernel {

namespace {

[[clang::no_destroy]] constinit RunQueue queues[arch::max_cpus];

// Of a long queue only so many are looked at: whoever is confined to its CPU is passed by, and the queue turns round.
constexpr unsigned most_looked_at = 32;

} // namespace

void sched::initialize_queue(std::uint32_t cpu) {
    queues[cpu].cpu = cpu;
    arch::cpu(cpu).queue = &queues[cpu];
}

namespace migration {

namespace {

struct Found {
    Task* task = nullptr;
    unsigned index = 0;
};

// Queue lock held. The best of those who may run on one of `cpus`.
Found find(RunQueue& queue, std::uint64_t cpus) {
    unsigned looked_at = 0;
    for (std::uint32_t left = queue.occupied; left != 0;) {
        const unsigned index = static_cast<unsigned>(std::bit_width(left)) - 1;
        left &= ~(1u << index);
        for (Task& task : queue.ready[index]) {
            if ((task.allowed() & cpus) != 0)
                return {&task, index};
            if (++looked_at == most_looked_at)
                return {};
        }
    }
    return {};
}

// `from`'s lock held; the task is ready, and in no list.
void send(RunQueue& from, Task& task, std::uint32_t to) {
    --from.load;
    --task.budget_.runnable[from.cpu];
    // Whoever waits with a deadline looks at it when it runs, and arms again.
    static_cast<base::ListNodeOf<InDeadlines>&>(task).unlink();
    // Clocks of two queues have nothing to do with each other: what goes along is by how much it is ahead, below 0 too.
    task.virtual_time_ -= from.clock.now();
    RunQueue::Arrivals& arrivals = queues[to].arrivals;
    const LockGuard guard(arrivals.lock);
    arrivals.tasks.push_back(task);
    __atomic_store_n(&arrivals.any, true, __ATOMIC_RELEASE);
    // Last: from here on the lock of the other queue guards it.
    task.home_.store(to, std::memory_order_seq_cst);
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

} // namespace

constinit std::atomic<std::uint64_t> idle_cpus{0};

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
    const auto cpu = static_cast<std::uint32_t>(std::countr_zero(idle & found.task->allowed()));
    // It says so anew if it finds nothing: until then nobody else asks it.
    clear_idle(cpu);
    if (&arch::cpu(cpu) != &arch::this_cpu())
        arch::send_interrupt(arch::cpu(cpu).apic_id, arch::vector::reschedule);
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

void receive_all(RunQueue& queue) {
    const LockGuard guard(queue.arrivals.lock);
    while (Task* const task = queue.arrivals.tasks.pop_front()) {
        const std::uint64_t ahead = task->virtual_time_ + queue.clock.now();
        // Further behind than this clock is old.
        task->virtual_time_ = static_cast<std::int64_t>(ahead) < 0 ? 0 : ahead;
        ++queue.load;
        ++task->budget_.runnable[queue.cpu];
        queue.add(*task);
    }
    __atomic_store_n(&queue.arrivals.any, false, __ATOMIC_RELAXED);
}

} // namespace migration
} // namespace kernel
