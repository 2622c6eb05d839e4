#include "kernel/core/mailbox.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

namespace kernel {
namespace {

struct Task : MailNode {
    std::atomic<unsigned> written = 0;
    unsigned seen = 0;
};

TEST(MailboxTest, TakesWhatWasPostedOnce) {
    Mailbox box;
    Task first, second;
    EXPECT_TRUE(box.is_empty());
    EXPECT_EQ(box.take(), nullptr);
    EXPECT_TRUE(box.post(first));
    EXPECT_FALSE(box.post(first)) << "it is on its way";
    EXPECT_TRUE(box.post(second));
    EXPECT_FALSE(box.is_empty());
    EXPECT_EQ((std::set<MailNode*>{box.take(), box.take()}), (std::set<MailNode*>{&first, &second}));
    EXPECT_EQ(box.take(), nullptr);
    EXPECT_TRUE(box.is_empty());
}

TEST(MailboxTest, WhatWasTakenMayBePostedAtOnce) {
    Mailbox box;
    std::array<Task, 3> tasks;
    for (Task& task : tasks) box.post(task);
    MailNode* const taken = box.take();
    ASSERT_NE(taken, nullptr);
    EXPECT_TRUE(box.post(*taken)) << "also while the rest of what came with it is not taken yet";
    std::multiset<MailNode*> rest;
    while (MailNode* const node = box.take()) rest.insert(node);
    EXPECT_EQ(rest.size(), tasks.size());
    EXPECT_EQ(rest.count(taken), 1u);
}

TEST(MailboxTest, WhatIsThereIsNotOvertaken) {
    Mailbox box;
    std::array<Task, 2> tasks;
    Task late;
    for (Task& task : tasks) box.post(task);
    box.take();
    box.post(late);
    EXPECT_NE(box.take(), &late);
    EXPECT_EQ(box.take(), &late);
}

TEST(MailboxTest, ANodeIsInOneBoxAtATime) {
    Mailbox box, other;
    Task task;
    EXPECT_TRUE(box.post(task));
    EXPECT_FALSE(other.post(task));
    EXPECT_TRUE(other.is_empty());
    EXPECT_EQ(box.take(), &task);
    EXPECT_TRUE(other.post(task));
    EXPECT_EQ(other.take(), &task);
}

// What was written before a post, whether that put the node in or found it there, is seen after the look at which it was taken.
TEST(MailboxTest, NothingIsLostBetweenThreads) {
    constexpr unsigned posters = 3, rounds = 20'000;
    Mailbox box;
    std::array<Task, 5> tasks;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < posters; ++i)
        threads.emplace_back([&, i] {
            for (unsigned round = 0; round < rounds; ++round) {
                Task& task = tasks[(round + i) % tasks.size()];
                task.written.fetch_add(1, std::memory_order_relaxed);
                box.post(task);
            }
        });
    unsigned seen = 0;
    while (seen != posters * rounds) {
        MailNode* const node = box.take();
        if (node == nullptr) {
            std::this_thread::yield();
            continue;
        }
        Task& task = static_cast<Task&>(*node);
        const unsigned written = task.written.load(std::memory_order_relaxed);
        seen += written - task.seen;
        task.seen = written;
    }
    for (std::thread& thread : threads) thread.join();
    while (MailNode* const node = box.take()) EXPECT_EQ(static_cast<Task*>(node)->seen, static_cast<Task*>(node)->written.load());
    EXPECT_TRUE(box.is_empty());
}

} // namespace
} // namespace kernel
