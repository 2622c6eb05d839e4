// Random numbers of the network stack: ports, identifiers, sequence numbers. Sandbox lock.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace personality::net {

// SHA-256 over a secret and a counter.
class Random {
public:
    // Replaces the secret.
    void seed(std::span<const std::byte, 32> secret);
    std::uint32_t next();
    // RFC 6528: a value that depends on the secret and `input`, and on nothing else.
    std::uint32_t keyed(std::span<const std::byte> input) const;

private:
    std::array<std::byte, 32> secret_{};
    std::array<std::uint32_t, 8> ready_{};
    std::uint32_t left_ = 0;
    std::uint64_t counter_ = 0;
};

Random& random();

} // namespace personality::net
