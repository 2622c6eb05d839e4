// One end of an AF_UNIX connection, or a datagram socket's mailbox, or a listener (man 7 unix).
#pragma once
#include "linux/fs/inode.hpp"
#include "linux/ipc/socket.hpp"

namespace personality {

// A piece of a stream or a whole message, with what came along.
struct UnixPacket : base::ListNode {
    static UnixPacket* make(std::size_t capacity); // null: no memory
    static void destroy(UnixPacket* packet);
    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }

    std::size_t capacity = 0, size = 0, offset = 0;
    UnixPacket* next_doomed = nullptr;
    FileBundle files;
    UnixCredentials credentials;
    SocketAddress from;
};

struct UnixBound; // list tag: endpoints with an abstract name

// Sandbox lock. A closed endpoint stays as long as a peer refers to it.
class UnixEndpoint final : public base::RefCounted<UnixEndpoint>, public base::ListNode, public base::ListNodeOf<UnixBound> {
public:
    static constexpr std::size_t most_packets = 512;

    explicit UnixEndpoint(std::uint32_t type) : type(type) {}
    ~UnixEndpoint();

    bool stream() const { return type == socket_type::stream; }
    bool keeps_connections() const { return type != socket_type::datagram; }
    bool peer_closed() const { return connected && (!peer || peer->closed); }
    bool end_of_input() const { return read_shut || (keeps_connections() && connected && (!peer || peer->closed || peer->write_shut)); }
    bool room_for(std::size_t bytes) const { return used + bytes <= limit && packet_count < most_packets; }

    // Puts a packet in this endpoint's queue. Takes the packet.
    void deliver(UnixPacket* packet);
    UnixPacket* first() { return packets.empty() ? nullptr : &packets.front(); }
    // Takes `bytes` off the first packet; removes it when it is used up (or is a message).
    void consume(std::size_t bytes);
    // The descriptor is gone: peers learn it.
    void close();
    void connect_pair(UnixEndpoint& other);
    void wake_both(std::uint32_t events);

    const std::uint32_t type;
    WaitQueue queue;
    base::List<UnixPacket> packets;
    std::size_t used = 0, packet_count = 0, limit = 212992;
    base::Ref<UnixEndpoint> peer;
    bool connected = false, closed = false, read_shut = false, write_shut = false;
    Errno error{0};
    SocketAddress name;      // length 0: none
    SocketAddress peer_name; // of the other end of a connection
    UnixCredentials credentials, peer_credentials;
    class UnixBinding* binding = nullptr; // the inode's attachment that leads here

    // Listeners.
    bool listening = false;
    std::uint32_t backlog = 0, pending_count = 0;
    base::List<UnixEndpoint> pending; // connected, not yet accepted; a reference each
};

// What connecting to a socket's inode leads to.
class SocketName : public InodeAttachment {
public:
    // `client` is not connected. Errors: ECONNREFUSED, EPROTOTYPE, EAGAIN (full), as block.
    virtual LinuxResult<void> connect(base::Ref<UnixEndpoint> client, bool wait, abi::Deadline deadline) = 0;
    // The mailbox of a datagram socket; null where it is none.
    virtual base::Ref<UnixEndpoint> mailbox() { return nullptr; }
};

class UnixBinding final : public SocketName {
public:
    explicit UnixBinding(UnixEndpoint& endpoint) : endpoint(&endpoint) {}
    LinuxResult<void> connect(base::Ref<UnixEndpoint> client, bool wait, abi::Deadline deadline) override;
    base::Ref<UnixEndpoint> mailbox() override;
    UnixEndpoint* endpoint; // null: closed
};

// Queues a new connection at `listener`.
LinuxResult<void> connect_to_listener(base::Ref<UnixEndpoint> client, base::Ref<UnixEndpoint> listener, bool wait, abi::Deadline deadline);

// Abstract names.
UnixEndpoint* find_abstract(const SocketAddress& address);
void add_abstract(UnixEndpoint& endpoint);

} // namespace personality
