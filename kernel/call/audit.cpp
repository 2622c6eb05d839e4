// Calls on the audit log, and what the other calls put into it.
#include "kernel/call/calls.hpp"

namespace kernel {

void record(Thread& caller, abi::AuditOperation operation, const Object& object, abi::Rights rights, std::uint64_t other, std::uint64_t word, const LeaseHold& hold) {
    Process& process = caller.process();
    Audit::record(process.audit_account(), caller.take_payment(), operation, process.number(), object, rights, other, word, hold);
}

namespace {

void add_use(Thread& caller, abi::KernelCall call, const Object& object, std::uint64_t other) {
    Audit::record(caller.process().audit_account(),
                  {.operation = abi::AuditOperation::use,
                   .process = caller.process().number(),
                   .kind = object.kind(),
                   .call = static_cast<std::uint16_t>(call),
                   .object = object.number(),
                   .other = other},
                  caller.take_payment());
}

} // namespace

void record_use(Thread& caller, abi::KernelCall call, const Object& object, Process& process) {
    if (&process.audit_account() != &caller.process().audit_account()) add_use(caller, call, object, process.number());
}

void record_use_of_space(Thread& caller, abi::KernelCall call, const Space& space) {
    if (space.sandbox() != caller.process().audit_account().process()) [[unlikely]] add_use(caller, call, space, space.process_number());
}

void record_use_of_foreign(Thread& caller, abi::KernelCall call, const Object& object) {
    if (object.payer() != &caller.process().quota()) add_use(caller, call, object, 0);
}

void record_first_read(Thread& caller, abi::KernelCall call, const Object& log) {
    if (caller.process().is_first_read(call)) [[unlikely]] add_use(caller, call, log, 0);
}

base::Result<std::uint64_t> call_audit_read(Thread& caller, Held<AuditLog> log, std::uint64_t kept, UserPointer<abi::AuditBatch> batch, Held<Notification> bell) {
    const Audit::Turn turn;
    if (!turn) return std::unexpected(abi::Error::bad_state);
    if (!Audit::is_known(turn, kept)) return std::unexpected(abi::Error::bad_argument);
    caller.process().audit_account().set_never_waits();
    record_first_read(caller, abi::KernelCall::audit_read, *log);
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
