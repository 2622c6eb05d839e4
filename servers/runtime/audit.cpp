#include "servers/runtime/audit.hpp"

#include "lib/base/format.hpp"
#include "lib/native/audit.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

#include <cstring>
#include <memory>
#include <new>

namespace runtime {

namespace {

constexpr std::uint64_t patience_milliseconds = 1000, patience_with_silence_milliseconds = 10;

base::Result<native::log::Client<native::Caller>> log_server() {
    const abi::Handle reader = native::granted("log_reader");
    if (reader == abi::no_handle)
        return base::fail(abi::Error::not_supported);
    return native::log::Client(native::Caller{reader});
}

} // namespace

abi::Deadline Audit::deadline() const { return native::after_milliseconds(silent_ ? patience_with_silence_milliseconds : patience_milliseconds); }

template <class Reply> Reply Audit::noted(Reply reply) {
    silent_ = !reply && reply.error() == abi::Error::timed_out;
    return reply;
}

base::Result<Audit::Head> Audit::head() {
    const logging::AuditView kept = TRY(store());
    const std::unique_ptr<abi::AuditBatch> batch(new (std::nothrow) abi::AuditBatch);
    if (!batch)
        return base::fail(abi::Error::no_memory);
    Head head;
    if (kept.newest(*batch)) {
        head.sequence = batch->sequence;
        std::memcpy(head.digest.data(), batch->digest, head.digest.size());
    }
    return head;
}

base::Result<Audit::Head> Audit::seal() {
    auto log = TRY(log_server());
    const native::log::SealReply reply = TRY(noted(log.seal(deadline())));
    if (reply.sequence == 0)
        return base::fail(abi::Error::not_found);
    return Head{reply.sequence, reply.digest};
}

std::size_t Audit::warnings(std::string_view (&warnings)[most_warnings], Text (&texts)[most_warnings]) {
    std::size_t count = 0;
    const auto warn = [&](const auto&... parts) {
        warnings[count] = base::format(texts[count], parts...);
        ++count;
    };
    auto log = log_server();
    const auto state = log ? noted(log->audit_state(deadline())) : base::fail(log.error());
    if (!state) {
        warn("it is not known whether audit records are kept: the log does not answer, ", native::error_name(state.error()));
        return count;
    }
    if (state->refusal != 0)
        warn("no audit records are kept: the kernel does not give them, ", native::error_name(static_cast<abi::Error>(state->refusal)));
    if (state->dropped != 0)
        warn("audit records are missing: ", state->dropped, " batches were not kept");
    if (state->begun > 1)
        warn("the audit log begins anew at batch ", state->begun, ": what was recorded before is missing");
    return count;
}

base::Result<logging::AuditView> Audit::store() {
    if (!store_) {
        auto log = TRY(log_server());
        const auto reply = TRY(noted(log.store(deadline())));
        const native::Owned memory(reply.store);
        store_ = TRY(native::Mapping::of(memory.get(), 0, TRY(native::memory_size(memory.get())), abi::protection::read));
    }
    return logging::AuditView(store_.bytes());
}

base::Result<void> Audit::note_sandbox(abi::Handle process, std::uint64_t sandbox, const base::Sha256::Digest& launch_record) {
    const abi::Handle log = native::granted("audit");
    if (log == abi::no_handle)
        return {};
    char name[32];
    auto noted = native::note_name(log, process, base::format(name, "sandbox ", sandbox));
    if (noted)
        noted = native::note_launch(log, process, launch_record);
    return !noted && noted.error() != abi::Error::unknown_call ? noted : base::Result<void>();
}

} // namespace runtime
