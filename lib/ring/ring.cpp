#include "lib/ring/ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace ring {

namespace {

constexpr std::uint64_t smallest = abi::page_size;
constexpr std::uint64_t largest = std::uint64_t{1} << 30;

std::uint64_t load(const std::uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
std::uint32_t load(const std::uint32_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
void store(std::uint64_t& word, std::uint64_t value) { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }
void store(std::uint32_t& word, std::uint32_t value) { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }

// The flag protocol needs a store ordered before a later load of another word (index, then who waits; who waits, then index): a full fence on both sides.
bool take_flag(std::uint32_t& flag) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&flag, __ATOMIC_RELAXED) != 0 && __atomic_exchange_n(&flag, 0, __ATOMIC_ACQ_REL) != 0;
}
void set_flag(std::uint32_t& flag) {
    __atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

constexpr std::uint64_t padded(std::uint64_t length) { return (length + 7) & ~std::uint64_t{7}; }

bool valid_size(std::uint64_t size) { return std::has_single_bit(size) && size >= smallest && size <= largest; }

// Copies between private memory and the ring's data, in one or two pieces.
template <class Copy> void in_pieces(const View& view, std::uint64_t position, std::size_t length, Copy copy) {
    if (length == 0)
        return;
    const std::uint64_t start = position & (view.size - 1);
    const std::size_t first = std::min<std::uint64_t>(length, view.size - start);
    copy(view.data + start, std::size_t{0}, first);
    if (first < length)
        copy(view.data, first, length - first);
}

} // namespace

void initialize_pair(std::span<std::byte> memory, abi::RingUse use, std::uint64_t size) {
    auto* pair = reinterpret_cast<abi::RingPair*>(memory.data());
    *pair = {};
    pair->use = use;
    for (int i = 0; i < 2; ++i) {
        pair->data_offset[i] = abi::page_size + static_cast<std::uint64_t>(i) * size;
        pair->data_size[i] = size;
    }
    pair->magic = abi::ring_magic;
}

base::Result<Views> check_pair(std::span<std::byte> memory, abi::RingUse use) {
    if (memory.size() < abi::page_size)
        return std::unexpected(abi::Error::broken);
    auto* shared = reinterpret_cast<abi::RingPair*>(memory.data());
    if (load(shared->magic) != abi::ring_magic || __atomic_load_n(reinterpret_cast<std::uint32_t*>(&shared->use), __ATOMIC_RELAXED) != static_cast<std::uint32_t>(use))
        return std::unexpected(abi::Error::broken);
    Views views;
    std::uint64_t offsets[2];
    for (int i = 0; i < 2; ++i) {
        offsets[i] = load(shared->data_offset[i]);
        const std::uint64_t size = load(shared->data_size[i]);
        const bool inside = offsets[i] >= abi::page_size && offsets[i] % abi::page_size == 0 && offsets[i] <= memory.size() && size <= memory.size() - offsets[i];
        if (!valid_size(size) || !inside)
            return std::unexpected(abi::Error::broken);
        views.ring[i] = {&shared->ring[i], memory.data() + offsets[i], size};
    }
    if (offsets[0] < offsets[1] + views.ring[1].size && offsets[1] < offsets[0] + views.ring[0].size)
        return std::unexpected(abi::Error::broken);
    return views;
}

// --- producer

// A side that attaches to a ring in use (a restarted server) goes on where its own line says; the other side checks what it sees all the same.
Producer::Producer(const View& view) : view_(view), produced_(load(view.header->produced)), consumed_(load(view.header->consumed)) {
    if (produced_ - consumed_ > view_.size)
        broken_ = true;
}

base::Result<std::uint64_t> Producer::room() {
    if (broken_)
        return std::unexpected(abi::Error::broken);
    if (load(view_.header->abandoned) != 0)
        return std::unexpected(abi::Error::peer_closed);
    const std::uint64_t consumed = load(view_.header->consumed);
    // The consumer's index only grows, and never past what was produced.
    if (produced_ - consumed > view_.size || consumed - consumed_ > produced_ - consumed_) {
        broken_ = true;
        return std::unexpected(abi::Error::broken);
    }
    consumed_ = consumed;
    return view_.size - (produced_ - consumed_);
}

void Producer::copy_in(std::uint64_t position, std::span<const std::byte> bytes) {
    in_pieces(view_, position, bytes.size(), [&](std::byte* to, std::size_t offset, std::size_t length) { std::memcpy(to, bytes.data() + offset, length); });
}

void Producer::publish(std::uint64_t bytes) {
    produced_ += bytes;
    store(view_.header->produced, produced_);
    news_ = true;
}

base::Result<std::size_t> Producer::write(std::span<const std::byte> bytes) {
    const std::uint64_t free = TRY(room());
    const std::size_t length = std::min<std::uint64_t>(free, bytes.size());
    if (length == 0)
        return 0;
    copy_in(produced_, bytes.first(length));
    publish(length);
    return length;
}

base::Result<void> Producer::write_record(std::uint32_t kind, std::span<const std::byte> first, std::span<const std::byte> second) {
    const std::uint64_t length = first.size() + second.size();
    const std::uint64_t total = sizeof(abi::RecordHeader) + padded(length);
    if (length > view_.size || total > view_.size)
        return std::unexpected(abi::Error::too_large);
    if (TRY(room()) < total)
        return std::unexpected(abi::Error::would_block);
    const abi::RecordHeader header{static_cast<std::uint32_t>(length), kind};
    copy_in(produced_, std::as_bytes(std::span(&header, 1)));
    copy_in(produced_ + sizeof header, first);
    if (!second.empty())
        copy_in(produced_ + sizeof header + first.size(), second);
    publish(total);
    return {};
}

void Producer::close() {
    store(view_.header->closed, 1);
    news_ = true;
}

// A peer that waits is left alone while there is nothing new for it: it would only look, and wait again.
bool Producer::take_wakeup() { return std::exchange(news_, false) && take_flag(view_.header->consumer_waits); }

bool Producer::must_wait(std::uint64_t bytes) {
    set_flag(view_.header->producer_waits);
    auto free = room();
    if (free && *free < bytes)
        return true;
    cancel_wait();
    return false;
}

void Producer::cancel_wait() { (void)take_flag(view_.header->producer_waits); }

// --- consumer

Consumer::Consumer(const View& view) : view_(view), consumed_(load(view.header->consumed)), produced_(load(view.header->produced)) {
    if (produced_ - consumed_ > view_.size)
        broken_ = true;
}

base::Result<std::uint64_t> Consumer::available() {
    if (broken_)
        return std::unexpected(abi::Error::broken);
    const std::uint64_t produced = load(view_.header->produced);
    // Never backwards, and never more than there is room for.
    if (produced - consumed_ > view_.size || produced - consumed_ < produced_ - consumed_) {
        broken_ = true;
        return std::unexpected(abi::Error::broken);
    }
    produced_ = produced;
    return produced_ - consumed_;
}

void Consumer::copy_out(std::uint64_t position, std::span<std::byte> bytes) const {
    in_pieces(view_, position, bytes.size(), [&](const std::byte* from, std::size_t offset, std::size_t length) { std::memcpy(bytes.data() + offset, from, length); });
}

void Consumer::publish(std::uint64_t bytes) {
    consumed_ += bytes;
    store(view_.header->consumed, consumed_);
    news_ = true;
}

base::Result<std::size_t> Consumer::read(std::span<std::byte> buffer) {
    const std::size_t length = std::min<std::uint64_t>(TRY(available()), buffer.size());
    if (length == 0)
        return 0;
    copy_out(consumed_, buffer.first(length));
    publish(length);
    return length;
}

base::Result<Consumer::Record> Consumer::peek() {
    // The end is looked at before the index: what was produced before it is then seen.
    const bool closed = load(view_.header->closed) != 0;
    const std::uint64_t there = TRY(available());
    if (there == 0)
        return std::unexpected(closed ? abi::Error::peer_closed : abi::Error::would_block);
    abi::RecordHeader header;
    if (there < sizeof header) {
        broken_ = true;
        return std::unexpected(abi::Error::broken);
    }
    copy_out(consumed_, std::as_writable_bytes(std::span(&header, 1)));
    if (sizeof header + padded(header.length) > there) {
        broken_ = true;
        return std::unexpected(abi::Error::broken);
    }
    return Record{header.kind, header.length};
}

std::size_t Consumer::copy(const Record& record, std::uint32_t offset, std::span<std::byte> buffer) const {
    if (offset >= record.length)
        return 0;
    const std::size_t length = std::min<std::size_t>(record.length - offset, buffer.size());
    copy_out(consumed_ + sizeof(abi::RecordHeader) + offset, buffer.first(length));
    return length;
}

void Consumer::consume(const Record& record) { publish(sizeof(abi::RecordHeader) + padded(record.length)); }

base::Result<Consumer::Record> Consumer::read_record(std::span<std::byte> buffer) {
    const Record record = TRY(peek());
    const bool fits = record.length <= buffer.size();
    if (fits)
        copy(record, 0, buffer);
    consume(record);
    if (!fits)
        return std::unexpected(abi::Error::too_large);
    return record;
}

bool Consumer::ended() {
    const bool closed = load(view_.header->closed) != 0;
    auto there = available();
    return !there || (closed && *there == 0);
}

void Consumer::abandon() {
    store(view_.header->abandoned, 1);
    news_ = true;
}

bool Consumer::take_wakeup() { return std::exchange(news_, false) && take_flag(view_.header->producer_waits); }

bool Consumer::must_wait() {
    set_flag(view_.header->consumer_waits);
    auto there = available();
    if (there && *there == 0 && load(view_.header->closed) == 0)
        return true;
    cancel_wait();
    return false;
}

void Consumer::cancel_wait() { (void)take_flag(view_.header->consumer_waits); }

} // namespace ring
