#include "kernel/core/shares.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace kernel {
namespace {

constexpr std::size_t cpus = 2;
using Tree = Shares<cpus>;
constexpr std::uint64_t second = 1'000'000'000;

// What the tree is to say, told by walking it whole.
struct Model {
    struct Budget {
        int parent = -1;
        double weight = 1024;
        unsigned threads[cpus] = {};
    };
    std::vector<Budget> budgets;

    bool active(int index, std::size_t cpu) const {
        if (budgets[static_cast<std::size_t>(index)].threads[cpu] != 0) return true;
        for (std::size_t i = 0; i < budgets.size(); ++i)
            if (budgets[i].parent == index && active(static_cast<int>(i), cpu)) return true;
        return false;
    }
    double children(int index, std::size_t cpu) const {
        double sum = 0;
        for (std::size_t i = 0; i < budgets.size(); ++i)
            if (budgets[i].parent == index && active(static_cast<int>(i), cpu)) sum += budgets[i].weight;
        return sum;
    }
    double part(int index, std::size_t cpu) const {
        const Budget* budget = &budgets[static_cast<std::size_t>(index)];
        double part = 1.0 / budget->threads[cpu];
        if (budget->parent >= 0) part *= 1024 / (1024 + children(index, cpu));
        for (; budget->parent > 0; budget = &budgets[static_cast<std::size_t>(budget->parent)]) {
            const bool own = budgets[static_cast<std::size_t>(budget->parent)].threads[cpu] != 0;
            part *= budget->weight / (children(budget->parent, cpu) + (own ? 1024 : 0));
        }
        return std::max(part * budget->weight / 1024, std::ldexp(1.0, -20));
    }
};

TEST(Shares, AreThoseOfTheModel) {
    std::mt19937 random(7);
    const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
    for (int round = 0; round < 60; ++round) {
        Model model;
        std::vector<std::unique_ptr<Tree>> trees;
        std::vector<unsigned> depth;
        const std::size_t count = 1 + below(24);
        for (std::size_t i = 0; i < count; ++i) {
            std::size_t parent = i == 0 ? 0 : below(i);
            while (i != 0 && depth[parent] == 7) parent = below(i);
            const auto weight = static_cast<std::uint32_t>(i == 0 ? 1024 : below(2) != 0 ? 1 + below(10'000) : 1024);
            model.budgets.push_back({i == 0 ? -1 : static_cast<int>(parent), static_cast<double>(weight), {}});
            depth.push_back(i == 0 ? 0 : depth[parent] + 1);
            trees.push_back(std::make_unique<Tree>(i == 0 ? nullptr : trees[parent].get(), weight));
        }
        for (int step = 0; step < 400; ++step) {
            const std::size_t i = below(count), cpu = below(cpus);
            unsigned& threads = model.budgets[i].threads[cpu];
            switch (below(4)) {
            case 0:
                trees[i]->enter(cpu);
                ++threads;
                break;
            case 1:
                if (threads == 0) break;
                trees[i]->leave(cpu);
                --threads;
                break;
            case 2: {
                const auto weight = static_cast<std::uint32_t>(1 + below(10'000));
                trees[i]->set_weight(weight);
                model.budgets[i].weight = weight;
                // It reaches each CPU when a thread below is charged there.
                for (std::size_t at = 0; at < cpus; ++at)
                    for (std::size_t k = 0; k < count; ++k)
                        if (model.budgets[k].threads[at] != 0) (void)trees[k]->virtual_time(at, 1);
                break;
            }
            default:
                if (threads == 0) break;
                const double wanted = second / model.part(static_cast<int>(i), cpu);
                ASSERT_NEAR(static_cast<double>(trees[i]->virtual_time(cpu, second)) / wanted, 1, 0.001) << "round " << round << ", step " << step;
            }
            ASSERT_EQ(trees[i]->threads(cpu), threads);
        }
        for (std::size_t i = 0; i < count; ++i)
            for (std::size_t cpu = 0; cpu < cpus; ++cpu)
                while (model.budgets[i].threads[cpu]-- != 0) trees[i]->leave(cpu);
        for (const auto& tree : trees)
            for (std::size_t cpu = 0; cpu < cpus; ++cpu) ASSERT_TRUE(tree->is_idle(cpu));
    }
}

// Nothing but the weights tells, as if there were no levels.
TEST(Shares, DirectlyBelowTheRootTheWeightsAloneTell) {
    Tree root(nullptr, 1024), one(&root, 1024), other(&root, 2);
    one.enter(0);
    EXPECT_EQ(one.virtual_time(0, second), second);
    other.enter(0);
    root.enter(0);
    EXPECT_EQ(one.virtual_time(0, second), second);
    EXPECT_EQ(root.virtual_time(0, second), second);
    EXPECT_EQ(other.virtual_time(0, second), 512 * second);
    other.enter(0);
    EXPECT_EQ(other.virtual_time(0, second), 1024 * second);
}

TEST(Shares, ChildrenHaveNoMoreThanTheirParent) {
    Tree root(nullptr, 1024), parent(&root, 2), one(&parent, 10'000), other(&parent, 10'000);
    one.enter(0);
    EXPECT_EQ(one.virtual_time(0, second), 512 * second);
    other.enter(0);
    EXPECT_EQ(one.virtual_time(0, second), 1024 * second);
    one.leave(0);
    EXPECT_EQ(other.virtual_time(0, second), 512 * second);
    // Of another CPU is told there.
    EXPECT_TRUE(parent.is_idle(1));
}

TEST(Shares, OwnThreadsAreOneUsualChild) {
    Tree root(nullptr, 1024), parent(&root, 1024), child(&parent, 3072);
    for (int i = 0; i < 3; ++i) parent.enter(0);
    EXPECT_EQ(parent.virtual_time(0, second), 3 * second);
    child.enter(0);
    EXPECT_NEAR(static_cast<double>(parent.virtual_time(0, second)), 12.0 * second, 1e4);
    EXPECT_NEAR(static_cast<double>(child.virtual_time(0, second)), 4.0 / 3 * second, 1e4);
}

// A change while it is active is taken off the sum as what it was counted with.
TEST(Shares, ChangedWeightLeavesNothingBehind) {
    Tree root(nullptr, 1024), parent(&root, 1024), one(&parent, 1024), other(&parent, 1024);
    one.enter(0);
    other.enter(0);
    one.set_weight(3072);
    EXPECT_EQ(parent.children(0), 2048u);
    EXPECT_NEAR(static_cast<double>(one.virtual_time(0, second)), 4.0 / 3 * second, 1e4);
    EXPECT_EQ(other.virtual_time(0, second), 4 * second);
    one.set_weight(1);
    one.leave(0);
    EXPECT_EQ(parent.children(0), 1024u);
    other.leave(0);
    for (Tree* each : {&root, &parent, &one, &other}) EXPECT_TRUE(each->is_idle(0));
}

TEST(Shares, VirtualTimeNeitherStandsStillNorGoesRound) {
    std::vector<std::unique_ptr<Tree>> light, heavy;
    light.push_back(std::make_unique<Tree>(nullptr, 1024));
    for (int level = 0; level < 7; ++level) {
        heavy.push_back(std::make_unique<Tree>(light.back().get(), 10'000));
        for (int i = 0; i < 1'000; ++i) heavy.back()->enter(0);
        light.push_back(std::make_unique<Tree>(light.back().get(), 1));
    }
    Tree& lightest = *light.back();
    for (int i = 0; i < 5'000; ++i) lightest.enter(0);
    EXPECT_EQ(lightest.virtual_time(0, 1), std::uint64_t{1} << 20);
    EXPECT_EQ(lightest.virtual_time(0, 0), 0u);
    EXPECT_EQ(lightest.virtual_time(0, std::uint64_t{1} << 60), UINT64_MAX);
    EXPECT_EQ(lightest.virtual_time(0, UINT64_MAX), UINT64_MAX);

    Tree heaviest(light.front().get(), 10'000);
    heaviest.enter(0);
    EXPECT_EQ(heaviest.virtual_time(0, 1), 1u);
    EXPECT_NEAR(static_cast<double>(heaviest.virtual_time(0, second)), 0.1024 * second, 1e5);
}

} // namespace
} // namespace kernel
