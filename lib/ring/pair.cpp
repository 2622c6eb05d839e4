#include "lib/ring/pair.hpp"

#include "lib/native/kernel.hpp"

namespace ring {

namespace {

void connect(const Views& views, Side side, Producer& producer, Consumer& consumer) {
    const std::size_t out = side == Side::a ? 0 : 1;
    producer = Producer(views.ring[out]);
    consumer = Consumer(views.ring[1 - out]);
}

} // namespace

base::Result<Pair> Pair::create(abi::Handle quota, abi::RingUse use, std::uint64_t size, Side side) {
    Pair pair;
    const std::uint32_t flags = base::weakened(base::Weakness::ring_commit) ? 0 : abi::memory_flag::populate;
    pair.memory_ = TRY(native::own(native::call::memory_create(quota, pair_bytes(size), flags)));
    pair.wait_ = TRY(native::own(native::call::notification_create(quota)));
    pair.signal_ = TRY(native::own(native::call::notification_create(quota)));
    pair.mapping_ = TRY(native::Mapping::of(pair.memory_.get(), 0, pair_bytes(size), abi::protection::read | abi::protection::write));
    // Whoever hands it on hands no more on: the mapping is there, and its maker needs none of it either.
    pair.memory_ = TRY(native::own(native::duplicate(pair.memory_.get(), memory_rights() | abi::right::duplicate)));
    initialize_pair(pair.mapping_.bytes(), use, size);
    // The creator keeps private copies from the first moment on: what it wrote itself is true now.
    connect(TRY(check_pair(pair.mapping_.bytes(), use)), side, pair.producer_, pair.consumer_);
    return pair;
}

base::Result<Pair> Pair::attach(const Handles& handles, abi::RingUse use, Side side) {
    Pair pair;
    pair.memory_ = native::Owned(handles.memory);
    pair.wait_ = native::Owned(handles.wait);
    pair.signal_ = native::Owned(handles.signal);
    const std::uint64_t size = TRY(native::memory_size(handles.memory));
    pair.mapping_ = TRY(native::Mapping::of(handles.memory, 0, size, abi::protection::read | abi::protection::write));
    connect(TRY(check_pair(pair.mapping_.bytes(), use)), side, pair.producer_, pair.consumer_);
    return pair;
}

} // namespace ring
