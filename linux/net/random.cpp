#include "linux/net/random.hpp"

#include "lib/base/sha256.hpp"

#include <algorithm>
#include <cstring>

namespace personality::net {

namespace {
constinit Random instance;
}

Random& random() { return instance; }

void Random::seed(std::span<const std::byte, 32> secret) {
    std::ranges::copy(secret, secret_.begin());
    counter_ = 0;
    left_ = 0;
}

std::uint32_t Random::next() {
    if (left_ == 0) {
        std::byte input[sizeof secret_ + sizeof counter_];
        ++counter_;
        std::memcpy(input, secret_.data(), sizeof secret_);
        std::memcpy(input + sizeof secret_, &counter_, sizeof counter_);
        const auto digest = base::Sha256::of(input);
        std::memcpy(ready_.data(), digest.data(), sizeof ready_);
        left_ = ready_.size();
    }
    return ready_[--left_];
}

std::uint32_t Random::keyed(std::span<const std::byte> input) const {
    base::Sha256 hash;
    hash.update(secret_);
    hash.update(input);
    const auto digest = hash.finish();
    std::uint32_t value;
    std::memcpy(&value, digest.data(), sizeof value);
    return value;
}

} // namespace personality::net
