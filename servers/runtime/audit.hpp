// Runtime's part in the audit log (abi/audit.hpp): what it shows of it, and what it adds to it.
#pragma once
#include "abi/log_client.hpp"
#include "lib/base/sha256.hpp"
#include "lib/native/memory.hpp"
#include "servers/log/audit_view.hpp"

namespace runtime {

class Audit {
public:
    // The newest batch, with all that the kernel has recorded. Errors: not_supported, where this program may not ask; timed_out and those of ipc_call, where the log is not there.
    base::Result<native::log::SealReply> head();
    // What is kept, from the first time on mapped: a log that is started again goes on in the same Memory. Errors: the same; not_found, where none is kept; those of mapping it.
    base::Result<logging::AuditView> store();

    // The process has not run yet. Where the kernel has no audit log, or this program was given none, nothing is noted. Errors: those of audit_note; such a process must not run.
    static base::Result<void> note_sandbox(abi::Handle process, std::uint64_t sandbox, const base::Sha256::Digest& launch_record);

private:
    // Most answers of the API ask for the head: a log that was silent once is not waited for like that again until it answers.
    abi::Deadline deadline() const;
    bool silent_ = false;
    native::Mapping store_;
};

} // namespace runtime
