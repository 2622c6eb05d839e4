// Random numbers of the processor itself, for what is chosen before there is a generator: where the kernel lies, the words that guard stacks.
#pragma once
#include <cstdint>

namespace base {

struct ProcessorRandom {
    std::uint64_t value;
    bool strong; // false: the processor has no random numbers, and the value is from its time-stamp counter alone, which others can guess
};

// Always inlined: whoever chooses the word that guards stacks has no guarded frame of its own meanwhile.
[[gnu::always_inline]] inline ProcessorRandom processor_random() {
    const auto cpuid = [](std::uint32_t leaf, std::uint32_t& b, std::uint32_t& c) __attribute__((always_inline)) {
        std::uint32_t a = leaf, d;
        c = 0;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        return a;
    };
    std::uint32_t b, c;
    std::uint64_t drawn = 0;
    bool good = false;
    if (cpuid(0, b, c) >= 7 && (cpuid(7, b, c), (b >> 18 & 1) != 0))
        for (int attempt = 0; attempt < 100 && !good; ++attempt)
            asm volatile("rdseed %0" : "=r"(drawn), "=@ccc"(good));
    if (!good && (cpuid(1, b, c), (c >> 30 & 1) != 0))
        for (int attempt = 0; attempt < 100 && !good; ++attempt)
            asm volatile("rdrand %0" : "=r"(drawn), "=@ccc"(good));
    std::uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    // The last steps of splitmix64: every bit of the counter reaches every bit of the result.
    std::uint64_t mixed = (std::uint64_t{high} << 32) | low;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return {(mixed ^ mixed >> 31) ^ (good ? drawn : 0), good};
}

} // namespace base
