#include "kernel/thread/budget.hpp"

#include "kernel/thread/task.hpp"

namespace kernel {

Budget::Budget(base::Ref<Budget> parent, const abi::BudgetParameters& parameters)
    : Object(object_kind), parent_(std::move(parent)), parameters_(parameters) {}

base::Result<base::Ref<Budget>> Budget::create_root(Quota& quota) {
    return make_object<Budget>(quota, base::Ref<Budget>(), abi::BudgetParameters{usual_weight, highest_priority, 0, 0, 0});
}

base::Result<base::Ref<Budget>> Budget::create(Quota& quota, base::Ref<Budget> parent, const abi::BudgetParameters& parameters) {
    TRY(check(parameters, parent.get()));
    return make_object<Budget>(quota, std::move(parent), parameters);
}

base::Result<void> Budget::check(const abi::BudgetParameters& parameters, const Budget* parent) {
    if (parameters.weight < 1 || parameters.weight > highest_weight || parameters.priority > highest_priority) {
        return std::unexpected(abi::Error::bad_argument);
    }
    if (parameters.limit_microseconds != 0 && parameters.period_microseconds == 0) return std::unexpected(abi::Error::bad_argument);
    if (!parent) return {};
    const abi::BudgetParameters above = parent->parameters();
    if (parameters.priority > above.priority) return std::unexpected(abi::Error::bad_argument);
    if (above.cpus != 0 && (parameters.cpus == 0 || (parameters.cpus & ~above.cpus))) return std::unexpected(abi::Error::bad_argument);
    return {};
}

base::Result<void> Budget::configure(const abi::BudgetParameters& parameters) {
    TRY(check(parameters, parent_.get()));
    LockGuard guard(lock_);
    parameters_ = parameters;
    return {};
}

abi::BudgetParameters Budget::parameters() const {
    LockGuard guard(lock_);
    return parameters_;
}

void Budget::apply(Task& task) const {
    const abi::BudgetParameters current = parameters();
    task.configure(current.weight, current.priority, current.cpus);
}

} // namespace kernel
