// Producer and consumer on two threads, with the wake-up protocol over real waiting: a lost wake-up hangs here, a race is reported.
#include "lib/ring/ring.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

struct Bell {
    std::mutex mutex;
    std::condition_variable condition;
    bool rung = false;
    void ring() {
        std::lock_guard guard(mutex);
        rung = true;
        condition.notify_one();
    }
    void wait() {
        std::unique_lock lock(mutex);
        condition.wait(lock, [this] { return rung; });
        rung = false;
    }
};

struct alignas(4096) Page {
    std::byte bytes[4096];
};

} // namespace

TEST(RingThreads, NothingIsLostAndNobodySleepsForEver) {
    constexpr std::uint64_t size = 4096;
    constexpr std::uint32_t records = 200'000;
    auto pages = std::make_unique<Page[]>(ring::pair_bytes(size) / 4096);
    const std::span memory(reinterpret_cast<std::byte*>(pages.get()), ring::pair_bytes(size));
    ring::initialize_pair(memory, abi::RingUse::records, size);
    const auto views = *ring::check_pair(memory, abi::RingUse::records);
    Bell data, room;

    std::thread writer([&] {
        ring::Producer producer(views.ring[0]);
        std::byte payload[256] = {};
        for (std::uint32_t i = 0; i < records; ++i) {
            const std::size_t length = i * 7 % sizeof payload;
            for (;;) {
                auto written = producer.write_record(i, std::span(payload).first(length));
                if (written)
                    break;
                ASSERT_EQ(written.error(), abi::Error::would_block);
                if (producer.must_wait(length + 16))
                    room.wait();
            }
            if (producer.take_wakeup())
                data.ring();
        }
        producer.close();
        data.ring();
    });

    ring::Consumer consumer(views.ring[0]);
    std::uint32_t next = 0;
    std::byte out[256];
    for (;;) {
        auto record = consumer.read_record(out);
        if (record) {
            ASSERT_EQ(record->kind, next);
            ASSERT_EQ(record->length, next * 7 % 256);
            ++next;
            if (consumer.take_wakeup())
                room.ring();
            continue;
        }
        if (record.error() == abi::Error::peer_closed)
            break;
        ASSERT_EQ(record.error(), abi::Error::would_block);
        if (consumer.must_wait())
            data.wait();
    }
    EXPECT_EQ(next, records);
    writer.join();
}
