#include "servers/runtime/audit.hpp"

#include "lib/base/format.hpp"
#include "lib/native/audit.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/start.hpp"

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

base::Result<native::log::SealReply> Audit::head() {
    auto log = TRY(log_server());
    const auto head = log.seal(deadline());
    silent_ = !head && head.error() == abi::Error::timed_out;
    return head;
}

base::Result<logging::AuditView> Audit::store() {
    if (!store_) {
        auto log = TRY(log_server());
        const auto reply = TRY(log.store(deadline()));
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
