// Answers the channel `store` (abi/store.hpp).
#pragma once
#include "lib/native/channel_server.hpp"
#include "lib/native/handle.hpp"
#include "servers/store/catalogue.hpp"

namespace store {

class Service final : public native::ChannelService {
public:
    // `quota`: what blobs are charged to, and nothing else. Borrowed.
    explicit Service(abi::Handle quota) : quota_(quota) {}
    void on_request(native::ChannelRequest request) override;
    void on_session_closed(std::uint64_t, std::uint64_t session, bool) override { catalogue_.drop_session(session); }

private:
    base::Result<void> create(native::ChannelRequest& request);
    base::Result<void> commit(native::ChannelRequest& request);
    base::Result<void> drop(native::ChannelRequest& request);
    base::Result<void> open(native::ChannelRequest& request);
    base::Result<void> remove(native::ChannelRequest& request);
    base::Result<void> list(native::ChannelRequest& request);
    base::Result<void> usage(native::ChannelRequest& request);

    abi::Handle quota_;
    Catalogue<native::Owned> catalogue_;
};

} // namespace store
