/* Where lwIP asks the personality: linux/net/port.cpp. */
#ifndef THEMELIOS_LWIP_HOOKS_H
#define THEMELIOS_LWIP_HOOKS_H
#include "lwip/ip_addr.h"

struct tcp_hdr;
struct tcp_pcb;
struct pbuf;
struct netif;
#ifdef __cplusplus
extern "C" {
#endif
u32_t net_initial_sequence(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote, u16_t remote_port);
/* Before anything else looks at an IPv4 packet, which is not checked yet. 0 lets it through. */
int net_packet_arrived(struct pbuf* packet, struct netif* from);
/* ERR_OK lets the segment through. Of its options `first_length` bytes lie behind the header, the others at `second`; they may be changed. */
err_t net_segment_arrived(struct tcp_pcb* pcb, struct tcp_hdr* header, u16_t options_length, u16_t first_length, u8_t* second);
#ifdef __cplusplus
}
#endif

#define LWIP_HOOK_TCP_ISN net_initial_sequence
#define LWIP_HOOK_IP4_INPUT net_packet_arrived
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, options_length, first_length, second, packet) \
    net_segment_arrived(pcb, header, options_length, first_length, second)

#endif
