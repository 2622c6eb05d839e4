// Calls on slots, leases, quotas and budgets.
#include "kernel/arch/cpu.hpp"
#include "kernel/call/calls.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/thread/statistics.hpp"

namespace kernel {

namespace {

bool takes_badge(const Object& object) {
    return object.kind() == abi::ObjectKind::endpoint || object.kind() == abi::ObjectKind::notification;
}

} // namespace

base::Result<std::uint64_t> call_handle_close(Thread& caller, abi::Handle handle) {
    if (handle == abi::current_reply) {
        TRY(caller.drop_current_reply());
        return 0;
    }
    TRY(caller.process().handles().close(handle));
    trim_stacks(); // it may have been a thread
    return 0;
}

base::Result<std::uint64_t> call_handle_duplicate(Thread& caller, Held<Object> source, abi::Rights rights, std::uint64_t badge,
                                                  Held<Lease> lease) {
    Capability copy;
    copy.rights = TRY(shrink_rights(source.rights, rights));
    copy.badge = TRY(derive_badge(source.badge, badge, takes_badge(*source)));
    if (lease && !lease.valid()) return std::unexpected(abi::Error::revoked);
    copy.hold = TRY(derive_hold(source.hold, lease.object));
    copy.object = std::move(source.object);
    // One that differs in its rights alone leads nowhere that the first one did not.
    if (copy.badge == source.badge && !lease) return caller.process().handles().insert(std::move(copy));
    TRY(caller.pay_for_record());
    const AuditEvent made = event_of(abi::AuditOperation::mint, caller.process().number(), copy);
    const abi::Handle handle = TRY(caller.process().handles().insert(std::move(copy)));
    Audit::record(caller.process().audit_account(), made, caller.take_payment());
    return handle;
}

base::Result<std::uint64_t> call_handle_inspect(Thread& caller, abi::Handle handle, UserPointer<abi::HandleInfo> info) {
    abi::HandleInfo result;
    TRY(caller.process().handles().with(handle, [&result](const Capability& capability) -> base::Result<void> {
        if (!(capability.rights & abi::right::inspect)) return std::unexpected(abi::Error::missing_right);
        result = {.kind = capability.kind,
                  .rights = capability.rights,
                  .badge = capability.badge,
                  .revoked = capability.hold.valid() ? 0u : 1u,
                  .leased = capability.hold.lease ? 1u : 0u};
        return {};
    }));
    TRY(info.write(caller, result));
    return 0;
}

base::Result<std::uint64_t> call_lease_create(Thread& caller, Held<Quota> quota, Held<Lease> parent) {
    auto lease = TRY(Lease::create(*quota, parent.object));
    return give(caller, std::move(lease), abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::control, {}, 0, parent.object);
}

base::Result<std::uint64_t> call_lease_revoke(Thread& caller, Held<Lease> lease) {
    TRY(caller.pay_for_record());
    lease->revoke();
    record(caller, abi::AuditOperation::revoke, *lease);
    return 0;
}

base::Result<std::uint64_t> call_quota_create(Thread& caller, Held<Quota> parent, std::uint64_t pages) {
    auto quota = TRY(Quota::create(std::move(parent.object), pages));
    return give(caller, std::move(quota),
                abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::charge | abi::right::control, parent.hold);
}

base::Result<std::uint64_t> call_quota_inspect(Thread& caller, Held<Quota> quota, UserPointer<abi::QuotaInfo> info) {
    abi::QuotaInfo result{};
    static_assert(sizeof result.idle_wakeups == arch::max_cpus * sizeof result.idle_wakeups[0]);
    quota->inspect(result);
    result.cpu_count = statistics::cpu_count();
    if (quota->is_root()) {
        result.context_switches = statistics::context_switches();
        result.root_loads = statistics::root_loads();
        result.page_faults = statistics::page_faults();
        for (std::uint32_t cpu = 0; cpu < result.cpu_count; ++cpu) result.idle_wakeups[cpu] = statistics::idle_wakeups(cpu);
    }
    TRY(info.write(caller, result));
    return 0;
}

base::Result<std::uint64_t> call_quota_destroy(Thread& caller, Held<Quota> quota) {
    if (caller.process().quota().node().is_within(quota->node())) return std::unexpected(abi::Error::bad_state);
    TRY(caller.pay_for_record());
    TRY(Process::end_quota(*quota));
    record(caller, abi::AuditOperation::destroy, *quota);
    return 0;
}

} // namespace kernel
