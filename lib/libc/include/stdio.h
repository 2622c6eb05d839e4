#pragma once
#include <stddef.h>
#define EOF (-1)
#ifdef __cplusplus
extern "C" {
#endif
int remove(const char*);
int snprintf(char* __restrict, size_t, const char* __restrict, ...);
#ifdef __cplusplus
}
#endif
