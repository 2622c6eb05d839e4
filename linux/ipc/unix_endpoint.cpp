#include "linux/ipc/unix_endpoint.hpp"

#include "lib/base/result.hpp"

#include <new>

namespace personality {

namespace {
// Storage without a constructor at start-up: the list is made on first use, under the sandbox lock.
alignas(base::List<UnixEndpoint, UnixBound>) std::byte abstract_storage[sizeof(base::List<UnixEndpoint, UnixBound>)];
bool abstract_made = false;
base::List<UnixEndpoint, UnixBound>& abstract_names() {
    auto* list = reinterpret_cast<base::List<UnixEndpoint, UnixBound>*>(abstract_storage);
    if (!abstract_made) {
        new (abstract_storage) base::List<UnixEndpoint, UnixBound>;
        abstract_made = true;
    }
    return *list;
}
} // namespace

UnixPacket* UnixPacket::make(std::size_t capacity) {
    void* storage = ::operator new(sizeof(UnixPacket) + capacity, std::nothrow);
    if (storage == nullptr)
        return nullptr;
    auto* packet = new (storage) UnixPacket;
    packet->capacity = capacity;
    return packet;
}

// A packet's files may be sockets with packets of their own, to any depth: what goes while one is being freed waits for its turn.
void UnixPacket::destroy(UnixPacket* packet) {
    static constinit UnixPacket* waiting = nullptr; // linked by `next_doomed`; sandbox lock
    static constinit bool at_work = false;
    packet->next_doomed = waiting;
    waiting = packet;
    if (at_work)
        return;
    at_work = true;
    while (UnixPacket* const doomed = waiting) {
        waiting = doomed->next_doomed;
        doomed->~UnixPacket();
        ::operator delete(doomed);
    }
    at_work = false;
}

UnixEndpoint::~UnixEndpoint() {
    while (UnixPacket* packet = packets.pop_front())
        UnixPacket::destroy(packet);
}

void UnixEndpoint::deliver(UnixPacket* packet) {
    used += packet->size;
    ++packet_count;
    packets.push_back(*packet);
    queue.wake(poll_event::readable);
}

void UnixEndpoint::consume(std::size_t bytes) {
    UnixPacket& packet = packets.front();
    if (stream()) {
        used -= bytes;
        packet.offset += bytes;
        if (packet.offset < packet.size)
            return;
    } else {
        used -= packet.size;
    }
    packets.remove(packet);
    --packet_count;
    UnixPacket::destroy(&packet);
    wake_both(poll_event::writable);
}

void UnixEndpoint::wake_both(std::uint32_t events) {
    queue.wake(events);
    if (peer)
        peer->queue.wake(events);
}

void UnixEndpoint::connect_pair(UnixEndpoint& other) {
    peer = base::Ref<UnixEndpoint>(other);
    other.peer = base::Ref<UnixEndpoint>(*this);
    connected = other.connected = true;
    peer_name = other.name;
    other.peer_name = name;
    peer_credentials = other.credentials;
    other.peer_credentials = credentials;
}

void UnixEndpoint::close() {
    if (closed)
        return;
    closed = true;
    if (binding != nullptr)
        binding->endpoint = nullptr;
    base::ListNodeOf<UnixBound>::unlink();
    const bool unread = !packets.empty();
    if (peer && keeps_connections()) {
        if (unread)
            peer->error = Errno::ECONNRESET;
        peer->queue.wake();
    }
    peer = nullptr;
    while (UnixPacket* packet = packets.pop_front())
        UnixPacket::destroy(packet);
    used = packet_count = 0;
    while (UnixEndpoint* waiting = pending.pop_front()) {
        waiting->close();
        waiting->release();
    }
    queue.wake();
}

LinuxResult<void> connect_to_listener(base::Ref<UnixEndpoint> client, base::Ref<UnixEndpoint> listener, bool wait, abi::Deadline deadline) {
    for (;;) {
        if (listener->closed || !listener->listening || listener->read_shut)
            return fail(Errno::ECONNREFUSED);
        if (listener->type != client->type)
            return fail(Errno::EPROTOTYPE);
        if (listener->pending_count <= listener->backlog)
            break;
        if (!wait)
            return fail(Errno::EAGAIN);
        auto slept = block(listener->queue, deadline);
        if (!slept)
            return fail(slept.error() == Errno::ETIMEDOUT ? Errno::EAGAIN : slept.error());
    }
    auto* server = new (std::nothrow) UnixEndpoint(client->type);
    if (server == nullptr)
        return fail(Errno::ENOMEM);
    server->name = listener->name;
    server->credentials = listener->credentials;
    server->connect_pair(*client);
    listener->pending.push_back(*server);
    ++listener->pending_count;
    listener->queue.wake(poll_event::readable);
    return {};
}

LinuxResult<void> UnixBinding::connect(base::Ref<UnixEndpoint> client, bool wait, abi::Deadline deadline) {
    if (endpoint == nullptr)
        return fail(Errno::ECONNREFUSED);
    return connect_to_listener(std::move(client), base::Ref<UnixEndpoint>(*endpoint), wait, deadline);
}

base::Ref<UnixEndpoint> UnixBinding::mailbox() {
    return endpoint != nullptr && endpoint->type == socket_type::datagram ? base::Ref<UnixEndpoint>(*endpoint) : base::Ref<UnixEndpoint>();
}

UnixEndpoint* find_abstract(const SocketAddress& address) {
    for (UnixEndpoint& endpoint : abstract_names())
        if (endpoint.name.length == address.length && std::memcmp(endpoint.name.bytes.data(), address.bytes.data(), address.length) == 0)
            return &endpoint;
    return nullptr;
}

void add_abstract(UnixEndpoint& endpoint) { abstract_names().push_back(endpoint); }

} // namespace personality
