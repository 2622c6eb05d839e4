#include "kernel/thread/reply.hpp"

#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel {

void Reply::arm(Thread& caller, const Endpoint& endpoint) {
    LockGuard guard(lock_);
    caller_ = &caller;
    endpoint_ = &endpoint;
}

void Reply::disarm() {
    LockGuard guard(lock_);
    caller_ = nullptr;
}

Thread* Reply::claim_caller() {
    LockGuard guard(lock_);
    if (!caller_ || !caller_->wait_state().claim()) return nullptr;
    return std::exchange(caller_, nullptr);
}

base::Result<void> Reply::answer(Thread& server, const MessageCapabilities& capabilities) {
    Thread* caller = claim_caller();
    if (!caller) return std::unexpected(abi::Error::peer_closed);
    abi::Handle handles[abi::message_handles];
    // A caller without room for the answer's capabilities learns that; the server did its part.
    const auto installed = capabilities.install(server.process(), *caller, handles);
    if (!capabilities.empty()) Audit::tell();
    if (!installed) {
        // First the wait, which is claimed and so ends by nothing else; the rest may take long.
        const base::Ref<Process> process(caller->process());
        caller->finish_wait(-static_cast<std::int32_t>(installed.error()));
        take_back(process->handles(), handles);
        return {};
    }
    copy_message(server, *caller, handles);
    caller->finish_wait(0);
    return {};
}

void Reply::drop() {
    if (Thread* caller = claim_caller()) caller->finish_wait(-static_cast<std::int32_t>(abi::Error::peer_closed));
}

} // namespace kernel
