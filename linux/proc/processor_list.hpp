// How Linux lists processors.
#pragma once
#include "linux/proc/node.hpp"

#include <bit>
#include <cstdint>

namespace personality::proc {

// "0-2,4" for the bits of the mask; nothing where there are none.
inline void add_processor_list(Text& to, std::uint64_t mask) {
    const char* separator = "";
    for (unsigned first = 0; first < 64 && mask >> first != 0;) {
        first += static_cast<unsigned>(std::countr_zero(mask >> first));
        const unsigned count = static_cast<unsigned>(std::countr_one(mask >> first));
        to.add(separator, first);
        if (count > 1)
            to.add('-', first + count - 1);
        separator = ",";
        first += count;
    }
}

} // namespace personality::proc
