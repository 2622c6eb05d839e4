// The switch. Capabilities: `switch` (the Endpoint that it serves), `netdev` (Endpoint of the uplink's driver; without it there is no uplink),
// `entropy` (Endpoint, may be missing).
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"
#include "servers/switch/server.hpp"

#include <new>

int native_main() {
    const auto endpoint = native::require("switch");
    auto* const server = new (std::nothrow) netswitch::Server;
    if (!endpoint || server == nullptr)
        return 1;
    if (const auto prepared = server->prepare(*endpoint, native::granted("netdev"), native::granted("entropy")); !prepared) {
        native::print("cannot start: ", native::error_name(prepared.error()));
        return 1;
    }
    server->run();
}
