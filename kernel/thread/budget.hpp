// Budget: the right to processor time. The weight is of the budget and all below it, whatever the number of its threads and children; a limit is a pool that all threads below it
// draw from.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/info.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/fair_group.hpp"

namespace kernel {

class Task;

class Budget final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::budget;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::charge | abi::right::control;
    using Group = FairGroup<arch::max_cpus>;
    static constexpr std::uint32_t usual_weight = Group::usual_weight;
    static constexpr std::uint32_t highest_weight = 10000;
    static constexpr std::uint32_t highest_priority = 31;
    // What is walked at every charge is no longer than this.
    static constexpr std::uint32_t deepest = 8;
    static constexpr std::uint64_t longest_period_microseconds = 10'000'000;

    // The node's: all processors, all priorities. Errors: no_memory.
    static base::Result<base::Ref<Budget>> create_root(Quota& quota);
    // Errors: bad_argument (out of range, more than the parent has, none of its processors, or too deep), no_memory.
    static base::Result<base::Ref<Budget>> create(Quota& quota, base::Ref<Budget> parent, const abi::BudgetParameters& parameters);

    Budget(base::Ref<Budget> parent, const abi::BudgetParameters& parameters);
    ~Budget() override;

    // A weight reaches running threads at their next charge; all else has reached every thread at return, so no locks are held. Errors: bad_argument.
    base::Result<void> configure(const abi::BudgetParameters& parameters);
    abi::BudgetParameters parameters() const;
    // What holds for threads of this budget, by it and all above it: the least priority, and the processors that all have. Where a budget has none of those above it
    // (they were changed later), it has theirs.
    struct Rules {
        std::uint32_t priority;
        std::uint64_t cpus;
    };
    Rules rules() const;

    // What is left of the pools above a thread: `nanoseconds`, not above 0 where one is overdrawn, which is filled again at `refill`.
    struct Left {
        std::int64_t nanoseconds;
        std::uint64_t refill;
    };
    static constexpr std::int64_t unlimited = INT64_MAX;
    // Whether any budget has a limit: without one a charge is this look.
    static bool any_limited() { return pools_in_use.load(std::memory_order_relaxed) != 0; }
    // Takes `used` from every pool from this budget up. With a queue's lock held: the pools' locks are inside it.
    Left charge(std::uint64_t used, std::uint64_t now);

    // The weight, and what is ready and runs on each CPU, that under the CPU's queue lock.
    Group& group() { return group_; }

private:
    // Processor time in a period. A debt is paid from the next periods' time; what is left over is lost.
    struct Pool {
        SpinLock lock{LockRank::budget_pool};
        std::uint64_t limit BASE_GUARDED_BY(lock) = 0; // nanoseconds; 0: no limit
        std::uint64_t period BASE_GUARDED_BY(lock) = 0;
        std::uint64_t since BASE_GUARDED_BY(lock) = 0; // what was used before that is free
        std::int64_t left BASE_GUARDED_BY(lock) = 0;
        std::uint64_t refill BASE_GUARDED_BY(lock) = 0;
    };

    void set_up() BASE_REQUIRES(lock_);
    static base::Result<void> check(const abi::BudgetParameters& parameters, const Budget* parent);

    base::Ref<Budget> parent_;
    Group group_;
    mutable SpinLock lock_{LockRank::budget};
    abi::BudgetParameters parameters_ BASE_GUARDED_BY(lock_);
    std::atomic<std::uint32_t> priority_{0};
    std::atomic<std::uint64_t> cpus_{0}; // 0: all
    std::atomic<bool> limited_{false}; // the pool has a limit; read without its lock
    Pool pool_;
    std::uint32_t depth_ = 0;

    static constinit std::atomic<std::uint32_t> pools_in_use;
};

} // namespace kernel
