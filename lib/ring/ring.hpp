// One side of a shared ring (abi/ring.hpp): producer or consumer. No kernel calls here; who must be woken is returned, and lib/ring/pair.hpp rings the bells.
//
// The peer is hostile. Every index is read once into a private copy and checked; the data can change while it is read, so it is copied out before it is looked at.
// A peer that breaks the protocol makes its ring `broken()` for good: nothing more is read or written.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/ring.hpp"
#include "lib/base/result.hpp"

namespace ring {

// Where a ring lies in the caller's address space; checked by `check_pair`.
struct View {
    abi::RingHeader* header = nullptr;
    std::byte* data = nullptr;
    std::uint64_t size = 0; // power of two
};

// Writes page 0 of a new ring pair: two rings of `size` data bytes each (a power of two, at least 4096), behind page 0. For the creator, before anybody else has it.
void initialize_pair(std::span<std::byte> memory, abi::RingUse use, std::uint64_t size);
constexpr std::uint64_t pair_bytes(std::uint64_t size) { return abi::page_size + 2 * size; }

// Finds the two rings of a mapped pair that somebody else made. Errors: broken (magic, use, sizes or offsets out of range or overlapping).
struct Views {
    View ring[2];
};
base::Result<Views> check_pair(std::span<std::byte> memory, abi::RingUse use);

class Producer {
public:
    Producer() = default;
    explicit Producer(const View& view);

    // --- bytes
    // Copies as much of `bytes` as fits; returns how much. 0: full. Errors: peer_closed (the consumer abandoned the ring), broken.
    base::Result<std::size_t> write(std::span<const std::byte> bytes);

    // --- records
    // All or nothing; with several parts the payload is their concatenation. Errors: would_block (no room), too_large (never fits), peer_closed, broken.
    base::Result<void> write_record(std::uint32_t kind, std::span<const std::byte> payload) { return write_record(kind, payload, {}); }
    base::Result<void> write_record(std::uint32_t kind, std::span<const std::byte> first, std::span<const std::byte> second);

    // Free bytes, by the last look at the consumer's index; looks again. Errors: peer_closed, broken.
    base::Result<std::uint64_t> room();
    // No more data will come.
    void close();

    // True once where there is news since the last call (written, closed; whatever a predecessor on this side may have left unsaid) and the consumer asked to be woken.
    bool take_wakeup();
    // Asks to be woken and looks again: true where the caller must wait for its bell, false where there is room for `bytes` after all, or the ring ended.
    bool must_wait(std::uint64_t bytes);
    void cancel_wait();

    bool broken() const { return broken_; }
    std::uint64_t capacity() const { return view_.size; }
    // Of both sides' totals: bytes ever produced.
    std::uint64_t produced() const { return produced_; }

private:
    void copy_in(std::uint64_t position, std::span<const std::byte> bytes);
    void publish(std::uint64_t bytes);
    View view_;
    std::uint64_t produced_ = 0;
    std::uint64_t consumed_ = 0; // last valid look at the peer's
    bool news_ = true;           // the consumer may wait for what it has not been woken for
    bool broken_ = false;
};

class Consumer {
public:
    Consumer() = default;
    explicit Consumer(const View& view);

    // --- bytes
    // Copies up to `buffer.size()` bytes out; returns how many. 0: nothing there now (or the end: see ended()). Errors: broken.
    base::Result<std::size_t> read(std::span<std::byte> buffer);

    // --- records: look at the next record, copy it, then consume it
    struct Record {
        std::uint32_t kind;
        std::uint32_t length; // checked: the whole record is in the ring
    };
    // Errors: would_block (none there), peer_closed (none there and none will come), broken.
    base::Result<Record> peek();
    // Copies the payload's [offset, offset + buffer.size()) of the record that `peek` returned; what lies past its end is left out.
    std::size_t copy(const Record& record, std::uint32_t offset, std::span<std::byte> buffer) const;
    void consume(const Record& record);
    // All in one: errors as peek, and too_large where the buffer is too small (the record is dropped).
    base::Result<Record> read_record(std::span<std::byte> buffer);

    // Bytes there now. Errors: broken.
    base::Result<std::uint64_t> available();
    // Nothing is left and nothing will come.
    bool ended();
    // Nobody will read any more.
    void abandon();

    // True once where there is news since the last call (consumed, abandoned; or a predecessor's) and the producer asked to be woken.
    bool take_wakeup();
    // Asks to be woken and looks again: true where the caller must wait for its bell, false where there is something to read after all, or the ring ended.
    bool must_wait();
    void cancel_wait();

    bool broken() const { return broken_; }
    std::uint64_t consumed() const { return consumed_; }

private:
    void copy_out(std::uint64_t position, std::span<std::byte> bytes) const;
    void publish(std::uint64_t bytes);
    View view_;
    std::uint64_t consumed_ = 0;
    std::uint64_t produced_ = 0;
    bool news_ = true;
    bool broken_ = false;
};

} // namespace ring
