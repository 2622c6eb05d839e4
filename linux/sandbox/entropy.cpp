#include "linux/sandbox/entropy.hpp"

#include "abi/entropy_client.hpp"
#include "lib/base/sha256.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/mutex.hpp"
#include "linux/fs/devices.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace personality {

namespace {

constexpr std::uint64_t patience_milliseconds = 60'000; // more than the driver has for a device that does not answer

// Output is SHA-256 over key, counter and the time; the key is replaced by such a digest after every request, so that a later look into the
// memory does not tell what was given out before.
struct Generator {
    native::Mutex lock;
    std::array<std::byte, 32> key{};
    std::uint64_t counter = 0;

    std::array<std::byte, 32> next() {
        const std::uint64_t words[2] = {++counter, native::monotonic_nanoseconds()};
        base::Sha256 hash;
        hash.update(key);
        hash.update(std::as_bytes(std::span(words)));
        return hash.finish();
    }
};

[[clang::no_destroy]] constinit Generator generator;

} // namespace

base::Result<void> seed_randomness(abi::Handle entropy) {
    native::entropy::Client client(native::Caller{entropy});
    const auto reply = TRY(client.read(native::after_milliseconds(patience_milliseconds)));
    std::memcpy(generator.key.data(), reply.bytes.data(), generator.key.size());
    return {};
}

void random_bytes(std::span<std::byte> to) {
    const native::LockGuard guard(generator.lock);
    while (!to.empty()) {
        const auto block = generator.next();
        const std::size_t part = std::min(to.size(), block.size());
        std::memcpy(to.data(), block.data(), part);
        to = to.subspan(part);
    }
    generator.key = generator.next();
}

} // namespace personality
