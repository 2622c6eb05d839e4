// The string functions that freestanding code uses.
#include <string.h>

extern "C" {

size_t strlen(const char* text) {
    size_t size = 0;
    while (text[size] != 0)
        ++size;
    return size;
}
size_t strnlen(const char* text, size_t limit) {
    size_t size = 0;
    while (size < limit && text[size] != 0)
        ++size;
    return size;
}
int strcmp(const char* a, const char* b) {
    while (*a != 0 && *a == *b)
        ++a, ++b;
    return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}
int strncmp(const char* a, const char* b, size_t limit) {
    for (; limit != 0; --limit, ++a, ++b)
        if (*a != *b || *a == 0)
            return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
    return 0;
}
char* strchr(const char* in, int value) {
    for (;; ++in) {
        if (*in == static_cast<char>(value))
            return const_cast<char*>(in);
        if (*in == 0)
            return nullptr;
    }
}
char* strrchr(const char* in, int value) {
    const char* found = nullptr;
    for (;; ++in) {
        if (*in == static_cast<char>(value))
            found = in;
        if (*in == 0)
            return const_cast<char*>(found);
    }
}
}
