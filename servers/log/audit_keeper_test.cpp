#include "servers/log/audit_keeper.hpp"

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
        EXPECT_TRUE(keeper->open(TestKernel::log, 5, std::as_writable_bytes(std::span(pages)), TestKernel::bell));
        return keeper;
    }
    static void seal(std::uint64_t first, std::uint64_t last) {
        for (std::uint64_t sequence = first; sequence <= last; ++sequence)
            test_kernel.seal(sequence);
    }
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

TEST_F(AuditKeeperTest, SaysOnceWhyItKeepsNothingMore) {
    for (const base::Error refusal : {base::Error::unknown_call, base::Error::bad_state}) {
        test_kernel = {};
        seal(1, 1);
        const auto keeper = open();
        keeper->take();
        test_kernel.refusal = refusal;
        keeper->take();
        EXPECT_FALSE(keeper->behind());
        EXPECT_EQ(keeper->failure(), refusal);
        EXPECT_FALSE(keeper->failure());
        const unsigned reads = test_kernel.reads;
        // Nobody may take the old head for that of what was recorded since.
        EXPECT_EQ(keeper->seal().sequence, 0u);
        keeper->take();
        EXPECT_EQ(test_kernel.reads, reads);
    }
}

TEST_F(AuditKeeperTest, TakesNoBatchThatDoesNotFollow) {
    seal(2, 2);
    const auto keeper = open();
    keeper->take();
    EXPECT_EQ(keeper->failure(), base::Error::broken);
    EXPECT_FALSE(keeper->behind());
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
