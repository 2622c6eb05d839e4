// What a malicious device writes into the used ring. Each attack has its teeth: lib/base/teeth_testing.hpp.
#include "drivers/virtio/ring_testing.hpp"

#include "abi/types.hpp"
#include "lib/base/teeth_testing.hpp"

namespace virtio {
namespace {

using base::Weakness;
using Direction = Ring::Direction;
constexpr std::uint32_t room = 64;

bool is_broken(const base::Result<Ring::Used>& used) { return !used && used.error() == base::Error::broken; }

// A ring of `size` whose buffers the device has, but for `kept` that it has not.
TestRing with_buffers(std::uint16_t size = 8, unsigned kept = 0) {
    TestRing test(size, room, Direction::from_device);
    test.give(size - kept, room);
    return test;
}

TEST(Ring, BuffersComeBack) {
    TestRing test = with_buffers();
    ASSERT_EQ(test.available(), 8u);
    EXPECT_EQ(test.ring.take_used().error(), base::Error::would_block);
    for (unsigned round = 0; round < 100'000; ++round) {
        const std::uint16_t id = test.available_id(static_cast<std::uint16_t>(round));
        test.use(id, round % (room + 1));
        const auto used = test.ring.take_used();
        ASSERT_TRUE(used) << round;
        ASSERT_EQ(used->id, id);
        ASSERT_EQ(used->length, round % (room + 1));
        test.ring.give(id, room);
        ASSERT_TRUE(test.ring.publish());
    }
}

TEST(Ring, NothingLiesWhereAnotherThingLies) {
    for (std::uint16_t size = 1; size <= Ring::most; size = static_cast<std::uint16_t>(size * 2)) {
        TestRing test(size, 100, Direction::to_device);
        const QueueAddresses places = test.ring.addresses();
        EXPECT_GE(places.driver, places.descriptors + 16u * size);
        EXPECT_GE(places.device, places.driver + 6u + 2u * size);
        const auto first = test.ring.buffer(0), last = test.ring.buffer(static_cast<std::uint16_t>(size - 1));
        EXPECT_GE(first.data() - test.all().data(), static_cast<std::ptrdiff_t>(places.device - TestRing::bus + 6 + 8u * size));
        EXPECT_EQ(last.data() + last.size(), test.all().data() + test.all().size());
    }
}

TEST(Ring, TheDeviceIsToldUnlessItLooksItself) {
    TestRing test(8, room, Direction::to_device);
    std::uint16_t id = 0;
    EXPECT_FALSE(test.ring.publish());
    ASSERT_TRUE(test.ring.take_free(id));
    test.ring.give(id, 5);
    EXPECT_TRUE(test.ring.publish());
    EXPECT_FALSE(test.ring.publish());
    test.set_flags(1);
    ASSERT_TRUE(test.ring.take_free(id));
    test.ring.give(id, 5);
    EXPECT_FALSE(test.ring.publish());
}

TEST(HostileRing, IdOutOfRange) {
    for (const std::uint32_t id : {8u, 9u, 255u, 256u, 0x10000u, 0x8000'0000u, UINT32_MAX}) {
        TestRing test = with_buffers();
        test.use(id, 0);
        EXPECT_TRUE(is_broken(test.ring.take_used())) << id;
    }
    // With the low bits of a buffer that the device has.
    for (const std::uint32_t id : {256u, 0x10001u, 0x8000'0007u, 0xffff'ff00u})
        base::expect_teeth(Weakness::used_id, [id] {
            TestRing test = with_buffers();
            test.use(id, 0);
            return is_broken(test.ring.take_used());
        });
}

TEST(HostileRing, IdThatIsNotOutstanding) {
    base::expect_teeth(Weakness::used_outstanding, [] {
        TestRing test = with_buffers(8, 1);
        std::uint16_t kept = 0;
        EXPECT_TRUE(test.ring.take_free(kept));
        test.use(kept, 0);
        return is_broken(test.ring.take_used());
    });
}

TEST(HostileRing, IdUsedTwice) {
    base::expect_teeth(Weakness::used_outstanding, [] {
        TestRing test = with_buffers();
        const std::uint16_t id = test.available_id(0);
        test.use(id, 1);
        test.use(id, 1);
        EXPECT_TRUE(test.ring.take_used());
        return is_broken(test.ring.take_used());
    });
}

TEST(HostileRing, LengthLargerThanTheBuffer) {
    for (const std::uint32_t length : {room + 1, 0x8000'0000u, UINT32_MAX})
        base::expect_teeth(Weakness::used_length, [length] {
            TestRing test = with_buffers();
            test.use(test.available_id(0), length);
            return is_broken(test.ring.take_used());
        });
}

// It was given less than the buffer holds.
TEST(HostileRing, LengthLargerThanWasAskedFor) {
    base::expect_teeth(Weakness::used_length, [] {
        TestRing test(8, room, Direction::from_device);
        test.give(1, 16);
        test.use(test.available_id(0), 17);
        return is_broken(test.ring.take_used());
    });
}

TEST(HostileRing, LengthOfWhatTheDeviceOnlyReads) {
    TestRing test(8, room, Direction::to_device);
    test.give(1, 16);
    test.use(test.available_id(0), UINT32_MAX);
    const auto used = test.ring.take_used();
    ASSERT_TRUE(used);
    EXPECT_LE(used->length, 16u);
}

TEST(HostileRing, IndexJumpsByMoreThanTheQueueHolds) {
    for (const unsigned index : {9u, 10u, 4096u, 0x7fffu, 0x8000u})
        base::expect_teeth(Weakness::used_count, [index] {
            TestRing test = with_buffers();
            for (std::uint16_t i = 0; i < 8; ++i)
                test.set_used(i, test.available_id(i), 1);
            test.set_used_index(static_cast<std::uint16_t>(index));
            return is_broken(test.ring.take_used());
        });
}

TEST(HostileRing, IndexJumpsByMoreThanWasGiven) {
    base::expect_teeth(Weakness::used_count, [] {
        TestRing test = with_buffers(8, 6);
        test.set_used(0, test.available_id(0), 1);
        test.set_used_index(3);
        return is_broken(test.ring.take_used());
    });
}

TEST(HostileRing, IndexGoesBackwards) {
    base::expect_teeth(Weakness::used_count, [] {
        TestRing test = with_buffers();
        for (std::uint16_t i = 0; i < 3; ++i)
            test.use(test.available_id(i), 1);
        for (unsigned i = 0; i < 3; ++i)
            EXPECT_TRUE(test.ring.take_used());
        for (std::uint16_t i = 0; i < 8; ++i)
            test.set_used(i, test.available_id(3), 1);
        test.set_used_index(2);
        return is_broken(test.ring.take_used());
    });
}

// A driver that gives a buffer again while it takes is not kept busy with it for ever: what is not published cannot come back.
TEST(HostileRing, OneTurnEnds) {
    base::expect_teeth(Weakness::used_count, [] {
        TestRing test = with_buffers();
        unsigned taken = 0;
        for (; taken < 1000; ++taken) {
            test.use(test.available_id(static_cast<std::uint16_t>(taken)), 1);
            const auto used = test.ring.take_used();
            if (!used)
                break;
            test.ring.give(used->id, room);
        }
        return taken <= 8;
    });
}

// What the device does to descriptors and the driver's ring changes nothing that the driver believes.
TEST(HostileRing, TheDriversOwnPartsAreNotReadBack) {
    TestRing test(8, room, Direction::from_device);
    test.give(8, 16);
    const std::uint16_t id = test.available_id(0);
    std::memset(test.all().data(), 0xff, test.device());
    test.use(id, 17);
    EXPECT_TRUE(is_broken(test.ring.take_used()));
    test.set_used(0, id, 16);
    const auto used = test.ring.take_used();
    ASSERT_TRUE(used);
    EXPECT_EQ(test.ring.buffer(used->id).data() + room * (8 - used->id), test.all().data() + test.all().size());
}

} // namespace
} // namespace virtio
