// Runtime's part in the audit log (abi/audit.hpp): what it shows of it, and what it adds to it.
#pragma once
#include "abi/log_client.hpp"
#include "lib/base/sha256.hpp"
#include "lib/native/memory.hpp"
#include "servers/log/audit_view.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runtime {

class Audit {
public:
    struct Head {
        std::uint64_t sequence = 0; // 0: there is none
        base::Sha256::Digest digest{};
    };
    // Of the newest batch that is kept; asks nobody once the store is mapped. Errors: those of store().
    base::Result<Head> head();
    // The same, once all that the kernel has recorded is kept. Errors: not_supported, where this program may not ask; not_found, where nothing is kept; timed_out and those of ipc_call,
    // where the log is not there.
    base::Result<Head> seal();
    // What whoever relies on the log has to know: a text for each, none where all is well. Each has room in `texts`.
    using Text = char[160];
    static constexpr std::size_t most_warnings = 3;
    std::size_t warnings(std::string_view (&warnings)[most_warnings], Text (&texts)[most_warnings]);
    // What is kept, from the first time on mapped: a log that is started again goes on in the same Memory. Errors: the same; not_found, where none is kept; those of mapping it.
    base::Result<logging::AuditView> store();

    // The process has not run yet. Where the kernel has no audit log, or this program was given none, nothing is noted. Errors: those of audit_note; such a process must not run.
    static base::Result<void> note_sandbox(abi::Handle process, std::uint64_t sandbox, const base::Sha256::Digest& launch_record);

private:
    // A log that was silent once is not waited for like that again until it answers.
    abi::Deadline deadline() const;
    template <class Reply> Reply noted(Reply reply);
    bool silent_ = false;
    native::Mapping store_;
};

} // namespace runtime
