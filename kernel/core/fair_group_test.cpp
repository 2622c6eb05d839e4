#include "kernel/core/fair_group.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

namespace kernel {
namespace {

constexpr std::size_t cpus = 2;
using Group = FairGroup<cpus>;
constexpr std::uint64_t millisecond = 1'000'000, second = 1000 * millisecond, turn = millisecond / 2;

struct Thread : FairNode {
    explicit Thread(Group& of) : group(of) {}
    Group& group;
    std::uint64_t used = 0;
};

// One CPU that does with its groups what the scheduler does.
struct Processor {
    std::size_t cpu = 0;
    FairLevel top;
    Thread* running = nullptr;

    void charge(std::uint64_t nanoseconds) {
        if (running == nullptr) return;
        running->used += nanoseconds;
        running->group.charge(top, cpu, *running, nanoseconds);
    }
    void wake(Thread& thread) {
        thread.group.enter(top, cpu);
        thread.group.add(top, cpu, thread);
    }
    void begin(Thread& thread) {
        thread.virtual_time_ = thread.group.now(cpu);
        wake(thread);
    }
    // The running one gives the CPU up; `sleeps`: and is not ready.
    void change(bool sleeps = false) {
        if (running != nullptr) {
            if (sleeps)
                running->group.leave(top, cpu);
            else
                running->group.add(top, cpu, *running);
            running->group.stop(top, cpu);
        }
        running = static_cast<Thread*>(Group::take_first(top));
    }
    void run(std::uint64_t nanoseconds) {
        for (std::uint64_t left = nanoseconds / turn; left != 0; --left) {
            change();
            charge(turn);
        }
    }
    void end(Thread& thread) {
        if (running == &thread) return change(true);
        thread.group.leave(top, cpu);
        thread.group.remove(top, cpu, thread);
    }
};

double part(const Thread& one, std::uint64_t of) { return static_cast<double>(one.used) / static_cast<double>(of); }

// What every thread is to have, told by walking the tree whole.
struct Model {
    struct Node {
        int parent;
        double weight;
        unsigned threads;
    };
    std::vector<Node> nodes; // the first one is the root

    bool active(std::size_t index) const {
        if (nodes[index].threads != 0) return true;
        for (std::size_t i = 1; i < nodes.size(); ++i)
            if (nodes[i].parent == static_cast<int>(index) && active(i)) return true;
        return false;
    }
    double children(std::size_t index) const {
        double sum = 0;
        for (std::size_t i = 1; i < nodes.size(); ++i)
            if (nodes[i].parent == static_cast<int>(index) && active(i)) sum += nodes[i].weight;
        return sum;
    }
    double of_group(std::size_t index) const {
        const double top = children(0) + (nodes[0].threads != 0 ? nodes[0].weight : 0);
        if (index == 0 || nodes[index].parent == 0) return nodes[index].weight / top;
        const auto above = static_cast<std::size_t>(nodes[index].parent);
        return of_group(above) * nodes[index].weight / (children(above) + (nodes[above].threads != 0 ? 1024 : 0));
    }
    double of_thread(std::size_t index) const {
        const double below = index == 0 ? 0 : children(index);
        return of_group(index) * 1024 / (1024 + below) / nodes[index].threads;
    }
};

TEST(FairGroup, PartsAreThoseOfTheModel) {
    std::mt19937 random(7);
    const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
    for (int round = 0; round < 40; ++round) {
        Model model{{{-1, 1024, 0}}};
        std::vector<std::unique_ptr<Group>> groups;
        groups.push_back(std::make_unique<Group>(nullptr, 1024));
        const std::size_t count = 2 + below(8);
        std::vector<unsigned> depth{0};
        while (groups.size() < count) {
            const std::size_t parent = below(groups.size());
            if (depth[parent] == 3) continue;
            const auto weight = static_cast<std::uint32_t>(256 + below(4096));
            depth.push_back(depth[parent] + 1);
            groups.push_back(std::make_unique<Group>(groups[parent].get(), weight));
            model.nodes.push_back({static_cast<int>(parent), static_cast<double>(weight), 0});
        }
        Processor processor;
        std::vector<std::unique_ptr<Thread>> threads;
        std::vector<std::size_t> group_of;
        for (std::size_t i = 0; i < 12; ++i) {
            const std::size_t group = below(groups.size());
            group_of.push_back(group);
            ++model.nodes[group].threads;
            threads.push_back(std::make_unique<Thread>(*groups[group]));
            processor.begin(*threads.back());
        }
        processor.run(200 * second);
        for (std::size_t i = 0; i < threads.size(); ++i)
            ASSERT_NEAR(part(*threads[i], 200 * second), model.of_thread(group_of[i]), 0.01) << "round " << round << ", thread " << i;
        for (auto& thread : threads) processor.end(*thread);
        for (const auto& group : groups)
            for (std::size_t cpu = 0; cpu < cpus; ++cpu) ASSERT_TRUE(group->is_idle(cpu));
        ASSERT_EQ(processor.top.groups(), 0u);
    }
}

// Of the groups directly below the root one has as much as the other, however its threads come and go.
struct Two : testing::Test {
    Group root{nullptr, 1024}, one{&root, 1024}, other{&root, 1024};
    Thread spinner{one};
    Processor processor;
    Two() { processor.begin(spinner); }
};

TEST_F(Two, ManyThreadsHaveOnePart) {
    std::vector<std::unique_ptr<Thread>> many;
    for (int i = 0; i < 2000; ++i) processor.begin(*many.emplace_back(std::make_unique<Thread>(other)));
    for (int i = 0; i < 10; ++i) {
        const std::uint64_t before = spinner.used;
        processor.run(10 * millisecond);
        EXPECT_NEAR(static_cast<double>(spinner.used - before), 5.0 * millisecond, turn);
    }
}

TEST_F(Two, ThreadsThatTakeTurnsHaveOnePart) {
    std::vector<std::unique_ptr<Thread>> sleepers;
    for (int i = 0; i < 64; ++i) sleepers.push_back(std::make_unique<Thread>(other));
    // At any time one of them is there that has slept for long: it computes for three milliseconds.
    std::uint64_t whole = 0;
    for (int i = 0; i < 2000; ++i) {
        Thread& awake = *sleepers[static_cast<std::size_t>(i) % sleepers.size()];
        const std::uint64_t before = awake.used;
        processor.wake(awake);
        while (awake.used - before < 3 * millisecond) {
            processor.change();
            processor.charge(turn);
            whole += turn;
        }
        if (processor.running != &awake) processor.change();
        processor.end(awake);
    }
    EXPECT_NEAR(part(spinner, whole), 0.5, 0.01);
}

TEST_F(Two, ThreadsThatEndSoonHaveOnePart) {
    std::uint64_t whole = 0;
    other.set_weight(64);
    for (int i = 0; i < 300; ++i) {
        Thread life(other);
        processor.begin(life);
        while (life.used < 3 * millisecond) {
            processor.change();
            processor.charge(turn);
            whole += turn;
        }
        processor.end(life);
    }
    EXPECT_NEAR(part(spinner, whole), 16.0 / 17, 0.01);
}

TEST_F(Two, WhoWakesGoesBeforeWhoComputes) {
    std::vector<std::unique_ptr<Thread>> many;
    Group third(&root, 1024);
    for (int i = 0; i < 100; ++i) processor.begin(*many.emplace_back(std::make_unique<Thread>(third)));
    Thread sleeper(other);
    // Whoever comes for the first time has not slept.
    processor.run(50 * millisecond);
    processor.begin(sleeper);
    processor.run(50 * millisecond);
    processor.end(sleeper);
    for (int i = 0; i < 100; ++i) {
        processor.run(50 * millisecond);
        processor.wake(sleeper);
        ASSERT_TRUE(processor.running->group.is_beaten(processor.top, 0, *processor.running));
        processor.change();
        ASSERT_EQ(processor.running, &sleeper);
        processor.charge(millisecond / 10);
        processor.change(true);
    }
    // Within a group too, with the others of the group computing.
    Thread beside(third);
    for (int i = 0; i < 100; ++i) {
        processor.run(second);
        while (&processor.running->group != &third) processor.run(turn);
        processor.wake(beside);
        ASSERT_TRUE(third.is_beaten(processor.top, 0, *processor.running));
        do processor.change(), processor.charge(turn);
        while (&processor.running->group != &third);
        ASSERT_EQ(processor.running, &beside);
        processor.change(true);
    }
}

// Who lent its turn pays for it where it stands: its group may be ready meanwhile, by another thread.
TEST_F(Two, WhoWaitsCanPay) {
    Thread lender(other), sibling(other);
    processor.begin(sibling);
    std::uint64_t whole = 0;
    for (int i = 0; i < 10'000; ++i) {
        processor.change();
        processor.charge(turn);
        whole += turn;
        // Half of what the spinner seems to use is used for the other group.
        if (processor.running != &spinner) continue;
        other.charge(processor.top, 0, lender, turn);
        whole += turn;
    }
    EXPECT_NEAR(part(spinner, whole), 0.5, 0.01);
    EXPECT_LT(part(sibling, whole), 0.01);
}

// On a CPU where nobody else wants anything, what is used in another one's place is no debt to whoever comes then.
TEST_F(Two, WhoPaidAloneOwesNothing) {
    processor.end(spinner);
    Thread lender(one), worker(other);
    processor.begin(worker);
    processor.change();
    one.charge(processor.top, 0, lender, 60 * second);
    // The worker does not answer, and goes on by itself.
    std::uint64_t whole = 0;
    processor.wake(lender);
    for (int i = 0; i < 1000; ++i, whole += turn) {
        processor.change();
        processor.charge(turn);
    }
    EXPECT_NEAR(part(lender, whole), 0.5, 0.02);
}

// Its lead among many is no more among few than what it had too much.
TEST_F(Two, LeadIsOfTheGroupsTime) {
    std::vector<std::unique_ptr<Thread>> many;
    for (int i = 0; i < 1000; ++i) processor.begin(*many.emplace_back(std::make_unique<Thread>(one)));
    spinner.virtual_time_ = one.now(0);
    Thread& ahead = *many.front();
    processor.change();
    while (processor.running != &ahead) processor.change();
    processor.charge(turn);
    const std::int64_t lead = one.lead(0, ahead);
    EXPECT_NEAR(static_cast<double>(lead), turn, turn / 100.0);
    Processor another{.cpu = 1};
    Thread alone(one);
    one.enter(another.top, 1);
    EXPECT_EQ(one.behind_lead(1, lead), one.now(1) + static_cast<std::uint64_t>(lead));
    EXPECT_EQ(one.behind_lead(1, -7), one.now(1) - 7);
    one.leave(another.top, 1);
}

// Hand-overs between groups, tasks that are taken to other CPUs, and all else in any order: who is in which band is always told by who is ready and who runs.
TEST(FairGroup, TurnsAreSharedByAllWhoCompete) {
    constexpr std::uint64_t most = 100;
    Processor processor;
    Group root(nullptr, 1024), servers(&root, 1024), sandboxes(&root, 1024), one(&sandboxes, 1024), other(&sandboxes, 1), inner(&one, 1024);
    std::vector<std::unique_ptr<Thread>> threads;
    const auto begin = [&](Group& group) {
        threads.push_back(std::make_unique<Thread>(group));
        processor.begin(*threads.back());
    };
    begin(one);
    EXPECT_EQ(one.sharers(processor.top, 0, most), 1U);
    begin(other);
    EXPECT_EQ(one.sharers(processor.top, 0, most), 2U);
    begin(servers);
    EXPECT_EQ(one.sharers(processor.top, 0, most), 4U);
    EXPECT_EQ(servers.sharers(processor.top, 0, most), 2U);
    begin(other);
    begin(other);
    EXPECT_EQ(other.sharers(processor.top, 0, most), 12U);
    EXPECT_EQ(other.sharers(processor.top, 0, 8), 8U);
    // Own threads are one beside a child group, and take turns among themselves.
    begin(inner);
    EXPECT_EQ(one.sharers(processor.top, 0, most), 8U);
    EXPECT_EQ(inner.sharers(processor.top, 0, most), 8U);
    for (auto& thread : threads) processor.end(*thread);
    EXPECT_EQ(one.sharers(processor.top, 0, most), 1U);
}

TEST(FairGroupWalk, BandsAreThoseOfWhoIsReady) {
    std::mt19937 random(11);
    const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
    Group root(nullptr, 1024), a(&root, 512), b(&root, 3000), aa(&a, 1024), ab(&a, 2), aaa(&aa, 10'000);
    Group* const groups[] = {&root, &a, &b, &aa, &ab, &aaa};
    Processor processor{.cpu = 1};
    std::vector<std::unique_ptr<Thread>> threads;
    for (int i = 0; i < 24; ++i) threads.push_back(std::make_unique<Thread>(*groups[below(std::size(groups))]));
    std::set<Thread*> ready;
    for (int step = 0; step < 100'000; ++step) {
        Thread& thread = *threads[below(threads.size())];
        const bool sleeps = &thread != processor.running && ready.count(&thread) == 0;
        switch (below(5)) {
        case 0:
            if (!sleeps) break;
            processor.wake(thread);
            ready.insert(&thread);
            break;
        case 1: { // what runs is ready again, or sleeps
            processor.charge(below(4 * millisecond));
            const bool goes_to_sleep = below(3) == 0;
            if (processor.running != nullptr && !goes_to_sleep) ready.insert(processor.running);
            processor.change(goes_to_sleep);
            ASSERT_EQ(processor.running == nullptr, ready.empty());
            ready.erase(processor.running);
            break;
        }
        case 2: // a ready one is taken away
            if (ready.count(&thread) == 0) break;
            processor.end(thread);
            ready.erase(&thread);
            break;
        case 3: // a hand-over
            if (!sleeps || processor.running == nullptr) break;
            thread.group.enter(processor.top, 1);
            processor.running->group.leave(processor.top, 1);
            processor.running->group.stop(processor.top, 1);
            thread.group.run(processor.top, 1);
            processor.running = &thread;
            break;
        default:
            if (sleeps) thread.group.charge(processor.top, 1, thread, below(millisecond));
        }
        for (Thread* const each : ready) ASSERT_TRUE(each->in_band());
        if (processor.running != nullptr) {
            ASSERT_FALSE(processor.running->in_band());
            ASSERT_TRUE(processor.running->group.runs(1));
        }
        ASSERT_EQ(processor.running == nullptr && ready.empty(), processor.top.groups() == 0);
    }
    for (auto& thread : threads)
        if (thread.get() != processor.running && ready.count(thread.get()) != 0) processor.end(*thread);
    if (processor.running != nullptr) processor.change(true);
    EXPECT_EQ(processor.running, nullptr);
    for (Group* const group : groups) EXPECT_TRUE(group->is_idle(0) && group->is_idle(1));
}

} // namespace
} // namespace kernel
