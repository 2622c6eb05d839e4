// The server that keeps the layers of images. Handles: `store` (endpoint, receive), `log`, `clock`.
#include "lib/native/event_loop.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"
#include "servers/store/service.hpp"

namespace {

// For the server itself: its code, its sessions' buffers, its tables. Blobs cannot take it.
constexpr std::uint64_t own_pages = 16 * 1024 * 1024 / abi::page_size;

base::Result<void> run() {
    abi::QuotaInfo info{};
    TRY(native::call::quota_inspect(native::self().quota, info));
    if (info.limit_pages <= own_pages)
        return base::fail(abi::Error::no_memory);
    const native::Owned quota = TRY(native::own(native::call::quota_create(native::self().quota, info.limit_pages - own_pages)));
    store::Service service(quota.get());
    native::EventLoop loop = TRY(native::EventLoop::create());
    const abi::Handle endpoint = TRY(native::require("store"));
    native::ChannelServer channel(endpoint, service);
    TRY(loop.add(endpoint, channel));
    return loop.run();
}

} // namespace

int native_main() {
    if (auto ran = run(); !ran)
        native::print(native::error_name(ran.error()));
    return 1;
}
