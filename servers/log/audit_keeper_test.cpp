#include "servers/log/audit_keeper.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "servers/log/kernel_testing.hpp"

namespace logging {
namespace {

constexpr std::uint64_t capacity = 100;

struct alignas(abi::page_size) Page {
    std::byte bytes[abi::page_size];
};

struct AuditKeeperTest : testing::Test {
    AuditKeeperTest() : pages(1 + capacity) { test_kernel = {}; }
    std::unique_ptr<AuditKeeper> open() {
        auto keeper = std::make_unique<AuditKeeper>();
        keeper->open(TestKernel::log, TestKernel::bell);
        EXPECT_TRUE(keeper->keep(5, std::as_writable_bytes(std::span(pages))));
        return keeper;
    }
    static void seal(std::uint64_t first, std::uint64_t last) {
        for (std::uint64_t sequence = first; sequence <= last; ++sequence)
            test_kernel.seal(sequence);
    }
    void clear() { std::fill(pages.begin(), pages.end(), Page{}); }
    std::vector<Page> pages;
};

TEST_F(AuditKeeperTest, TakesAllInTurnsAndThenWaitsForTheBell) {
    seal(1, AuditKeeper::batches_at_once + 3);
    const auto keeper = open();
    EXPECT_TRUE(keeper->behind());
    keeper->take();
    EXPECT_TRUE(keeper->behind());
    EXPECT_EQ(test_kernel.given, AuditKeeper::batches_at_once);
    EXPECT_FALSE(test_kernel.armed);
    keeper->take();
    EXPECT_FALSE(keeper->behind());
    EXPECT_TRUE(test_kernel.armed);
    EXPECT_TRUE(test_kernel.batches.empty());
    EXPECT_FALSE(keeper->failure());
}

TEST_F(AuditKeeperTest, TheHeadIsOfAllThatTheKernelHas) {
    const auto keeper = open();
    EXPECT_EQ(keeper->seal().sequence, 0u);
    EXPECT_EQ(keeper->seal().digest, base::Sha256::Digest{});
    seal(1, 70);
    const AuditHead head = keeper->seal();
    EXPECT_EQ(head.sequence, 70u);
    EXPECT_EQ(head.digest.front(), std::byte{70});
    EXPECT_EQ(head.digest.back(), std::byte{70});
    EXPECT_FALSE(keeper->behind());
    // One request takes so many and no more.
    seal(71, 71 + AuditKeeper::batches_at_seal);
    EXPECT_EQ(keeper->seal().sequence, 70u + AuditKeeper::batches_at_seal);
    EXPECT_TRUE(keeper->behind());
}

// The kernel gives a batch again that its predecessor took and did not keep.
TEST_F(AuditKeeperTest, ARestartedOneLosesNothing) {
    seal(1, 3);
    open()->take(2);
    abi::AuditBatch lost;
    EXPECT_EQ(test_kernel.read(2, lost), 3u);
    const auto keeper = open();
    EXPECT_EQ(keeper->seal().sequence, 3u);
    EXPECT_FALSE(keeper->failure());
}

// A kernel that has no audit log is asked again only where something comes to be asked for.
TEST_F(AuditKeeperTest, SaysOnceWhyTheKernelRefuses) {
    for (const base::Error refusal : {base::Error::unknown_call, base::Error::bad_state}) {
        test_kernel = {};
        clear();
        seal(1, 1);
        const auto keeper = open();
        keeper->take();
        test_kernel.refusal = refusal;
        keeper->take();
        EXPECT_FALSE(keeper->behind());
        EXPECT_EQ(keeper->must_try_again(), refusal == base::Error::bad_state);
        EXPECT_EQ(keeper->failure(), refusal);
        keeper->take();
        EXPECT_FALSE(keeper->failure());
        EXPECT_EQ(keeper->refusal(), refusal);
        // It goes by.
        test_kernel.refusal.reset();
        seal(2, 2);
        EXPECT_EQ(keeper->seal().sequence, 2u);
        EXPECT_FALSE(keeper->refusal());
        EXPECT_FALSE(keeper->must_try_again());
        EXPECT_EQ(keeper->begun(), 1u);
    }
}

TEST_F(AuditKeeperTest, ADamagedStoreBeginsAnewWithTheNewestBatch) {
    seal(1, 9);
    open()->take();
    pages[0] = {};
    const auto keeper = open();
    EXPECT_EQ(keeper->head().sequence, 0u);
    // The last one that was given is given again.
    EXPECT_EQ(keeper->seal().sequence, 9u);
    EXPECT_EQ(keeper->begun(), 9u);
    seal(10, 12);
    EXPECT_EQ(keeper->seal().sequence, 12u);
    EXPECT_EQ(keeper->begun(), 9u);
    EXPECT_EQ(keeper->dropped(), 0u);
}

TEST_F(AuditKeeperTest, AStoreThatIsBehindBeginsAnew) {
    seal(1, 3);
    open()->take();
    // Somebody else took what came then.
    seal(4, 9);
    abi::AuditBatch batch;
    for (std::uint64_t kept = 3; kept < 9; ++kept)
        EXPECT_EQ(test_kernel.read(kept, batch), kept + 1);
    const auto keeper = open();
    EXPECT_EQ(keeper->seal().sequence, 9u);
    EXPECT_EQ(keeper->begun(), 9u);
    EXPECT_EQ(keeper->failure(), base::Error::bad_argument);
    EXPECT_FALSE(keeper->failure());
    seal(10, 10);
    EXPECT_EQ(keeper->seal().sequence, 10u);
    EXPECT_FALSE(keeper->behind());
}

TEST_F(AuditKeeperTest, ABatchThatDoesNotFollowBeginsTheStoreAnew) {
    seal(1, 2);
    const auto keeper = open();
    keeper->take();
    seal(7, 8);
    EXPECT_EQ(keeper->seal().sequence, 8u);
    EXPECT_EQ(keeper->begun(), 7u);
    EXPECT_EQ(keeper->failure(), base::Error::broken);
    EXPECT_EQ(keeper->dropped(), 0u);
}

// What is no batch is counted, and those behind it are kept.
TEST_F(AuditKeeperTest, GoesOnBehindWhatIsNoBatch) {
    seal(1, 3);
    test_kernel.batches[1].count = 0;
    const auto keeper = open();
    EXPECT_EQ(keeper->seal().sequence, 3u);
    EXPECT_EQ(keeper->begun(), 3u);
    EXPECT_EQ(keeper->dropped(), 1u);
    EXPECT_EQ(keeper->failure(), base::Error::broken);
}

// Whoever makes records would wait for good.
TEST_F(AuditKeeperTest, WithoutAStoreItTakesAllAndKeepsNothing) {
    seal(1, 3);
    AuditKeeper keeper;
    keeper.open(TestKernel::log, TestKernel::bell);
    EXPECT_EQ(keeper.keep(5, {}).error(), base::Error::bad_argument);
    EXPECT_EQ(keeper.seal().sequence, 0u);
    EXPECT_EQ(keeper.dropped(), 3u);
    EXPECT_TRUE(test_kernel.batches.empty());
    EXPECT_TRUE(test_kernel.armed);
    EXPECT_EQ(keeper.memory(), abi::no_handle);
    EXPECT_EQ(keeper.begun(), 0u);
    seal(4, 4);
    keeper.take();
    EXPECT_EQ(keeper.dropped(), 4u);
}

TEST_F(AuditKeeperTest, TheHeadTakesNothing) {
    const auto keeper = open();
    seal(1, 2);
    EXPECT_EQ(keeper->head().sequence, 0u);
    keeper->take();
    seal(3, 3);
    EXPECT_EQ(keeper->head().sequence, 2u);
    EXPECT_EQ(keeper->head().digest.front(), std::byte{2});
    EXPECT_EQ(test_kernel.given, 2u);
}

TEST_F(AuditKeeperTest, OneOfANodeWithoutAnAuditLogDoesNothing) {
    AuditKeeper keeper;
    keeper.take();
    EXPECT_EQ(keeper.seal().sequence, 0u);
    EXPECT_FALSE(keeper.behind());
    EXPECT_FALSE(keeper.failure());
    EXPECT_EQ(keeper.memory(), abi::no_handle);
    EXPECT_EQ(test_kernel.reads, 0u);
}

} // namespace
} // namespace logging
