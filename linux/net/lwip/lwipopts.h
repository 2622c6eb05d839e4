/* How lwIP is configured: one instance a sandbox, all calls under the sandbox lock, memory from the personality's heap, timers driven by linux/net/stack.cpp. */
#ifndef THEMELIOS_LWIPOPTS_H
#define THEMELIOS_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0
#define LWIP_CALLBACK_API 1

/* Memory: every object is an allocation of its own, so the only limits are the sandbox' quota and those of each socket. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16
#define MEM_USE_POOLS 0
#define PBUF_POOL_BUFSIZE 1536

#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 127
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 32
#define ETHARP_TRUST_IP_MAC 0
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 256
#define IP_FRAG 1
#define IP_OPTIONS_ALLOWED 1
#define IP_DEFAULT_TTL 64
#define IP_SOF_BROADCAST 1
#define IP_SOF_BROADCAST_RECV 0
#define LWIP_ICMP 1
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
#define LWIP_RAW 1
#define RAW_TTL 64
#define LWIP_UDP 1
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_LOOPBACK_MAX_PBUFS 0
#define LWIP_NETIF_HOSTNAME 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1
#define LWIP_RANDOMIZE_INITIAL_LOCAL_PORTS 1

#define LWIP_TCP 1
#define TCP_TTL 64
/* The largest; a network interface's MTU says what goes through it, 1,460 bytes for Ethernet. The loopback has no MTU, and there a segment and its headers fill an object of the heap. */
#define TCP_MSS 16060
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 4096
#define TCP_SNDLOWAT 1024 /* of lwIP's own sockets, which are not built */
/* By the network's segments: a small write takes no more, and a program that reads slowly opens the window as soon. */
#define TCP_OVERSIZE 1460
#define TCP_WND_UPDATE_THRESHOLD (4 * 1460)
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES (256 * 1024)
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff
/* Delayed acknowledgements after 100 ms and retransmission in steps of 200 ms, about as other systems have it; the first timeout is that of RFC 6298. */
#define TCP_TMR_INTERVAL 100
#define LWIP_TCP_RTO_TIME 1000
/* Pcbs in TIME-WAIT are in one list that each segment may walk, so they stay for 2 s only. */
#define TCP_MSL 1000

#define LWIP_HOOK_FILENAME "hooks.h"

#endif
