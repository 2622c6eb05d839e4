// The layout of shared rings. Each ring has one producer and one consumer; a ring pair is one Memory with two of them.
#pragma once
#include "abi/types.hpp"

namespace abi {

// Indices count bytes and never wrap in practice (64 bits); the position in the data is index modulo size. Each side writes only its own line and keeps a
// private copy of its own index: what it reads back from shared memory is never trusted. A peer's index that is out of range (used > size) is a broken peer.
//
// Wake-ups: the consumer sets `consumer_waits` to 1, reads `produced` again, and only then waits on its Notification; the producer, after moving `produced`,
// exchanges `consumer_waits` with 0 and signals when it was 1. The same the other way round with `producer_waits` for free space.
struct RingHeader {
    alignas(64) std::uint64_t produced;  // written by the producer
    std::uint32_t closed;                // producer: no more data will come (end of stream after what is in the ring)
    std::uint32_t producer_waits;        // set by the producer, cleared by the consumer
    alignas(64) std::uint64_t consumed;  // written by the consumer
    std::uint32_t abandoned;             // consumer: nobody will read any more (EPIPE for the producer)
    std::uint32_t consumer_waits;        // set by the consumer, cleared by the producer
};
static_assert(sizeof(RingHeader) == 128);

inline constexpr std::uint32_t ring_magic = 0x52494e47; // "RING"
enum class RingUse : std::uint32_t { bytes = 1, records = 2 };

// Page 0 of the Memory. Written by the creator before anybody else has the Memory; the sizes are read once and checked at attach.
// Side A produces into ring 0 and consumes ring 1; side B the other way round. Data sizes are powers of two, at least 4096.
struct RingPair {
    std::uint32_t magic;
    RingUse use;
    std::uint64_t data_offset[2]; // from the Memory's start, page-aligned
    std::uint64_t data_size[2];
    RingHeader ring[2];
};
static_assert(sizeof(RingPair) <= page_size);

// A record: header and payload, padded to 8 bytes; it may run across the end of the data. Records of length 0 are legal.
struct RecordHeader {
    std::uint32_t length; // payload bytes
    std::uint32_t kind;   // meaning by use: network 1 = Ethernet frame; sandbox control: abi/sandbox.hpp
};

// Bits of the two Notifications of a ring pair.
inline constexpr std::uint64_t doorbell_bit = 1;

} // namespace abi
