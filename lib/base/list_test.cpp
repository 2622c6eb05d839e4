#include "lib/base/list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace base {
namespace {

struct First;
struct Second;
struct Item : ListNodeOf<First>, ListNodeOf<Second> {
    explicit Item(int number) : number(number) {}
    int number;
};

template <class L> std::vector<int> numbers(const L& list) {
    std::vector<int> result;
    for (const Item& item : list)
        result.push_back(item.number);
    return result;
}

TEST(List, KeepsTheOrder) {
    List<Item, First> list;
    Item a(1), b(2), c(3), d(4);
    list.push_back(b);
    list.push_back(d);
    list.push_front(a);
    list.insert_before(d, c);
    EXPECT_EQ(numbers(list), (std::vector{1, 2, 3, 4}));
    list.remove(b);
    EXPECT_EQ(numbers(list), (std::vector{1, 3, 4}));
    EXPECT_EQ(list.pop_front(), &a);
    EXPECT_EQ(list.front().number, 3);
    EXPECT_EQ(list.back().number, 4);
}

TEST(List, AnElementCanBeInTwo) {
    Item a(1), b(2);
    List<Item, First> first;
    List<Item, Second> second;
    first.push_back(a);
    first.push_back(b);
    second.push_back(b);
    first.remove(b);
    EXPECT_EQ(numbers(first), std::vector{1});
    EXPECT_EQ(numbers(second), std::vector{2});
}

TEST(List, ADyingElementLeaves) {
    List<Item, First> list;
    {
        Item a(1);
        list.push_back(a);
    }
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.pop_front(), nullptr);
}

TEST(List, ClearUnlinksAll) {
    Item a(1);
    List<Item, First> list;
    list.push_back(a);
    list.clear();
    EXPECT_FALSE(a.ListNodeOf<First>::linked());
}

} // namespace
} // namespace base
