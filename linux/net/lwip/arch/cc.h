/* The compiler and the platform, as lwIP asks for them. */
#ifndef THEMELIOS_LWIP_CC_H
#define THEMELIOS_LWIP_CC_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
/* linux/net/port.cpp */
void* net_allocate(size_t size);
void* net_allocate_cleared(size_t count, size_t size);
void net_release(void* pointer);
uint32_t net_random(void);
void net_assertion(const char* text) __attribute__((noreturn));
uint16_t net_checksum(const void* data, int length);
#ifdef __cplusplus
}
#endif

#define LWIP_NO_CTYPE_H 1
#define LWIP_PLATFORM_DIAG(text) do { } while (0)
#define LWIP_PLATFORM_ASSERT(text) net_assertion(text)
#define LWIP_RAND() net_random()
#define LWIP_CHKSUM net_checksum
#define mem_clib_malloc net_allocate
#define mem_clib_calloc net_allocate_cleared
#define mem_clib_free net_release

#endif
