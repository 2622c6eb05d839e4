// The server that makes sandboxes. Handles: `runtime` (endpoint, receive), `root_image`, `entropy`, `switch`, `clock`, `log`, `log_reader` (an endpoint of the log that
// may read), `audit` (the kernel's log, send: what a sandbox is launched with is noted there), `sandbox_log` (the log's endpoint for sandboxes, without a badge), `node` (the
// root quota, inspect: figures), and what the management sandbox gets: `channel.NAME`, `management_log`. Arguments: management.hpp.
#include "lib/native/log.hpp"
#include "servers/runtime/server.hpp"

#include <memory>
#include <new>

int native_main() {
    const std::unique_ptr<runtime::Server> server(new (std::nothrow) runtime::Server);
    if (!server)
        return 1;
    if (auto prepared = server->prepare(); !prepared) {
        native::print("cannot start: ", native::error_name(prepared.error()));
        return 1;
    }
    if (auto ran = server->run(); !ran)
        native::print(native::error_name(ran.error()));
    return 1;
}
