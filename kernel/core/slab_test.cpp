#include "kernel/core/slab.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace kernel {
namespace {

// A list beside what is known of it: each block with what was written into it, by slab.
class Blocks {
public:
    explicit Blocks(std::size_t bytes) : bytes_(bytes) {}
    ~Blocks() {
        while (!blocks_.empty()) give(0);
    }

    void take() {
        if (list_.empty()) {
            void* const page = std::aligned_alloc(abi::page_size, abi::page_size);
            std::memset(page, 0xa5, abi::page_size);
            list_.add(Slab::begin(page, bytes_, this));
            EXPECT_TRUE(slabs_.emplace(&Slab::of(page), 0).second);
        }
        auto* const block = static_cast<unsigned char*>(list_.take());
        Slab& slab = Slab::of(block);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0u);
        EXPECT_GE(block - reinterpret_cast<unsigned char*>(&slab), static_cast<std::ptrdiff_t>(Slab::head_bytes));
        EXPECT_LE(block + bytes_, reinterpret_cast<unsigned char*>(&slab) + abi::page_size);
        EXPECT_EQ(slab.owner(), this);
        EXPECT_EQ(slab.block_bytes(), bytes_);
        ++slabs_.at(&slab);
        const auto mark = static_cast<unsigned char>(next_mark_++);
        std::memset(block, mark, bytes_);
        blocks_.push_back({block, mark});
    }
    void give(std::size_t which) {
        std::swap(blocks_[which], blocks_.back());
        const auto [block, mark] = blocks_.back();
        blocks_.pop_back();
        for (std::size_t i = 0; i < bytes_; ++i) ASSERT_EQ(block[i], mark);
        Slab& slab = Slab::of(block);
        const unsigned left = --slabs_.at(&slab);
        EXPECT_EQ(list_.give(block), left == 0);
        if (left != 0) return;
        slabs_.erase(&slab);
        std::free(&slab);
    }
    std::size_t blocks() const { return blocks_.size(); }
    std::size_t slabs() const { return slabs_.size(); }

private:
    struct Block {
        unsigned char* at;
        unsigned char mark;
    };
    std::size_t bytes_;
    SlabList list_;
    std::vector<Block> blocks_;
    std::map<Slab*, unsigned> slabs_;
    unsigned next_mark_ = 1;
};

TEST(Slab, APageHasAllItsBlocksButTheHeads) {
    for (std::size_t bytes = Slab::smallest_block; bytes <= Slab::largest_block; bytes *= 2) {
        Blocks all(bytes);
        const std::size_t of_page = abi::page_size / bytes - 1;
        for (std::size_t i = 0; i < 3 * of_page; ++i) all.take();
        EXPECT_EQ(all.slabs(), 3u) << bytes;
        all.take();
        EXPECT_EQ(all.slabs(), 4u) << bytes;
    }
}

TEST(Slab, FreeBlocksComeBeforeANewPage) {
    for (std::size_t bytes = Slab::smallest_block; bytes < Slab::largest_block; bytes *= 2) {
        Blocks all(bytes);
        const std::size_t of_page = abi::page_size / bytes - 1;
        for (std::size_t i = 0; i < 4 * of_page; ++i) all.take();
        // One of each page, all of them full.
        for (std::size_t i = 4; i-- > 0;) all.give(i * of_page);
        EXPECT_EQ(all.slabs(), 4u) << bytes;
        for (int i = 0; i < 4; ++i) all.take();
        EXPECT_EQ(all.slabs(), 4u) << bytes;
    }
}

TEST(Slab, BlocksComeAndGoInAnyOrder) {
    for (std::size_t bytes = Slab::smallest_block; bytes <= Slab::largest_block; bytes *= 2) {
        std::mt19937 random(static_cast<unsigned>(bytes));
        Blocks all(bytes);
        for (int round = 0; round < 20; ++round) {
            const std::size_t wanted = random() % (6 * abi::page_size / bytes);
            while (all.blocks() < wanted) random() % 3 == 0 && all.blocks() != 0 ? all.give(random() % all.blocks()) : all.take();
            while (all.blocks() > wanted) random() % 3 == 0 ? all.take() : all.give(random() % all.blocks());
        }
        while (all.blocks() != 0) all.give(random() % all.blocks());
        EXPECT_EQ(all.slabs(), 0u) << bytes;
    }
}

} // namespace
} // namespace kernel
