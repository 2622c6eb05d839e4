#include "services/engine/audit_heads.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>

#include <gtest/gtest.h>

namespace engine {
namespace {

struct AuditHeadsTest : testing::Test {
    AuditHeads::Ask ask() {
        return [this]() -> Task<AuditHead> {
            ++questions;
            while (answers.empty()) co_await answered.wait();
            const auto answer = answers.front();
            answers.pop_front();
            if (!answer) throw std::runtime_error("no answer");
            co_return AuditHead{*answer, std::vector<unsigned char>(32, 0xa5)};
        };
    }
    void answer(std::optional<std::uint64_t> sequence) {
        answers.push_back(sequence);
        answered.notify();
    }
    // A reply that wants the head.
    std::shared_ptr<std::optional<std::string>> reply(AuditHeads& heads) {
        auto got = std::make_shared<std::optional<std::string>>();
        asio::co_spawn(
            io, [&heads, got]() -> Task<> { *got = co_await heads.current(); }, asio::detached);
        return got;
    }
    // As far as it goes without an answer and without waiting for time.
    void run() {
        io.restart();
        io.poll();
    }
    static std::string text(std::uint64_t sequence) {
        std::string digits;
        for (int i = 0; i < 32; ++i) digits += "a5";
        return std::to_string(sequence) + ":" + digits;
    }

    asio::io_context io;
    Signal answered{io};
    std::deque<std::optional<std::uint64_t>> answers;
    unsigned questions = 0;
    static constexpr std::chrono::hours long_patience{1};
};

TEST_F(AuditHeadsTest, AsksOncePerReplyThatIsAlone) {
    AuditHeads heads(io, ask(), long_patience);
    for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
        answer(sequence);
        const auto got = reply(heads);
        run();
        EXPECT_EQ(*got, text(sequence));
        EXPECT_EQ(questions, sequence);
    }
}

// Whoever comes while a question is under way shares the next one, whose answer is of all that they did.
TEST_F(AuditHeadsTest, RepliesShareAQuestion) {
    AuditHeads heads(io, ask(), long_patience);
    const auto first = reply(heads);
    run();
    const auto second = reply(heads), third = reply(heads);
    run();
    EXPECT_EQ(questions, 1u);
    answer(7);
    run();
    EXPECT_EQ(*first, text(7));
    EXPECT_FALSE(second->has_value());
    EXPECT_EQ(questions, 2u);
    answer(8);
    run();
    EXPECT_EQ(*second, text(8));
    EXPECT_EQ(*third, text(8));
    EXPECT_EQ(questions, 2u);
}

TEST_F(AuditHeadsTest, SaysNothingWhereThereIsNone) {
    AuditHeads heads(io, ask(), long_patience);
    answer(0);
    auto got = reply(heads);
    run();
    EXPECT_EQ(*got, "");
    answer(std::nullopt);
    got = reply(heads);
    run();
    EXPECT_EQ(*got, "");
    answer(1);
    got = reply(heads);
    run();
    EXPECT_EQ(*got, text(1));
}

TEST_F(AuditHeadsTest, NobodyWaitsForALateAnswer) {
    AuditHeads heads(io, ask(), std::chrono::milliseconds(0));
    auto got = reply(heads);
    run();
    EXPECT_EQ(*got, "");
    for (int i = 0; i < 3; ++i) {
        got = reply(heads);
        run();
        EXPECT_EQ(*got, "");
    }
    EXPECT_EQ(questions, 1u);
    // It came after all: the next reply asks again.
    answer(5);
    run();
    got = reply(heads);
    run();
    EXPECT_EQ(questions, 2u);
}

} // namespace
} // namespace engine
