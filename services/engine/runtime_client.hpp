// The channel `runtime` as coroutines: the life of sandboxes. Failures are services::ChannelError.
#pragma once
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>

#include "abi/audit.hpp"
#include "abi/runtime.hpp"
#include "services/common/channel.hpp"
#include "services/engine/async.hpp"
#include "services/engine/audit_heads.hpp"
#include "services/engine/container_spec.hpp"

namespace engine {

struct SandboxOptions {
    std::string name; // 64 hexadecimal digits
    std::string hostname;
    std::string domain_name; // empty: none
    std::uint64_t memory_bytes = 0; // 0: no limit of its own
    std::uint64_t task_limit = 0; // 0: the node's own
    ProcessorLimits processor;
    bool network = true;
    bool fused = false;
    std::vector<abi::runtime::Publish> publish;
};

struct Sandbox {
    std::uint64_t number = 0;
    std::uint32_t address = 0; // IPv4 in host order; 0: none
};

struct ProgramOptions {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::string directory;
    std::string user;
    bool terminal = false;
    bool stdin_open = false;
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};

class RuntimeClient {
public:
    RuntimeClient(asio::io_context& io, asio::thread_pool& workers) : io_(io), workers_(workers), channel_("runtime") {}

    Task<Sandbox> create(SandboxOptions options);
    Task<> add_layer(std::uint64_t sandbox, int fd);
    Task<> prepare(std::uint64_t sandbox);
    Task<services::UniqueFd> stream(std::uint64_t sandbox, unsigned number);
    // 0, or the errno with which the program could not be executed. Waits for the sandbox, as destroy does; at most `most_starts` at a time.
    static constexpr unsigned most_starts = 32;
    Task<int> start(std::uint64_t sandbox, ProgramOptions options);
    Task<> signal(std::uint64_t sandbox, int number);
    Task<> resize(std::uint64_t sandbox, std::uint16_t rows, std::uint16_t columns);
    // Reaches programs that run.
    Task<> update(std::uint64_t sandbox, ProcessorLimits limits);
    Task<> destroy(std::uint64_t sandbox);
    Task<services::Reply> inspect(std::uint64_t sandbox);
    Task<services::Reply> node_info();
    // The lines of the node's log after the one with this number; 0 for all that are kept.
    Task<std::vector<abi::runtime::LogLine>> log_lines(std::uint64_t after);
    // With all that the kernel has recorded. No worker waits for it.
    Task<AuditHead> audit_head();
    // The same, once all is sealed that was recorded before.
    Task<AuditHead> audit_seal();
    // Of the audit log's batches that are kept the oldest ones after this sequence, at most abi::runtime::audit_batches_at_once; none behind the newest.
    Task<std::vector<abi::AuditBatch>> audit_batches(std::uint64_t after);

private:
    // Each that waits has a session, of which the runtime keeps 64; those of the workers and of the events are beside these.
    static constexpr unsigned most_endings = 16, most_questions = 4;
    // Of what the runtime answers at once.
    Task<services::Reply> call(abi::runtime::Message message, services::Request request);
    // Of what waits for a sandbox: no worker waits with it.
    Task<services::Reply> call_and_wait(abi::runtime::Message message, services::Request request);
    asio::io_context& io_;
    asio::thread_pool& workers_;
    AsyncMutex endings_{io_, most_endings};
    AsyncMutex questions_{io_, most_questions};
    services::Channel channel_;
};

// Waits for the runtime's events on a thread and a session of its own, and hands each to `handle` on the loop. `lost`
// is called on the loop when the session broke.
void listen_for_events(asio::io_context& io, std::function<void(abi::runtime::EventRecord)> handle,
                       std::function<void()> lost);

} // namespace engine
