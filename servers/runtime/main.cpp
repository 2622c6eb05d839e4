// The server that makes sandboxes. Handles: `runtime` (endpoint, receive), `root_image`, `entropy`, `switch`, `clock`, `log`, and what the management sandbox gets:
// `channel.NAME`. Arguments: management.hpp.
#include "lib/native/log.hpp"
#include "servers/runtime/server.hpp"

#include <memory>
#include <new>

int native_main() {
    const std::unique_ptr<runtime::Server> server(new (std::nothrow) runtime::Server);
    if (!server)
        return 1;
    if (auto prepared = server->prepare(); !prepared) {
        native::print("runtime: cannot start: ", native::error_name(prepared.error()));
        return 1;
    }
    if (auto ran = server->run(); !ran)
        native::print("runtime: ", native::error_name(ran.error()));
    return 1;
}
