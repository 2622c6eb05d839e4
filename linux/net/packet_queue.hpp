// Packets on their way to a program or to the wire. Owns them.
#pragma once
#include "lwip/pbuf.h"

#include <cstdint>
#include <memory>
#include <new>

namespace personality::net {

struct Packet {
    pbuf* packet = nullptr;
    std::uint32_t address = 0; // of the sender, as it travels
    std::uint16_t port = 0;    // of the sender, in the machine's order
    std::uint8_t ttl = 0, tos = 0;
    std::uint32_t destination = 0;
    std::uint64_t arrived = 0; // monotonic clock
};

// A ring buffer that grows.
class PacketQueue {
public:
    constexpr PacketQueue() = default;
    PacketQueue(const PacketQueue&) = delete;
    PacketQueue& operator=(const PacketQueue&) = delete;
    ~PacketQueue() { clear(); }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    Packet& front() { return entries_[first_]; }
    Packet& at(std::size_t index) { return entries_[(first_ + index) & (capacity_ - 1)]; }
    // False where there is no memory; the packet is still the caller's then.
    bool push(const Packet& packet) {
        if (size_ == capacity_ && !grow())
            return false;
        entries_[(first_ + size_++) & (capacity_ - 1)] = packet;
        return true;
    }
    void pop() {
        pbuf_free(entries_[first_].packet);
        first_ = (first_ + 1) & (capacity_ - 1);
        --size_;
    }
    void clear() {
        while (!empty())
            pop();
    }

private:
    bool grow() {
        const std::size_t capacity = capacity_ == 0 ? 8 : capacity_ * 2;
        std::unique_ptr<Packet[]> entries(new (std::nothrow) Packet[capacity]);
        if (!entries)
            return false;
        for (std::size_t i = 0; i < size_; ++i)
            entries[i] = at(i);
        entries_ = std::move(entries);
        capacity_ = capacity;
        first_ = 0;
        return true;
    }
    std::unique_ptr<Packet[]> entries_;
    std::size_t capacity_ = 0, first_ = 0, size_ = 0;
};

} // namespace personality::net
