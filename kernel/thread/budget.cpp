#include "kernel/thread/budget.hpp"

#include <algorithm>

#include "kernel/arch/clock.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/thread/scheduler.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

constinit std::atomic<std::uint32_t> Budget::pools_in_use{0};

Budget::Budget(base::Ref<Budget> parent, const abi::BudgetParameters& parameters)
    : Object(object_kind), parent_(std::move(parent)), group_(parent_ ? &parent_->group_ : nullptr, parameters.weight), parameters_(parameters), depth_(parent_ ? parent_->depth_ + 1 : 0) {
    set_up();
}

Budget::~Budget() {
#ifdef KERNEL_LOCK_RANKS
    for (std::size_t cpu = 0; cpu < arch::max_cpus; ++cpu)
        if (!group_.is_idle(cpu)) panic("a budget ends while something of it is runnable");
#endif
    if (limited_.load(std::memory_order_relaxed)) pools_in_use.fetch_sub(1, std::memory_order_relaxed);
}

base::Result<base::Ref<Budget>> Budget::create_root(Quota& quota) {
    return make_object<Budget>(quota, base::Ref<Budget>(), abi::BudgetParameters{usual_weight, highest_priority, 0, 0, 0});
}

base::Result<base::Ref<Budget>> Budget::create(Quota& quota, base::Ref<Budget> parent, const abi::BudgetParameters& parameters) {
    TRY(check(parameters, parent.get()));
    if (parent && parent->depth_ + 1 >= deepest) return base::fail(abi::Error::bad_argument);
    return make_object<Budget>(quota, std::move(parent), parameters);
}

base::Result<void> Budget::check(const abi::BudgetParameters& parameters, const Budget* parent) {
    if (parameters.weight < 1 || parameters.weight > highest_weight || parameters.priority > highest_priority) {
        return std::unexpected(abi::Error::bad_argument);
    }
    if (parameters.limit_microseconds != 0) {
        if (parameters.period_microseconds == 0 || parameters.period_microseconds > longest_period_microseconds) return std::unexpected(abi::Error::bad_argument);
        if (parameters.limit_microseconds / arch::max_cpus > parameters.period_microseconds) return std::unexpected(abi::Error::bad_argument);
    }
    if (!parent) return {};
    const abi::BudgetParameters above = parent->parameters();
    if (parameters.priority > above.priority) return std::unexpected(abi::Error::bad_argument);
    if (parameters.cpus != 0 && (parameters.cpus & parent->rules().cpus) == 0) return std::unexpected(abi::Error::bad_argument);
    return {};
}

base::Result<void> Budget::configure(const abi::BudgetParameters& parameters) {
    TRY(check(parameters, parent_.get()));
    bool same_rules, same_limit;
    {
        LockGuard guard(lock_);
        same_rules = parameters_.priority == parameters.priority && parameters_.cpus == parameters.cpus;
        same_limit = parameters_.limit_microseconds == parameters.limit_microseconds && parameters_.period_microseconds == parameters.period_microseconds;
        parameters_ = parameters;
        set_up();
    }
    if (!same_rules)
        sched::apply_rules();
    else if (!same_limit && parameters.limit_microseconds != 0)
        sched::look_again_everywhere();
    return {};
}

void Budget::set_up() {
    group_.set_weight(parameters_.weight);
    priority_.store(parameters_.priority, std::memory_order_relaxed);
    cpus_.store(parameters_.cpus, std::memory_order_relaxed);
    const bool limited = parameters_.limit_microseconds != 0;
    {
        LockGuard guard(pool_.lock);
        const std::uint64_t limit = parameters_.limit_microseconds * 1000;
        // A lower limit takes what is too much at once; a debt stays.
        if (limited && pool_.limit == 0) {
            pool_.left = static_cast<std::int64_t>(limit);
            pool_.refill = 0;
            pool_.since = arch::monotonic_nanoseconds();
        } else if (limited) {
            pool_.left = std::min(pool_.left, static_cast<std::int64_t>(limit));
        }
        pool_.limit = limit;
        pool_.period = parameters_.period_microseconds * 1000;
    }
    if (limited_.exchange(limited, std::memory_order_relaxed) == limited) return;
    if (limited)
        pools_in_use.fetch_add(1, std::memory_order_relaxed);
    else
        pools_in_use.fetch_sub(1, std::memory_order_relaxed);
}

Budget::Left Budget::charge(std::uint64_t used, std::uint64_t now) {
    Left least{unlimited, 0};
    for (Budget* budget = this; budget; budget = budget->parent_.get()) {
        if (!budget->limited_.load(std::memory_order_relaxed)) continue;
        Pool& pool = budget->pool_;
        LockGuard guard(pool.lock);
        if (pool.limit == 0) continue;
        if (now >= pool.refill) {
            const std::uint64_t periods = pool.refill == 0 ? 1 : (now - pool.refill) / pool.period + 1;
            pool.refill = (pool.refill == 0 ? now : pool.refill) + periods * pool.period;
            const auto limit = static_cast<std::int64_t>(pool.limit);
            // More periods than the debt is long fill it: no product that overflows.
            const std::uint64_t debt = pool.left < 0 ? static_cast<std::uint64_t>(-pool.left) : 0;
            pool.left = periods > debt / pool.limit + 1 ? limit : std::min(limit, pool.left + static_cast<std::int64_t>(periods) * limit);
        }
        const std::uint64_t counted = std::min(used, now > pool.since ? now - pool.since : 0);
        pool.left -= base::weakened(base::Weakness::budget_charge) ? 0 : static_cast<std::int64_t>(counted);
        // Of several that are overdrawn the last one to be filled counts.
        if (pool.left <= 0 && least.nanoseconds <= 0)
            least = {0, std::max(least.refill, pool.refill)};
        else if (pool.left < least.nanoseconds)
            least = {std::max<std::int64_t>(pool.left, 0), pool.refill};
    }
    return least;
}

abi::BudgetParameters Budget::parameters() const {
    LockGuard guard(lock_);
    return parameters_;
}

Budget::Rules Budget::rules() const {
    const Budget* path[deepest];
    std::size_t count = 0;
    for (const Budget* budget = this; budget; budget = budget->parent_.get()) path[count++] = budget;
    Rules rules{highest_priority, sched::processors()};
    while (count > 0) {
        const Budget& budget = *path[--count];
        rules.priority = std::min(rules.priority, budget.priority_.load(std::memory_order_relaxed));
        if (const std::uint64_t both = rules.cpus & budget.cpus_.load(std::memory_order_relaxed)) rules.cpus = both;
    }
    return rules;
}

} // namespace kernel
