// What processes are to the processor's memory of branches.
#include "kernel/object/quota.hpp"
#include "kernel/tests/harness.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/process.hpp"

namespace kernel {

KERNEL_TEST(a_process_is_of_its_makers_domain_for_good) {
    const auto budget = Budget::create_root(Quota::root());
    EXPECT(budget);
    const auto service = Process::create(Quota::root(), *budget, nullptr);
    EXPECT(service && (*service)->domain() == 0);
    // Also one that was made before its maker ran a guest.
    const auto child = Process::create(Quota::root(), *budget, *service);
    EXPECT(child && (*child)->domain() == (*service)->number());
    (*service)->take_domain();
    EXPECT((*service)->domain() == (*service)->number());
    const auto grandchild = Process::create(Quota::root(), *budget, *child);
    EXPECT(grandchild && (*grandchild)->domain() == (*service)->number());
    // A guest of its own does not take it out of the sandbox.
    (*child)->take_domain();
    EXPECT((*child)->domain() == (*service)->number());
}

} // namespace kernel
