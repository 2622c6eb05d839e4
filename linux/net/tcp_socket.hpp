// TCP sockets.
#pragma once
#include "linux/net/inet_socket.hpp"
#include "linux/net/packet_queue.hpp"

struct tcp_pcb;

namespace personality {

namespace tcp_option { // of level `tcp`
inline constexpr int no_delay = 1, segment_size = 2, cork = 3, keep_idle = 4, keep_interval = 5, keep_count = 6, syn_count = 7, linger2 = 8, defer_accept = 9,
                     window_clamp = 10, information = 11, quick_ack = 12, congestion = 13, user_timeout = 18, not_sent_low = 25;
}

struct TcpPending;
struct TcpSharing;

class TcpSocket final : public InetSocket, public base::ListNodeOf<TcpPending>, public base::ListNodeOf<TcpSharing> {
public:
    explicit TcpSocket(std::uint32_t open_flags);
    ~TcpSocket() override;

    LinuxResult<void> bind(const SocketAddress& address) override;
    LinuxResult<void> listen(int backlog) override;
    LinuxResult<base::Ref<File>> accept(SocketAddress& peer, std::uint32_t open_flags) override;
    LinuxResult<void> connect(const SocketAddress& address) override;
    LinuxResult<void> shutdown(bool reading, bool writing) override;
    LinuxResult<void> local_address(SocketAddress& address) override;
    LinuxResult<void> peer_address(SocketAddress& address) override;
    LinuxResult<std::size_t> send(SendRequest& request) override;
    LinuxResult<std::size_t> receive(ReceiveRequest& request) override;
    LinuxResult<void> set_option(int level, int name, std::span<const std::byte> value) override;
    LinuxResult<std::size_t> get_option(int level, int name, std::span<std::byte> value) override;
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument) override;
    std::uint32_t poll() override;

    // Of a listening socket: connections that wait for accept fill its queue, and those of all that share its address.
    bool backlog_full() const;

private:
    enum class State : std::uint8_t { fresh, connecting, connected, listening, ended };

    LinuxResult<tcp_pcb*> need_pcb();
    void adopt(tcp_pcb* pcb, const TcpSocket& listener);
    void attach();
    // lwIP finishes the connection by itself from here on.
    void detach();
    void note_addresses();
    void stop_listening();
    // SO_REUSEPORT: joins the listening socket that has the address already. EADDRINUSE where there is none that shares.
    LinuxResult<void> share_listener();
    bool full() const { return pending_count_ > backlog_; }
    void options_changed() override;
    void disconnect();
    bool accepting() const override { return state_ == State::listening; }
    std::size_t bytes_readable() override { return bytes_; }
    std::size_t send_space() const;
    std::size_t copy_queued(std::span<std::byte> to);
    void consume(std::size_t count);
    void compact();
    void acknowledge();

    // What lwIP calls; the first argument is the socket. signed char: err_t.
    static signed char on_accept(void* self, tcp_pcb* pcb, signed char error);
    static signed char on_connected(void* self, tcp_pcb* pcb, signed char error);
    static signed char on_receive(void* self, tcp_pcb* pcb, pbuf* data, signed char error);
    static signed char on_sent(void* self, tcp_pcb* pcb, std::uint16_t length);
    static void on_error(void* self, signed char error);

    tcp_pcb* pcb_ = nullptr;
    State state_ = State::fresh;
    InetAddress local_, peer_;
    bool bound_ = false;
    bool end_of_input_ = false, read_shut_ = false, write_shut_ = false, reset_ = false;
    bool wants_space_ = false; // somebody waits for room in the send buffer
    bool no_delay_ = false, cork_ = false;
    std::int32_t keep_idle_ = 7200, keep_interval_ = 75, keep_count_ = 9; // seconds, seconds, probes
    net::PacketQueue received_;
    std::size_t offset_ = 0; // into the first packet
    std::size_t bytes_ = 0;  // in the queue, not yet read

    base::List<TcpSocket, TcpPending> pending_;
    std::uint32_t pending_count_ = 0, backlog_ = 0;

    // Sockets that listen on one address with SO_REUSEPORT: one has the pcb, and connections go to each in turn.
    TcpSocket* owner_ = nullptr; // of the pcb; null where it is this socket or nobody
    base::List<TcpSocket, TcpSharing> sharers_; // the owner's
    std::uint64_t given_ = 0;                   // connections that went to this socket
};

// lwIP's state of a connection as Linux numbers it (include/net/tcp_states.h).
std::uint8_t linux_tcp_state(int state);

} // namespace personality
