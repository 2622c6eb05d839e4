// The byte streams of one run of a sandbox: ring pairs of which the personality has side A and the engine side B. Runtime keeps them mapped to end them where a
// personality cannot.
#pragma once
#include "abi/sandbox_control_messages.hpp"
#include "abi/types.hpp"
#include "lib/ring/pair.hpp"

#include <array>
#include <cstdint>

namespace runtime {

class Streams {
public:
    static constexpr std::size_t count = 3;
    static constexpr std::uint64_t ring_bytes = 64 * 1024; // each direction

    // The engine's end of a stream, which is made on demand. Charged to `quota`. Handles stay the runtime's; give copies. Errors: no_memory.
    base::Result<ring::Handles> engine_end(std::size_t index, abi::Handle quota);
    // The personality's end, once: who hands capabilities out is recorded (abi/audit.hpp), and a sandbox that could ask for them without end would fill the log with it.
    // Errors: bad_state (nobody asked for this stream), exists (it was given in this run).
    base::Result<ring::Handles> sandbox_end(std::size_t index);
    ring::Pair& pair(std::size_t index) { return pairs_[index]; }
    // No data will come from the sandbox any more, and it takes none.
    void hang_up();
    void reset();

private:
    std::array<ring::Pair, count> pairs_;
    std::array<bool, count> given_{}; // the sandbox' end, in this run
};

} // namespace runtime
