// A seeded campaign against the used ring: whatever the device writes and when, a buffer comes back that the device had, at most as long as it was given, and never twice.
#include "drivers/virtio/ring_testing.hpp"

#include "abi/types.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace virtio {
namespace {

using Random = std::mt19937_64;

// The driver's side with a model of what it may believe.
class Driver {
public:
    Driver(TestRing& test, Random& random, std::uint32_t room, bool receives) : test_(test), random_(random), room_(room), receives_(receives) {}

    void give_some() {
        std::uint16_t id = 0;
        for (unsigned count = random_() % (test_.ring.size() + 1u); count > 0 && test_.ring.take_free(id); --count) {
            ASSERT_FALSE(outstanding_.contains(id));
            ASSERT_FALSE(held_.contains(id));
            const auto length = static_cast<std::uint32_t>(random_() % (room_ + 1));
            test_.ring.give(id, length);
            outstanding_[id] = length;
        }
        if (random_() % 4 != 0)
            (void)test_.ring.publish();
    }
    // False: the device is found out.
    bool take_some() {
        for (unsigned turns = 0;; ++turns) {
            EXPECT_LE(turns, test_.ring.size()) << "a turn without end";
            const auto used = test_.ring.take_used();
            if (!used)
                return used.error() == base::Error::would_block;
            const auto found = outstanding_.find(used->id);
            EXPECT_TRUE(found != outstanding_.end()) << used->id;
            if (found == outstanding_.end())
                return false;
            EXPECT_LE(used->length, found->second);
            const auto buffer = test_.ring.buffer(used->id).first(used->length);
            std::fill(buffer.begin(), buffer.end(), std::byte{0x77});
            outstanding_.erase(found);
            ++taken;
            if (random_() % 8 == 0)
                held_.insert(used->id);
            else
                test_.ring.release(used->id);
            if (!receives_ && used->length > room_)
                return false;
        }
    }
    void release_held() {
        for (const std::uint16_t id : held_)
            test_.ring.release(id);
        held_.clear();
    }
    unsigned taken = 0;

private:
    TestRing& test_;
    Random& random_;
    std::uint32_t room_;
    bool receives_;
    std::map<std::uint16_t, std::uint32_t> outstanding_;
    std::set<std::uint16_t> held_;
};

class Device {
public:
    Device(TestRing& test, Random& random) : test_(test), random_(random) {}

    // Mostly what an honest device does, so that the campaign gets far; sometimes not.
    void act(unsigned malice) {
        if (random_() % malice != 0) {
            if (seen_ != test_.available()) {
                const std::uint16_t id = test_.available_id(seen_++);
                if (id >= test_.ring.size())
                    return; // it has written there itself
                const std::uint32_t length = test_.descriptor_length(id);
                answer(id, length == 0 ? 0 : static_cast<std::uint32_t>(random_() % (length + 1)));
            }
            return;
        }
        switch (random_() % 5) {
        case 0: test_.set_used_index(static_cast<std::uint16_t>(random_())); break;
        case 1: answer(static_cast<std::uint32_t>(random_() % 2 == 0 ? random_() : random_() % 300), static_cast<std::uint32_t>(random_() % 100)); break;
        case 2: answer(test_.available_id(static_cast<std::uint16_t>(random_())), static_cast<std::uint32_t>(random_())); break;
        case 3: {
            // Anywhere in the memory that it reaches.
            const auto all = test_.all();
            for (unsigned i = 0; i < 16; ++i)
                all[random_() % all.size()] = static_cast<std::byte>(random_());
            break;
        }
        default: {
            const auto all = test_.all().subspan(test_.device(), 64);
            for (std::byte& byte : all)
                byte = static_cast<std::byte>(random_());
        }
        }
    }

private:
    void answer(std::uint32_t id, std::uint32_t length) {
        test_.set_used(used_, id, length);
        test_.set_used_index(++used_);
    }

    TestRing& test_;
    Random& random_;
    std::uint16_t seen_ = 0, used_ = 0;
};

unsigned play(std::uint64_t seed, bool receives, unsigned malice) {
    Random random(seed);
    const auto size = static_cast<std::uint16_t>(1u << random() % 9);
    const auto room = static_cast<std::uint32_t>(1 + random() % 128);
    TestRing test(size, room, receives ? Ring::Direction::from_device : Ring::Direction::to_device);
    Driver driver(test, random, room, receives);
    Device device(test, random);
    for (unsigned step = 0; step < 300; ++step) {
        driver.give_some();
        for (unsigned i = random() % 8; i > 0; --i)
            device.act(malice);
        if (!driver.take_some())
            break;
        if (random() % 8 == 0)
            driver.release_held();
    }
    return driver.taken;
}

TEST(RingCampaign, NoAnswerDoesHarm) {
    unsigned taken = 0;
    for (std::uint64_t seed = 1; seed <= 4000 && !testing::Test::HasFailure(); ++seed) {
        taken += play(seed, seed % 2 == 0, seed % 3 == 0 ? 2 : 200);
        if (testing::Test::HasFailure())
            ADD_FAILURE() << "seed " << seed;
    }
    EXPECT_GT(taken, 100'000u) << "the campaign does not get far";
}

} // namespace
} // namespace virtio
