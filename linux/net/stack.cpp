#include "linux/net/stack.hpp"

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/ip4_frag.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "netif/ethernet.h"

#include "linux/ipc/clock.hpp"
#include "linux/net/errors.hpp"
#include "linux/net/packet_queue.hpp"
#include "linux/net/random.hpp"
#include "linux/net/tcp_timer.hpp"
#include "linux/net/udp_socket.hpp"

#include <algorithm>
#include <cstring>

namespace personality::net {

namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint16_t shortest_frame = 60; // without the check sequence
constexpr std::size_t most_waiting = 4096; // frames
constexpr std::uint64_t quiet_after = 6 * second;

struct Stack {
    Wire* wire = nullptr;
    bool has_interface = false, busy = false;
    InterfaceSettings settings;
    Counters counters;
    PacketQueue waiting;
    TcpTimer tcp;
    std::uint64_t last_traffic = 0, last_second = 0;
};
constinit Stack stack;
constinit netif ethernet{};

// The clock of address resolution and reassembly stands while nothing happens, so that a first packet after a pause is not timed out by the pause.
void note_traffic() {
    stack.last_traffic = monotonic_now();
    if (stack.last_traffic - stack.last_second > 2 * second)
        stack.last_second = stack.last_traffic;
}

err_t transmit(netif*, pbuf* frame) {
    note_traffic();
    if (stack.wire == nullptr)
        return ERR_IF;
    if (stack.waiting.empty() && stack.wire->transmit(*frame)) {
        ++stack.counters.sent_frames;
        stack.counters.sent_bytes += frame->tot_len;
        return ERR_OK;
    }
    // TCP changes headers of what it sent before, so what waits is a copy.
    if (stack.waiting.size() >= most_waiting) {
        ++stack.counters.dropped;
        return ERR_OK; // as any full device does
    }
    pbuf* copy = pbuf_clone(PBUF_RAW, PBUF_RAM, frame);
    if (copy == nullptr || !stack.waiting.push({.packet = copy})) {
        if (copy != nullptr)
            pbuf_free(copy);
        ++stack.counters.dropped;
    }
    return ERR_OK;
}

err_t set_up(netif* interface) {
    interface->name[0] = 'e';
    interface->name[1] = 't';
    interface->output = etharp_output;
    interface->linkoutput = transmit;
    interface->mtu = stack.settings.mtu;
    interface->hwaddr_len = ETH_HWADDR_LEN;
    for (unsigned i = 0; i < ETH_HWADDR_LEN; ++i)
        interface->hwaddr[i] = static_cast<u8_t>(stack.settings.mac >> (8 * i));
    interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

// Marks that lwIP is at work and may call back.
struct Busy {
    Busy() { stack.busy = true; }
    ~Busy() { stack.busy = false; }
};

bool unfinished(const tcp_pcb& pcb) {
    return pcb.state != SYN_SENT && (pcb.unsent != nullptr || pcb.unacked != nullptr || (pcb.flags & TF_CLOSEPEND) != 0);
}

} // namespace

void start_stack(std::span<const std::byte, 32> secret, const InterfaceSettings* settings, Wire* wire) {
    random().seed(secret);
    lwip_init();
    UdpSocket::watch_errors();
    // The loopback interface is the only one so far: what never leaves the sandbox needs no checksums.
    NETIF_SET_CHECKSUM_CTRL(netif_list, NETIF_CHECKSUM_DISABLE_ALL);
    stack.wire = wire;
    stack.last_traffic = stack.last_second = monotonic_now();
    stack.tcp.start(stack.last_traffic);
    if (settings == nullptr)
        return;
    stack.settings = *settings;
    stack.has_interface = true;
    const ip4_addr_t address{settings->address}, netmask{settings->netmask}, gateway{settings->gateway};
    netif_add(&ethernet, &address, &netmask, &gateway, nullptr, set_up, netif_input);
    netif_set_default(&ethernet);
    netif_set_up(&ethernet);
}

void begin() { stack.tcp.catch_up(monotonic_now()); }

void settle() {
    if (stack.busy) // out of a callback: who called lwIP settles
        return;
    const Busy busy;
    netif_poll_all();
    if (stack.wire != nullptr)
        stack.wire->batch_done();
}

pbuf* make_frame(std::uint16_t length) {
    pbuf* frame = pbuf_alloc(PBUF_RAW, std::max(length, shortest_frame), PBUF_RAM);
    if (frame != nullptr && length < shortest_frame)
        std::memset(static_cast<std::byte*>(frame->payload) + length, 0, shortest_frame - length);
    return frame;
}

void frame_arrived(pbuf* frame) {
    const Busy busy;
    note_traffic();
    stack.tcp.catch_up(stack.last_traffic);
    ++stack.counters.received_frames;
    stack.counters.received_bytes += frame->tot_len;
    if (!stack.has_interface || ethernet.input(frame, &ethernet) != ERR_OK)
        pbuf_free(frame);
}

bool flush() {
    while (!stack.waiting.empty()) {
        pbuf* frame = stack.waiting.front().packet;
        if (stack.wire == nullptr || !stack.wire->transmit(*frame))
            return false;
        ++stack.counters.sent_frames;
        stack.counters.sent_bytes += frame->tot_len;
        stack.waiting.pop();
    }
    return true;
}

bool frames_waiting() { return !stack.waiting.empty(); }

void unplug() {
    stack.waiting.clear();
    if (stack.has_interface)
        netif_set_link_down(&ethernet);
}

abi::Deadline next_timer() {
    abi::Deadline next = stack.tcp.next();
    // Address resolution and reassembly have something to do only for a while after traffic.
    if (stack.last_second < stack.last_traffic + quiet_after)
        next = std::min<abi::Deadline>(next, stack.last_second + second);
    return next;
}

void run_timers() {
    const Busy busy;
    const std::uint64_t now = monotonic_now();
    stack.tcp.run(now);
    if (now >= stack.last_second + second) {
        stack.last_second = now;
        etharp_tmr();
        ip_reass_tmr();
    }
}

bool all_sent() {
    for (const tcp_pcb* pcb = tcp_active_pcbs; pcb != nullptr; pcb = pcb->next)
        if (unfinished(*pcb))
            return false;
    return !frames_waiting();
}

const InterfaceSettings* interface_settings() { return stack.has_interface ? &stack.settings : nullptr; }
const Counters& interface_counters() { return stack.counters; }

// err.h of lwIP, as a program sees it.
Errno to_errno(signed char error) {
    switch (error) {
    case ERR_OK: return Errno{0};
    case ERR_MEM: case ERR_BUF: return Errno::ENOBUFS;
    case ERR_TIMEOUT: return Errno::ETIMEDOUT;
    case ERR_RTE: return Errno::ENETUNREACH;
    case ERR_INPROGRESS: return Errno::EINPROGRESS;
    case ERR_WOULDBLOCK: return Errno::EAGAIN;
    case ERR_USE: return Errno::EADDRINUSE;
    case ERR_ALREADY: return Errno::EALREADY;
    case ERR_ISCONN: return Errno::EISCONN;
    case ERR_CONN: return Errno::ENOTCONN;
    case ERR_IF: return Errno::ENETDOWN;
    case ERR_ABRT: return Errno::ETIMEDOUT; // lwIP gives up after its last retransmission by an abort
    case ERR_RST: return Errno::ECONNRESET;
    case ERR_CLSD: return Errno::ENOTCONN;
    default: return Errno::EINVAL;
    }
}

} // namespace personality::net
