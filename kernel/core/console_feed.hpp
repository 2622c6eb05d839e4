// What of the log goes to the console next. A device takes its time, which is nobody's but the one's who has it shown: all goes in steps.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernel/core/log_ring.hpp"

namespace kernel {

class ConsoleFeed {
public:
    struct Part {
        std::uint64_t position = 0;
        std::size_t length = 0;
        char characters[16] = {};
        std::string_view text() const { return {characters, length}; }
    };

    // Up to here all was shown, or given up.
    std::uint64_t shown() const { return shown_; }

    // What comes next; empty where all is shown. The ring's lock held.
    Part next(const LogRing& ring) const {
        Part part{shown_};
        part.length = ring.copy(part.position, part.characters);
        return part;
    }
    // The device took so many of its characters. False where that were none: it is to be tried again later. A device that took nothing `patience` times in a row is not waited for any
    // more: what there is up to `end` is passed over.
    bool took(const Part& part, std::size_t taken, unsigned patience, std::uint64_t end) {
        shown_ = part.position + taken;
        if (taken == 0 && ++tries_ < patience) return false;
        if (taken == 0) shown_ = end;
        tries_ = 0;
        return true;
    }

private:
    std::uint64_t shown_ = 0;
    unsigned tries_ = 0;
};

} // namespace kernel
