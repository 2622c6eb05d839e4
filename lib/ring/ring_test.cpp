#include "lib/ring/ring.hpp"
#include "lib/ring/turn.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace {

struct alignas(4096) Page {
    std::byte bytes[4096];
};

// Exactly the ring pair and not a byte more, so that AddressSanitizer sees every step out of it.
class RingTest : public testing::Test {
protected:
    void make(abi::RingUse use, std::uint64_t size = 4096) {
        pages = std::make_unique<Page[]>(ring::pair_bytes(size) / 4096);
        memory = {reinterpret_cast<std::byte*>(pages.get()), ring::pair_bytes(size)};
        ring::initialize_pair(memory, use, size);
        views = *ring::check_pair(memory, use);
        producer = ring::Producer(views.ring[0]);
        consumer = ring::Consumer(views.ring[0]);
    }
    abi::RingPair& shared() { return *reinterpret_cast<abi::RingPair*>(memory.data()); }

    std::unique_ptr<Page[]> pages;
    std::span<std::byte> memory;
    ring::Views views;
    ring::Producer producer;
    ring::Consumer consumer;
};

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<std::byte>(seed = seed * 1103515245 + 12345);
    return bytes;
}

} // namespace

TEST_F(RingTest, BytesComeOutInOrderAcrossTheEdge) {
    make(abi::RingUse::bytes);
    std::deque<std::byte> expected;
    std::mt19937 random(1);
    for (unsigned round = 0; round < 20'000; ++round) {
        const auto bytes = pattern(random() % 3000, round);
        const std::size_t written = *producer.write(bytes);
        expected.insert(expected.end(), bytes.begin(), bytes.begin() + static_cast<long>(written));
        EXPECT_LE(expected.size(), 4096u);
        std::vector<std::byte> out(random() % 3000);
        const std::size_t read = *consumer.read(out);
        EXPECT_EQ(read, std::min(out.size(), expected.size()));
        for (std::size_t i = 0; i < read; ++i, expected.pop_front())
            ASSERT_EQ(out[i], expected.front());
    }
}

TEST_F(RingTest, RecordsComeOutWhole) {
    make(abi::RingUse::records);
    std::deque<std::vector<std::byte>> expected;
    std::mt19937 random(2);
    for (unsigned round = 0; round < 20'000; ++round) {
        const auto bytes = pattern(random() % 1600, round);
        const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
        auto written = producer.write_record(round, std::span(bytes).first(cut), std::span(bytes).subspan(cut));
        if (written)
            expected.push_back(bytes);
        else
            EXPECT_EQ(written.error(), abi::Error::would_block);
        if (random() % 2 == 0)
            continue;
        std::byte out[1600];
        auto record = consumer.read_record(out);
        ASSERT_EQ(record.has_value(), !expected.empty());
        if (!record)
            continue;
        ASSERT_EQ(record->length, expected.front().size());
        ASSERT_TRUE(std::equal(expected.front().begin(), expected.front().end(), out));
        expected.pop_front();
    }
}

TEST_F(RingTest, ARecordThatNeverFitsIsRefusedAtOnce) {
    make(abi::RingUse::records);
    EXPECT_EQ(producer.write_record(1, pattern(4089, 1)).error(), abi::Error::too_large);
    EXPECT_TRUE(producer.write_record(1, pattern(4088, 1)));
    EXPECT_EQ(producer.write_record(1, {}).error(), abi::Error::would_block);
}

TEST_F(RingTest, EndOfStreamComesAfterTheData) {
    make(abi::RingUse::bytes);
    (void)producer.write(pattern(5, 1));
    producer.close();
    EXPECT_FALSE(consumer.ended());
    std::byte out[8];
    EXPECT_EQ(*consumer.read(out), 5u);
    EXPECT_TRUE(consumer.ended());
}

TEST_F(RingTest, AnAbandonedRingTakesNoMore) {
    make(abi::RingUse::bytes);
    consumer.abandon();
    EXPECT_EQ(producer.write(pattern(5, 1)).error(), abi::Error::peer_closed);
}

TEST_F(RingTest, WakeUpsAreAskedForAndTakenOnce) {
    make(abi::RingUse::bytes);
    EXPECT_FALSE(producer.take_wakeup());
    EXPECT_TRUE(consumer.must_wait());
    (void)producer.write(pattern(1, 1));
    EXPECT_TRUE(producer.take_wakeup());
    EXPECT_FALSE(producer.take_wakeup());
    EXPECT_FALSE(consumer.must_wait()) << "there is something";
    EXPECT_FALSE(producer.take_wakeup()) << "the request was withdrawn";
    (void)producer.write(pattern(5000, 1));
    EXPECT_TRUE(producer.must_wait(1));
    std::byte out[16];
    (void)consumer.read(out);
    EXPECT_TRUE(consumer.take_wakeup());
    EXPECT_FALSE(producer.must_wait(16));
}

TEST_F(RingTest, WhoWaitsIsLeftAloneWhileThereIsNothingNew) {
    make(abi::RingUse::bytes);
    (void)producer.take_wakeup();
    EXPECT_TRUE(consumer.must_wait());
    EXPECT_FALSE(producer.take_wakeup());
    producer.close();
    EXPECT_TRUE(producer.take_wakeup());
}

TEST_F(RingTest, IndicesOutOfRangeBreakTheRing) {
    make(abi::RingUse::bytes);
    shared().ring[0].produced = 4097;
    EXPECT_EQ(consumer.available().error(), abi::Error::broken);
    EXPECT_TRUE(consumer.broken());
    shared().ring[0].produced = 0;
    EXPECT_EQ(consumer.available().error(), abi::Error::broken) << "for good";

    make(abi::RingUse::bytes);
    (void)producer.write(pattern(100, 1));
    shared().ring[0].consumed = 101;
    EXPECT_EQ(producer.room().error(), abi::Error::broken);

    make(abi::RingUse::bytes);
    (void)producer.write(pattern(100, 1));
    EXPECT_EQ(*consumer.available(), 100u);
    shared().ring[0].produced = 50;
    EXPECT_EQ(consumer.available().error(), abi::Error::broken) << "backwards";
}

TEST_F(RingTest, AForgedLengthBreaksTheRing) {
    for (const std::uint32_t length : {9u, 4096u, 0xffff'fff8u, 0xffff'ffffu}) {
        make(abi::RingUse::records);
        ASSERT_TRUE(producer.write_record(1, pattern(8, 1)));
        reinterpret_cast<abi::RecordHeader*>(views.ring[0].data)->length = length;
        EXPECT_EQ(consumer.peek().error(), abi::Error::broken) << length;
    }
    make(abi::RingUse::records);
    (void)producer.write(pattern(4, 1));
    EXPECT_EQ(consumer.peek().error(), abi::Error::broken) << "less than a header";
}

TEST_F(RingTest, ALengthThatChangesAfterThePeekChangesNothing) {
    make(abi::RingUse::records);
    ASSERT_TRUE(producer.write_record(1, pattern(8, 1)));
    const auto record = *consumer.peek();
    reinterpret_cast<abi::RecordHeader*>(views.ring[0].data)->length = 4000;
    std::byte out[4096];
    EXPECT_EQ(consumer.copy(record, 0, out), 8u);
    consumer.consume(record);
    EXPECT_EQ(consumer.consumed(), 16u);
}

TEST_F(RingTest, GarbageInTheHeaderIsRefused) {
    std::mt19937_64 random(3);
    make(abi::RingUse::bytes);
    const auto good = std::vector<std::byte>(memory.begin(), memory.begin() + 4096);
    for (int round = 0; round < 100'000; ++round) {
        std::memcpy(memory.data(), good.data(), good.size());
        for (int i = 0; i < 3; ++i) {
            const std::uint64_t value = random() % 3 == 0 ? random() : random() % 5 * 4096;
            std::memcpy(memory.data() + random() % 6 * 8, &value, 8);
        }
        auto checked = ring::check_pair(memory, abi::RingUse::bytes);
        if (!checked)
            continue;
        for (const auto& view : checked->ring) {
            ASSERT_GE(view.data, memory.data() + 4096);
            ASSERT_LE(view.data + view.size, memory.data() + memory.size());
        }
    }
}

TEST_F(RingTest, APeerThatScribblesNeverLeadsOutOfTheRing) {
    std::mt19937_64 random(4);
    for (int round = 0; round < 300; ++round) {
        make(abi::RingUse::records);
        std::byte out[2000];
        for (int step = 0; step < 200; ++step) {
            switch (random() % 6) {
            case 0: views.ring[0].header->produced = random() % 2 ? random() : views.ring[0].header->produced + random() % 5000; break;
            case 1: views.ring[0].header->consumed = random() % 2 ? random() : views.ring[0].header->consumed + random() % 5000; break;
            case 2: views.ring[0].data[random() % 4096] = static_cast<std::byte>(random()); break;
            case 3: (void)producer.write_record(1, pattern(random() % 2000, 1)); break;
            case 4: (void)producer.write(pattern(random() % 6000, 1)); break;
            case 5: (void)consumer.read_record(std::span(out).first(random() % 2000)); break;
            }
        }
    }
}

namespace {

constexpr ring::TurnBound small_turn{8, 1024};
constexpr std::size_t very_often = 10'000; // where a turn has no end

} // namespace

TEST_F(RingTest, ATurnTakesWhatIsThereAndAsksToBeWoken) {
    make(abi::RingUse::records);
    const auto first = pattern(20, 1), second = pattern(100, 2);
    ASSERT_TRUE(producer.write_record(5, first));
    ASSERT_TRUE(producer.write_record(6, second));
    std::vector<std::uint32_t> kinds, lengths;
    std::byte buffer[64];
    const auto take = [&](const ring::Consumer::Record& record, std::span<const std::byte> payload) {
        kinds.push_back(record.kind);
        lengths.push_back(record.length);
        EXPECT_TRUE(std::ranges::equal(payload, std::span(record.kind == 5 ? first : second).first(payload.size())));
        EXPECT_EQ(payload.size(), std::min<std::size_t>(record.length, sizeof buffer));
        return true;
    };
    EXPECT_EQ(ring::take_turn(consumer, buffer, small_turn, take), ring::AfterTurn::wait);
    EXPECT_EQ(kinds, (std::vector<std::uint32_t>{5, 6}));
    EXPECT_EQ(lengths, (std::vector<std::uint32_t>{20, 100}));
    EXPECT_EQ(shared().ring[0].consumer_waits, 1u);
    producer.close();
    EXPECT_EQ(ring::take_turn(consumer, buffer, small_turn, take), ring::AfterTurn::ended);
}

TEST_F(RingTest, ATurnEndsWhereThePeerWritesWithoutEnd) {
    make(abi::RingUse::records);
    for (const std::size_t length : {std::size_t{0}, std::size_t{600}}) {
        const auto payload = pattern(length, 3);
        while (producer.write_record(9, payload)) {
        }
        std::size_t taken = 0;
        std::byte buffer[64];
        // For each record that is taken there is a new one at once.
        const auto after = ring::take_turn(consumer, buffer, small_turn, [&](const ring::Consumer::Record&, std::span<const std::byte>) {
            if (taken < very_often)
                EXPECT_TRUE(producer.write_record(9, payload));
            ++taken;
            return true;
        });
        EXPECT_EQ(after, ring::AfterTurn::more);
        EXPECT_EQ(taken, length == 0 ? 8u : 2u);
        // What is left is the next turn's, and nothing of it is lost.
        std::size_t left = 0;
        const std::size_t there = *consumer.available() / (sizeof(abi::RecordHeader) + length);
        EXPECT_EQ(ring::take_turn(consumer, buffer, {very_often, UINT64_MAX}, [&](const auto&, auto) { return ++left != 0; }), ring::AfterTurn::wait);
        EXPECT_EQ(left, there);
    }
}

TEST_F(RingTest, ATurnEndsAtARefusedRecordAndAtABrokenRing) {
    make(abi::RingUse::records);
    for (const std::uint32_t kind : {1u, 2u, 1u})
        ASSERT_TRUE(producer.write_record(kind, {}));
    std::size_t taken = 0;
    const auto take = [&](const ring::Consumer::Record& record, std::span<const std::byte>) {
        ++taken;
        return record.kind == 1;
    };
    EXPECT_EQ(ring::take_turn(consumer, {}, small_turn, take), ring::AfterTurn::broken);
    EXPECT_EQ(taken, 2u);
    shared().ring[0].produced += 1 << 20;
    EXPECT_EQ(ring::take_turn(consumer, {}, small_turn, take), ring::AfterTurn::broken);
    EXPECT_EQ(taken, 2u);
}
