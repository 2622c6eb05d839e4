// Calls on the audit log, and what the other calls put into it.
#include "kernel/call/calls.hpp"

namespace kernel {

void record(Thread& caller, abi::AuditOperation operation, const Object& object, abi::Rights rights, std::uint64_t other, std::uint64_t word, const LeaseHold& hold) {
    Process& process = caller.process();
    Audit::record(process.audit_account(), operation, process.number(), object, rights, other, word, hold);
}

base::Result<std::uint64_t> call_audit_read(Thread& caller, Held<AuditLog> log, std::uint64_t kept, UserPointer<abi::AuditBatch> batch, Held<Notification> bell) {
    const Audit::Turn turn;
    if (!turn) return std::unexpected(abi::Error::bad_state);
    if (!Audit::is_known(turn, kept)) return std::unexpected(abi::Error::bad_argument);
    caller.process().audit_account().set_never_waits();
    Notification& target = *bell;
    const abi::AuditBatch* const next = Audit::next(turn, kept, std::move(bell.object), target, bell.hold);
    if (!next) return 0;
    if (!log.valid()) return std::unexpected(abi::Error::revoked); // it was made in steps
    TRY(batch.write(caller, *next));
    return next->sequence;
}

base::Result<std::uint64_t> call_audit_note(Thread& caller, Held<AuditLog> log, Held<Object> object, UserPointer<abi::AuditNote> note) {
    const abi::AuditNote said = TRY(note.read(caller));
    if (!log.valid() || !object.valid()) return std::unexpected(abi::Error::revoked); // the copy may have slept
    if (said.operation != abi::AuditOperation::name && said.operation != abi::AuditOperation::launch) return std::unexpected(abi::Error::bad_argument);
    for (const std::uint16_t reserved : said.reserved)
        if (reserved != 0) return std::unexpected(abi::Error::bad_argument);
    Process& process = caller.process();
    Audit::note(process.audit_account(), process.number(), *object, said);
    return 0;
}

} // namespace kernel
