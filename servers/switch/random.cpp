#include "servers/switch/random.hpp"

#include "abi/entropy_client.hpp"
#include "lib/base/bytes.hpp"
#include "lib/base/sha256.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"

#include <cstring>

namespace netswitch {

namespace {

constexpr std::uint64_t patience_milliseconds = 500;
constexpr unsigned rdrand_bit = 1u << 30;

bool has_rdrand() {
    std::uint32_t eax = 1, ebx, ecx = 0, edx;
    asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ecx & rdrand_bit) != 0;
}

std::uint64_t rdrand() {
    std::uint64_t value = 0;
    std::uint8_t ok = 0;
    for (int attempt = 0; attempt < 16 && !ok; ++attempt)
        asm volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(ok)::"cc");
    return value;
}

} // namespace

void Random::seed(std::uint64_t entropy) {
    base::Sha256 hash;
    const bool processor = has_rdrand();
    for (int i = 0; i < 8; ++i) {
        const std::uint64_t words[2] = {__builtin_ia32_rdtsc(), processor ? rdrand() : 0};
        hash.update(base::bytes_of(words));
    }
    if (entropy != abi::no_handle) {
        native::entropy::Client client(native::Caller{entropy});
        if (const auto reply = client.read(native::after_milliseconds(patience_milliseconds)))
            hash.update(reply->bytes);
    }
    const auto digest = hash.finish();
    std::memcpy(state_.data(), digest.data(), state_.size());
    left_ = 0;
}

void Random::refill() {
    base::Sha256 hash;
    hash.update(state_);
    hash.update(base::bytes_of(++counter_));
    const auto digest = hash.finish();
    std::memcpy(ready_.data(), digest.data(), sizeof ready_);
    left_ = ready_.size();
}

std::uint32_t Random::next() {
    if (left_ == 0)
        refill();
    return ready_[--left_];
}

} // namespace netswitch
