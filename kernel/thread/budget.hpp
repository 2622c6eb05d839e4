// Budget: the right to processor time. Threads take weight, priority and processors from theirs when they start and when it is configured.
#pragma once
#include <cstdint>

#include "abi/info.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel {

class Thread;
class Task;

class Budget final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::budget;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::charge | abi::right::control;
    static constexpr std::uint32_t usual_weight = 1024;
    static constexpr std::uint32_t highest_weight = 10000;
    static constexpr std::uint32_t highest_priority = 31;

    // The node's: all processors, all priorities. Errors: no_memory.
    static base::Result<base::Ref<Budget>> create_root(Quota& quota);
    // Errors: bad_argument (out of range, or more than the parent has), no_memory.
    static base::Result<base::Ref<Budget>> create(Quota& quota, base::Ref<Budget> parent, const abi::BudgetParameters& parameters);

    Budget(base::Ref<Budget> parent, const abi::BudgetParameters& parameters);

    // Errors: bad_argument.
    base::Result<void> configure(const abi::BudgetParameters& parameters);
    abi::BudgetParameters parameters() const;
    // Gives the task the share that this budget stands for.
    void apply(Task& task) const;

private:
    static base::Result<void> check(const abi::BudgetParameters& parameters, const Budget* parent);

    base::Ref<Budget> parent_;
    mutable SpinLock lock_;
    abi::BudgetParameters parameters_;
};

} // namespace kernel
