#include "linux/net/proc_text.hpp"

#include "lwip/etharp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#include "lib/base/format.hpp"
#include "linux/net/interfaces.hpp"
#include "linux/net/stack.hpp"
#include "linux/net/tcp_socket.hpp"
#include "linux/net/udp_socket.hpp"

namespace personality::net {

namespace {

// Programs decode these fields as capitals.
struct Capitals {
    std::uint64_t value;
    unsigned digits;
};

base::Formatter& operator<<(base::Formatter& to, Capitals number) {
    for (unsigned i = number.digits; i-- > 0;)
        to << "0123456789ABCDEF"[number.value >> 4 * i & 15];
    return to;
}

// A number or text to the right of `width` columns.
template <class T> struct Right {
    T value;
    std::size_t width;
};

template <class T> base::Formatter& operator<<(base::Formatter& to, Right<T> field) {
    char text[32];
    base::Formatter inner(text);
    inner << field.value;
    for (std::size_t i = inner.view().size(); i < field.width; ++i)
        to << ' ';
    return to << inner.view();
}

LinuxResult<void> append(base::String& to, const base::Formatter& line) {
    if (!to.append(line.view()))
        return fail(Errno::ENOMEM);
    return {};
}

LinuxResult<void> write_devices(base::String& to) {
    if (!to.append("Inter-|   Receive                                                |  Transmit\n"
                   " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"))
        return fail(Errno::ENOMEM);
    for (std::size_t i = 0; i < interface_count(); ++i) {
        const InterfaceView view = interface_view(i);
        const Counters counters = view.loopback ? Counters{} : interface_counters();
        char text[256];
        base::Formatter line(text);
        line << Right<const char*>{view.name, 6} << ": " << Right{counters.received_bytes, 7} << ' ' << Right{counters.received_frames, 7}
             << "    0    0    0     0          0         0 " << Right{counters.sent_bytes, 8} << ' ' << Right{counters.sent_frames, 7} << "    0 "
             << Right{counters.dropped, 4} << "    0     0       0          0\n";
        TRY(append(to, line));
    }
    return {};
}

struct SocketLine {
    std::uint32_t local, peer;
    std::uint16_t local_port, peer_port;
    std::uint8_t state;
    std::uint32_t queued = 0, unread = 0;
    std::uint64_t inode = 0;
};

LinuxResult<void> write_socket(base::String& to, unsigned index, const SocketLine& socket) {
    char text[256];
    base::Formatter line(text);
    line << Right{index, 4} << ": " << Capitals{socket.local, 8} << ':' << Capitals{socket.local_port, 4} << ' ' << Capitals{socket.peer, 8} << ':'
         << Capitals{socket.peer_port, 4} << ' ' << Capitals{socket.state, 2} << ' ' << Capitals{socket.queued, 8} << ':' << Capitals{socket.unread, 8}
         << " 00:00000000 00000000     0        0 " << socket.inode << " 1 0000000000000000\n";
    return append(to, line);
}

constexpr std::string_view socket_head =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

LinuxResult<void> write_tcp(base::String& to) {
    if (!to.append(socket_head))
        return fail(Errno::ENOMEM);
    unsigned index = 0;
    for (const tcp_pcb_listen* pcb = tcp_listen_pcbs.listen_pcbs; pcb != nullptr; pcb = pcb->next) {
        const auto* socket = static_cast<const TcpSocket*>(pcb->callback_arg);
        TRY(write_socket(to, index++, {pcb->local_ip.addr, 0, pcb->local_port, 0, linux_tcp_state(LISTEN), 0, 0, socket != nullptr ? socket->number() : 0}));
    }
    for (const tcp_pcb* first : {tcp_active_pcbs, tcp_tw_pcbs})
        for (const tcp_pcb* pcb = first; pcb != nullptr; pcb = pcb->next) {
            const auto* socket = pcb->state == SYN_RCVD ? nullptr : static_cast<TcpSocket*>(pcb->callback_arg);
            TRY(write_socket(to, index++,
                             {pcb->local_ip.addr, pcb->remote_ip.addr, pcb->local_port, pcb->remote_port, linux_tcp_state(pcb->state),
                              static_cast<std::uint32_t>(TCP_SND_BUF - pcb->snd_buf), TCP_WND - pcb->rcv_wnd, socket != nullptr ? socket->number() : 0}));
        }
    return {};
}

LinuxResult<void> write_udp(base::String& to) {
    if (!to.append(socket_head))
        return fail(Errno::ENOMEM);
    unsigned index = 0;
    constexpr std::uint8_t established = 1, unconnected = 7;
    for (const udp_pcb* pcb = udp_pcbs; pcb != nullptr; pcb = pcb->next)
        TRY(write_socket(to, index++,
                         {pcb->local_ip.addr, pcb->remote_ip.addr, pcb->local_port, pcb->remote_port,
                          (pcb->flags & UDP_FLAGS_CONNECTED) != 0 ? established : unconnected, 0, 0,
                          pcb->recv_arg != nullptr ? static_cast<const UdpSocket*>(pcb->recv_arg)->number() : 0}));
    return {};
}

LinuxResult<void> write_routes(base::String& to) {
    if (!to.append("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"))
        return fail(Errno::ENOMEM);
    const InterfaceSettings* settings = interface_settings();
    if (settings == nullptr)
        return {};
    const auto route = [&](std::uint32_t destination, std::uint32_t gateway, unsigned flags, std::uint32_t mask) {
        char text[160];
        base::Formatter line(text);
        line << "eth0\t" << Capitals{destination, 8} << '\t' << Capitals{gateway, 8} << '\t' << Capitals{flags, 4} << "\t0\t0\t0\t" << Capitals{mask, 8}
             << "\t0\t0\t0\n";
        return append(to, line);
    };
    constexpr unsigned up = 1, by_gateway = 2;
    if (settings->gateway != 0)
        TRY(route(0, settings->gateway, up | by_gateway, 0));
    return route(settings->address & settings->netmask, 0, up, settings->netmask);
}

LinuxResult<void> write_neighbours(base::String& to) {
    if (!to.append("IP address       HW type     Flags       HW address            Mask     Device\n"))
        return fail(Errno::ENOMEM);
    for (std::size_t i = 0; i < ARP_TABLE_SIZE; ++i) {
        ip4_addr_t* address = nullptr;
        netif* interface = nullptr;
        eth_addr* mac = nullptr;
        if (etharp_get_entry(i, &address, &interface, &mac) == 0)
            continue;
        char dotted[20], text[160];
        base::Formatter name(dotted), line(text);
        name << (address->addr & 255) << '.' << (address->addr >> 8 & 255) << '.' << (address->addr >> 16 & 255) << '.' << (address->addr >> 24);
        line << name.view();
        for (std::size_t column = name.view().size(); column < 17; ++column)
            line << ' ';
        line << "0x1         0x2         ";
        for (unsigned byte = 0; byte < 6; ++byte)
            line << (byte != 0 ? ":" : "") << base::Hex{mac->addr[byte], 2};
        line << "     *        eth0\n";
        TRY(append(to, line));
    }
    return {};
}

constexpr ProcFile files[] = {{"dev", write_devices}, {"tcp", write_tcp}, {"udp", write_udp}, {"route", write_routes}, {"arp", write_neighbours}};

} // namespace

std::span<const ProcFile> proc_files() { return files; }

} // namespace personality::net
