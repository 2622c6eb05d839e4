// The memory functions that the compiler calls. Unrolled 8-byte moves: `rep movsb` is slow on emulated processors, and no vector registers may be used.
#include <cstddef>
#include <cstdint>

namespace {
using Word = std::uint64_t __attribute__((may_alias, aligned(1)));

void copy_forward(unsigned char* to, const unsigned char* from, std::size_t size) {
    for (; size >= 64; size -= 64, to += 64, from += 64) {
        auto* target = reinterpret_cast<Word*>(to);
        const auto* source = reinterpret_cast<const Word*>(from);
        const Word a = source[0], b = source[1], c = source[2], d = source[3];
        const Word e = source[4], f = source[5], g = source[6], h = source[7];
        target[0] = a, target[1] = b, target[2] = c, target[3] = d;
        target[4] = e, target[5] = f, target[6] = g, target[7] = h;
    }
    for (; size >= 8; size -= 8, to += 8, from += 8)
        *reinterpret_cast<Word*>(to) = *reinterpret_cast<const Word*>(from);
    for (; size != 0; --size)
        *to++ = *from++;
}

void copy_backward(unsigned char* to, const unsigned char* from, std::size_t size) {
    to += size;
    from += size;
    for (; size >= 8; size -= 8) {
        to -= 8;
        from -= 8;
        *reinterpret_cast<Word*>(to) = *reinterpret_cast<const Word*>(from);
    }
    for (; size != 0; --size)
        *--to = *--from;
}
} // namespace

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) {
    copy_forward(static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), size);
    return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    if (target <= source || target >= source + size)
        copy_forward(target, source, size);
    else
        copy_backward(target, source, size);
    return to;
}

void* memset(void* to, int value, std::size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    const Word word = 0x0101010101010101ull * static_cast<unsigned char>(value);
    for (; size >= 64; size -= 64, target += 64) {
        auto* words = reinterpret_cast<Word*>(target);
        words[0] = words[1] = words[2] = words[3] = words[4] = words[5] = words[6] = words[7] = word;
    }
    for (; size >= 8; size -= 8, target += 8)
        *reinterpret_cast<Word*>(target) = word;
    for (; size != 0; --size)
        *target++ = static_cast<unsigned char>(value);
    return to;
}

int memcmp(const void* a, const void* b, std::size_t size) {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (; size >= 8 && *reinterpret_cast<const Word*>(left) == *reinterpret_cast<const Word*>(right); size -= 8, left += 8, right += 8) {
    }
    for (; size != 0; --size, ++left, ++right)
        if (*left != *right)
            return *left < *right ? -1 : 1;
    return 0;
}

void* memchr(const void* in, int value, std::size_t size) {
    const auto* byte = static_cast<const unsigned char*>(in);
    for (; size != 0; --size, ++byte)
        if (*byte == static_cast<unsigned char>(value))
            return const_cast<unsigned char*>(byte);
    return nullptr;
}
}
