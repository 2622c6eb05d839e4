// What lwIP asks of its platform (lwip/arch/cc.h, lwip/hooks.h): memory, randomness, checksums, sequence numbers.
#include "lwip/tcp.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"

#include "linux/ipc/clock.hpp"
#include "linux/net/random.hpp"
#include "linux/net/tcp_socket.hpp"

#include <cstring>
#include <new>

#if THEMELIOS_HOST
#include <cstdio>
#include <cstdlib>
#else
#include "lib/native/start.hpp"
#endif

namespace net = personality::net;

extern "C" void* net_allocate(size_t size) { return ::operator new(size, std::nothrow); }

extern "C" void* net_allocate_cleared(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size)
        return nullptr;
    void* memory = net_allocate(count * size);
    if (memory != nullptr)
        std::memset(memory, 0, count * size);
    return memory;
}

extern "C" void net_release(void* pointer) { ::operator delete(pointer); }

extern "C" uint32_t net_random(void) { return net::random().next(); }

extern "C" void net_assertion(const char* text) {
#if THEMELIOS_HOST
    std::fprintf(stderr, "lwIP: %s\n", text);
    std::abort();
#else
    native::panic(text);
#endif
}

extern "C" u32_t sys_now(void) { return static_cast<u32_t>(personality::monotonic_now() / 1'000'000); }

// RFC 1071, eight bytes a step: the sum is the same in every word size, once folded.
extern "C" uint16_t net_checksum(const void* data, int length) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    unsigned __int128 sum = 0;
    while (length >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes, sizeof word);
        sum += word;
        bytes += 8;
        length -= 8;
    }
    std::uint64_t last = 0;
    std::memcpy(&last, bytes, static_cast<std::size_t>(length));
    sum += last;
    auto folded = static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(sum >> 64);
    if (folded < static_cast<std::uint64_t>(sum))
        ++folded;
    folded = (folded & 0xffff'ffff) + (folded >> 32);
    folded = (folded & 0xffff'ffff) + (folded >> 32);
    folded = (folded & 0xffff) + (folded >> 16);
    folded = (folded & 0xffff) + (folded >> 16);
    return static_cast<uint16_t>(folded);
}

// RFC 6528: a clock, plus a secret function of the connection's ends. A tick of 64 ns instead of 4 us: who sends up to 15 MB/s and comes again from the same port has a newer number
// than all that it sent before, so a peer that remembers can tell (see net_packet_arrived). It wraps in 275 s, far longer than anything is remembered.
extern "C" u32_t net_initial_sequence(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote, u16_t remote_port) {
    struct {
        u32_t local, remote;
        u16_t local_port, remote_port;
    } const ends{local->addr, remote->addr, local_port, remote_port};
    return net::random().keyed(std::as_bytes(std::span(&ends, 1))) + static_cast<u32_t>(personality::monotonic_now() / 64);
}

namespace {

// A SYN alone says how large segments may be (RFC 9293, 3.7.1). lwIP takes it from any segment, and stops at an assertion where the size shrinks below what it has queued. From a
// SYN that comes again it takes more than the interface carries.
void hide_segment_size(std::uint8_t* first, unsigned first_length, std::uint8_t* second, unsigned length) {
    const auto at = [&](unsigned i) -> std::uint8_t& { return i < first_length ? first[i] : second[i - first_length]; };
    for (unsigned i = 0; i < length && at(i) != LWIP_TCP_OPT_EOL;) {
        if (at(i) == LWIP_TCP_OPT_NOP) {
            ++i;
            continue;
        }
        if (i + 1 == length || at(i + 1) < 2 || at(i + 1) > length - i)
            return;
        const unsigned end = i + at(i + 1);
        if (at(i) == LWIP_TCP_OPT_MSS)
            while (i < end)
                at(i++) = LWIP_TCP_OPT_NOP;
        i = end;
    }
}

} // namespace

// RFC 9293, 3.10.7.4 (SYN in TIME-WAIT): a newer connection between the same ends may begin at once. lwIP would refuse it, so what is left of the old one goes before lwIP looks.
extern "C" int net_packet_arrived(struct pbuf* packet, struct netif*) {
    ip_hdr ip;
    tcp_hdr tcp;
    if (tcp_tw_pcbs == nullptr || pbuf_copy_partial(packet, &ip, sizeof ip, 0) != sizeof ip || IPH_PROTO(&ip) != IP_PROTO_TCP ||
        (IPH_OFFSET(&ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0 || pbuf_copy_partial(packet, &tcp, sizeof tcp, IPH_HL_BYTES(&ip)) != sizeof tcp ||
        (TCPH_FLAGS(&tcp) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
        return 0;
    const u16_t local_port = lwip_ntohs(tcp.dest), remote_port = lwip_ntohs(tcp.src);
    for (tcp_pcb* pcb = tcp_tw_pcbs; pcb != nullptr; pcb = pcb->next)
        if (pcb->local_port == local_port && pcb->remote_port == remote_port && pcb->local_ip.addr == ip.dest.addr && pcb->remote_ip.addr == ip.src.addr) {
            if (TCP_SEQ_GT(lwip_ntohl(tcp.seqno), pcb->rcv_nxt))
                tcp_abort(pcb); // says nothing in this state
            break;
        }
    return 0;
}

// A segment that would make a connection which the program's queue has no room for is dropped: the peer sends it again.
extern "C" err_t net_segment_arrived(struct tcp_pcb* pcb, struct tcp_hdr* header, u16_t options_length, u16_t first_length, u8_t* second) {
    if ((TCPH_FLAGS(header) & TCP_SYN) == 0 || pcb->state == SYN_RCVD)
        hide_segment_size(reinterpret_cast<std::uint8_t*>(header + 1), first_length, second, options_length);
    void* listener = nullptr;
    if (pcb->state == LISTEN)
        listener = pcb->callback_arg;
    else if (pcb->state == SYN_RCVD && pcb->listener != nullptr)
        listener = pcb->listener->callback_arg;
    if (listener != nullptr && static_cast<personality::TcpSocket*>(listener)->backlog_full())
        return ERR_BUF;
    return ERR_OK;
}
