// A malicious source of randomness. Each attack has its teeth: lib/base/teeth_testing.hpp.
#include "drivers/virtio_rng/collect.hpp"

#include "abi/types.hpp"
#include "drivers/virtio/ring_testing.hpp"
#include "lib/base/teeth_testing.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace virtio_rng {
namespace {

using base::Weakness;
using virtio::Ring;
using virtio::TestRing;

constexpr std::uint32_t room = 64;

// A device that answers when it is waited for: `amount` says with how many bytes (of what was asked); none_yet: not at all.
constexpr std::uint32_t none_yet = UINT32_MAX;
struct Source {
    TestRing ring{1, room, Ring::Direction::from_device};
    std::uint16_t answered = 0;
    unsigned waits = 0;
    std::uint64_t now = 0, deadline = 1000;
    std::function<std::uint32_t(std::uint32_t asked)> amount;

    base::Result<void> sleep() {
        if (++waits > 10'000)
            throw base::Endless();
        ++now;
        if (answered == ring.available())
            return {};
        const std::uint16_t id = ring.available_id(answered);
        const std::uint32_t length = amount(ring.descriptor_length(id));
        if (length == none_yet)
            return {};
        ++answered;
        const auto bytes = ring.ring.buffer(id);
        std::fill(bytes.begin(), bytes.end(), static_cast<std::byte>(answered));
        ring.use(id, length);
        return {};
    }
    base::Error collect_into(std::span<std::byte> to) {
        const auto done = collect(ring.ring, to, [this] { return wait_until(deadline, [this] { return now; }, [this] { return sleep(); }); });
        return done ? base::Error{} : done.error();
    }
};

TEST(Collect, FillsFromAnyParts) {
    for (const std::uint32_t part : {1u, 7u, 63u, 64u}) {
        Source source;
        source.amount = [part](std::uint32_t asked) { return std::min(part, asked); };
        std::array<std::byte, room> bytes{};
        EXPECT_EQ(source.collect_into(bytes), base::Error{});
        for (std::size_t i = 0; i < bytes.size(); ++i)
            EXPECT_EQ(bytes[i], static_cast<std::byte>(1 + i / part)) << part;
    }
}

TEST(HostileSource, NoBytes) {
    base::expect_teeth(Weakness::entropy_amount, [] {
        Source source;
        source.deadline = UINT64_MAX;
        source.amount = [](std::uint32_t) { return 0u; };
        std::array<std::byte, room> bytes{};
        return base::ends([&] { EXPECT_EQ(source.collect_into(bytes), base::Error::broken); });
    });
}

TEST(HostileSource, MoreThanWasAskedFor) {
    for (const std::uint32_t more : {1u, 1000u, 0x7fff'ffffu}) {
        Source source;
        source.amount = [more](std::uint32_t asked) { return asked + more; };
        std::array<std::byte, 16> bytes{};
        EXPECT_EQ(source.collect_into(bytes), base::Error::broken);
        EXPECT_EQ(bytes, (std::array<std::byte, 16>{}));
    }
}

// It interrupts again and again, and never answers.
TEST(HostileSource, NeverAnswers) {
    base::expect_teeth(Weakness::entropy_patience, [] {
        Source source;
        source.amount = [](std::uint32_t) { return none_yet; };
        std::array<std::byte, room> bytes{};
        return base::ends([&] {
            EXPECT_EQ(source.collect_into(bytes), base::Error::timed_out);
            EXPECT_LE(source.waits, 1000u);
        });
    });
}

TEST(HostileSource, StopsHalfWay) {
    base::expect_teeth(Weakness::entropy_patience, [] {
        Source source;
        source.amount = [&source](std::uint32_t) { return source.answered < 3 ? 5u : none_yet; };
        std::array<std::byte, room> bytes{};
        return base::ends([&] { EXPECT_EQ(source.collect_into(bytes), base::Error::timed_out); });
    });
}

// After an answer that was no answer the buffer is still the device's.
TEST(HostileSource, NothingIsAskedOfItAgain) {
    Source source;
    source.amount = [](std::uint32_t) { return none_yet; };
    std::array<std::byte, room> bytes{};
    EXPECT_EQ(source.collect_into(bytes), base::Error::timed_out);
    EXPECT_EQ(source.collect_into(bytes), base::Error::bad_state);
}

} // namespace
} // namespace virtio_rng
