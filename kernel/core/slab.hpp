// Slabs: pages of equal blocks, and the list of those that have a free one. No lock, no allocator and no machine: pages come from the caller and go back to it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>

#include "abi/types.hpp"

namespace kernel {

// The head of a page of blocks; it takes the place of the first block or blocks. Blocks are aligned to 16, their content is whatever was there.
class Slab {
public:
    static constexpr std::size_t smallest_block = 32, largest_block = 2048; // powers of two
    static constexpr std::size_t head_bytes = 32;

    // Makes blocks of `bytes`, one of the powers of two from smallest to largest, of a page that is the caller's. `owner` is the caller's own mark.
    static Slab& begin(void* page, std::size_t bytes, void* owner) { return *new (page) Slab(static_cast<std::uint16_t>(bytes), owner); }
    // The slab of a block.
    static Slab& of(void* block) { return *reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~std::uintptr_t{abi::page_size - 1}); }

    void* owner() const { return owner_; }
    std::size_t block_bytes() const { return block_bytes_; }

private:
    friend class SlabList;
    Slab(std::uint16_t bytes, void* owner) : owner_(owner), unused_(bytes), block_bytes_(bytes) {}

    bool is_full() const { return free_ == 0 && unused_ == abi::page_size; }
    std::uint16_t& next_of(std::uint16_t block) { return *reinterpret_cast<std::uint16_t*>(reinterpret_cast<std::byte*>(this) + block); }
    void* take() {
        std::uint16_t block = free_;
        if (block != 0) {
            free_ = next_of(block);
        } else {
            block = unused_;
            unused_ = static_cast<std::uint16_t>(unused_ + block_bytes_);
        }
        ++used_;
        return reinterpret_cast<std::byte*>(this) + block;
    }
    void give(void* memory) {
        const auto block = static_cast<std::uint16_t>(reinterpret_cast<std::uintptr_t>(memory) % abi::page_size);
        next_of(block) = free_;
        free_ = block;
        --used_;
    }

    Slab* next_ = nullptr;
    Slab* previous_ = nullptr;
    void* owner_;
    std::uint16_t free_ = 0; // offset in the page of a block that came back, linked through their first words; 0 where there is none
    std::uint16_t unused_;   // offset of what was never given out: a slab that is made costs the same for all sizes
    std::uint16_t used_ = 0;
    std::uint16_t block_bytes_;
};
static_assert(sizeof(Slab) <= Slab::head_bytes && Slab::head_bytes <= Slab::smallest_block);

// The slabs of one size and owner that have a free block.
class SlabList {
public:
    constexpr SlabList() = default;
    SlabList(const SlabList&) = delete;
    SlabList& operator=(const SlabList&) = delete;

    bool empty() const { return !first_; }
    void add(Slab& slab) {
        slab.previous_ = nullptr;
        slab.next_ = first_;
        if (first_) first_->previous_ = &slab;
        first_ = &slab;
    }
    // A block of some slab. Not where the list is empty.
    void* take() {
        Slab& slab = *first_;
        void* const block = slab.take();
        if (slab.is_full()) remove(slab);
        return block;
    }
    // True where that was the last block in use: the slab is in no list any more, and its page the caller's.
    bool give(void* block) {
        Slab& slab = Slab::of(block);
        const bool was_full = slab.is_full();
        slab.give(block);
        if (slab.used_ == 0) {
            // One that was full is in no list: of the largest blocks a page has but one.
            if (!was_full) remove(slab);
            return true;
        }
        if (was_full) add(slab);
        return false;
    }

private:
    void remove(Slab& slab) {
        (slab.previous_ ? slab.previous_->next_ : first_) = slab.next_;
        if (slab.next_) slab.next_->previous_ = slab.previous_;
    }

    Slab* first_ = nullptr;
};

} // namespace kernel
