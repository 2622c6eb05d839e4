// Measuring for print_costs().
#pragma once
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"

namespace kernel_test {

// What is between begin() and end(), summed up: the guest's nanoseconds, without those of asking the clock, and the loads of a page-table root.
class Cost {
public:
    void begin() {
        loads_ -= figures().root_loads;
        nanoseconds_ -= native::monotonic_nanoseconds();
    }
    void end() {
        nanoseconds_ += native::monotonic_nanoseconds();
        loads_ += figures().root_loads;
        ++measured_;
    }
    // For `count` of what was measured in all. The second form: less what `other` cost.
    void print(const char* name, std::uint64_t count) const { print(name, count, Cost()); }
    void print(const char* name, std::uint64_t count, const Cost& other) const {
        const std::uint64_t nanoseconds = nanoseconds_ - measured_ * clock() - (other.nanoseconds_ - other.measured_ * clock());
        const std::uint64_t hundredths = (loads_ - other.loads_) * 100 / count;
        native::print("cost ", name, ": ", nanoseconds / count, " ns, ", hundredths / 100, ".", hundredths / 10 % 10, hundredths % 10, " root loads");
    }

private:
    static std::uint64_t clock() {
        static const std::uint64_t cost = [] {
            (void)native::monotonic_nanoseconds();
            const std::uint64_t first = native::monotonic_nanoseconds();
            return native::monotonic_nanoseconds() - first;
        }();
        return cost;
    }
    std::uint64_t nanoseconds_ = 0;
    std::uint64_t loads_ = 0;
    std::uint64_t measured_ = 0;
};

// Prints what `function` costs, as often as `rounds`. `each`: how many of what is measured are in a round.
template <class Function>
void measure(const char* name, Function&& function, std::uint64_t each = 1) {
    constexpr std::uint64_t rounds = 2000;
    function(); // brings pages and caches in
    Cost cost;
    cost.begin();
    for (std::uint64_t i = 0; i < rounds; ++i) function();
    cost.end();
    cost.print(name, rounds * each);
}

// Those of memory: faults, mappings, a fork.
void print_memory_costs();
// Those of what two threads do with each other.
void print_exchange_costs();
// Those of the audit log.
void print_audit_costs();

} // namespace kernel_test
