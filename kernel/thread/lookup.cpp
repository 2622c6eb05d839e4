#include "kernel/thread/lookup.hpp"

namespace kernel {

void record_made(Thread& caller, const Object& object, abi::Rights rights, const LeaseHold& hold, std::uint64_t place) {
    Audit::record(caller.process().audit_account(),
                  {.operation = abi::AuditOperation::create,
                   .process = caller.process().number(),
                   .kind = object.kind(),
                   .object = object.number(),
                   .other = object.payer() ? object.payer()->number() : 0,
                   .rights = rights,
                   .word = place,
                   .lease = hold.lease ? hold.lease->number() : 0},
                  caller.take_payment());
}

base::Result<Held<Object>> lookup_any(Thread& caller, abi::Handle handle, abi::Rights rights) {
    Capability capability = TRY(caller.process().handles().find_any(handle));
    if ((capability.rights & rights) != rights && !base::weakened(base::Weakness::handle_rights)) return std::unexpected(abi::Error::missing_right);
    return Held<Object>{std::move(capability.object), capability.badge, std::move(capability.hold), capability.rights};
}

} // namespace kernel
