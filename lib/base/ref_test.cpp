#include "lib/base/ref.hpp"

#include "lib/base/result.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

struct Counted : RefCounted<Counted> {
    explicit Counted(int& gone) : gone(gone) {}
    ~Counted() { ++gone; }
    int& gone;
};

TEST(Ref, TheLastOneDeletes) {
    int gone = 0;
    auto first = Ref<Counted>::adopt(*new Counted(gone));
    Ref<Counted> second = first;
    EXPECT_EQ(first->references(), 2u);
    first.reset();
    EXPECT_EQ(gone, 0);
    Ref<Counted> third = std::move(second);
    EXPECT_FALSE(second);
    third = nullptr;
    EXPECT_EQ(gone, 1);
}

TEST(Ref, SelfAssignmentKeepsTheObject) {
    int gone = 0;
    auto ref = Ref<Counted>::adopt(*new Counted(gone));
    auto& same = ref;
    ref = same;
    EXPECT_EQ(gone, 0);
    EXPECT_EQ(ref->references(), 1u);
}

Result<int> half(int number) {
    if (number % 2 != 0)
        return fail(Error::bad_argument);
    return number / 2;
}
Result<int> quarter(int number) { return TRY(half(TRY(half(number)))); }

TEST(Result, TryReturnsTheFirstError) {
    EXPECT_EQ(quarter(8), 2);
    EXPECT_EQ(quarter(6).error(), Error::bad_argument);
}

} // namespace
} // namespace base
