// An index that user mode chose, for use behind its check: a processor that runs ahead of the check reads entry 0 and not what lies past the table.
#pragma once
#include <cstdint>

namespace kernel {

// `index` where it is below `size`, else 0; without a branch that could be mispredicted. Both below 2^63.
inline std::uint64_t index_within(std::uint64_t index, std::uint64_t size) {
    // The compiler must not conclude from the check before that the mask is all ones.
    asm("" : "+r"(index));
    return index & static_cast<std::uint64_t>(static_cast<std::int64_t>(index - size) >> 63);
}

// The same for a size that is a power of two, where any entry below it may be read.
template <std::uint64_t size> std::uint64_t index_within(std::uint64_t index) {
    static_assert((size & (size - 1)) == 0);
    asm("" : "+r"(index));
    return index & (size - 1);
}

} // namespace kernel
