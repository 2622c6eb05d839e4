// What a record of the audit log costs whoever makes it: a badged capability is one, a plain one is none. Read off the records' own times.
#include "abi/audit.hpp"
#include "kernel/tests/native/child.hpp"
#include "kernel/tests/native/costs.hpp"
#include "kernel/tests/native/turns.hpp"

extern "C" const unsigned char mint_often[], mint_often_end[];

namespace kernel_test {

namespace {

namespace call = native::call;

void measure_record(const char* name, std::uint32_t priority) {
    constexpr std::uint64_t each = 200;
    static abi::AuditBatch batch;
    static std::uint64_t kept = abi::audit_kept_nothing;
    const abi::Handle log = native::granted("log");
    const native::Owned bell(call::notification_create(quota()).value_or(0)), its_budget(call::budget_create(quota(), budget(), {1024, priority, 0, 0, 0}).value_or(0));
    // By a thread above the fair band, as servers make sandboxes: it has an account of its own.
    static base::Result<Child> child = std::unexpected(abi::Error::bad_state);
    static abi::Handle budget_of_it;
    budget_of_it = its_budget.get();
    run_at(2, [](void*) { child = Child::create(quota(), {mint_often, static_cast<std::size_t>(mint_often_end - mint_often)}, budget_of_it); });
    if (!child) return;
    const auto granted = call::process_grant(child->process, bell.get(), abi::right::send | abi::right::duplicate, 0);
    const auto take = [&](auto&& see) {
        while (const std::uint64_t sequence = call::audit_read(log, kept, batch, bell.get()).value_or(0)) {
            kept = sequence;
            for (std::uint32_t i = 0; i < batch.count; ++i) see(batch.records[i]);
        }
    };
    take([](const abi::AuditRecord&) {});
    if (!granted || !child->run(*granted) || !child->wait()) return;
    std::uint64_t mints = 0, times[3] = {};
    take([&](const abi::AuditRecord& record) {
        if (record.operation != abi::AuditOperation::mint) return;
        if (mints < 2) times[mints] = record.time;
        times[2] = record.time;
        ++mints;
    });
    child->close();
    if (mints == each + 3) native::print("cost ", name, ": ", (times[2] - times[1] - (times[1] - times[0])) / each, " ns, 0.00 root loads");
}

} // namespace

void print_audit_costs() {
    measure_record("record of the audit log, a server's", 1);
    measure_record("record of the audit log, a sandbox'", 0);
}

} // namespace kernel_test
