// Random numbers for identifiers, ports and hash seeds: SHA-256 over a secret state and a counter.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace netswitch {

class Random {
public:
    // Mixes the processor's generator where it has one, the time stamp counter, and `entropy` (an Endpoint of abi/entropy.abi, or none) if it answers soon.
    void seed(std::uint64_t entropy);
    std::uint32_t next();

private:
    void refill();
    std::array<std::byte, 32> state_{};
    std::array<std::uint32_t, 8> ready_{};
    std::size_t left_ = 0;
    std::uint64_t counter_ = 0;
};

} // namespace netswitch
