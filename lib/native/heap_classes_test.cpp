#include "lib/native/heap_classes.hpp"

#include <gtest/gtest.h>

using namespace native::heap;

TEST(HeapClasses, EverySizeFitsItsClassAndNoSmallerOne) {
    for (std::size_t size = 1; size <= largest_class; ++size) {
        const std::size_t index = class_of(size);
        ASSERT_LT(index, class_count);
        ASSERT_GE(class_size(index), size);
        if (index > 0)
            ASSERT_LT(class_size(index - 1), size);
    }
}

TEST(HeapClasses, WasteIsBounded) {
    for (std::size_t size = 129; size <= largest_class; ++size)
        ASSERT_LT((class_size(class_of(size)) - size) * 5, class_size(class_of(size))) << size;
}
