// The newest characters of the log. Positions count from its begin, and never go back.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel {

class LogRing {
public:
    static constexpr std::size_t capacity = 256 * 1024;

    void put(char character) { text_[end_++ % capacity] = character; }
    // Behind the newest one.
    std::uint64_t end() const { return end_; }
    // Copies from `position`, or from the oldest one that is still there, which it is set to then; gives how many.
    std::size_t copy(std::uint64_t& position, std::span<char> to) const {
        if (end_ > capacity) position = std::max(position, end_ - capacity);
        std::size_t length = 0;
        for (; length < to.size() && position + length < end_; ++length) to[length] = text_[(position + length) % capacity];
        return length;
    }

private:
    char text_[capacity] = {};
    std::uint64_t end_ = 0;
};

} // namespace kernel
