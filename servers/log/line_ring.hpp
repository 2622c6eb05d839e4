// The last lines of the log, in a bounded piece of memory: a new line pushes out as many of the oldest as it needs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace logging {

inline constexpr std::size_t most_name_bytes = 31, most_text_bytes = 256;

// A copy of one line.
struct Line {
    std::uint64_t number = 0;      // 1 is the first line ever
    std::uint64_t nanoseconds = 0; // of the monotonic clock
    std::size_t name_length = 0, text_length = 0;
    char name_bytes[most_name_bytes];
    char text_bytes[most_text_bytes];
    std::string_view writer() const { return {name_bytes, name_length}; }
    std::string_view text() const { return {text_bytes, text_length}; }
};

class LineRing {
public:
    // What a line of the longest name and text takes: no storage may be smaller.
    static constexpr std::size_t most_line_bytes = 16 + most_name_bytes + most_text_bytes;

    // The storage is borrowed for the ring's life.
    explicit LineRing(std::span<std::byte> storage) : storage_(storage) {}

    // Takes a line in; what is longer than most_name_bytes or most_text_bytes is cut.
    void append(std::uint64_t nanoseconds, std::string_view writer, std::string_view text);
    // Copies the oldest kept line whose number is at least `number`; false where there is none (yet).
    bool find(std::uint64_t number, Line& line) const;

private:
    struct Head {
        std::uint64_t nanoseconds;
        std::uint32_t name_length, text_length;
        std::size_t bytes() const { return sizeof(Head) + name_length + text_length; }
    };
    static_assert(sizeof(Head) == 16);
    // A byte's position counts all bytes ever taken in; its place in the storage is what remains of it.
    struct Place {
        std::uint64_t number, position;
    };

    void put(const void* bytes, std::size_t size);
    void get(std::uint64_t position, void* bytes, std::size_t size) const;
    Head head(std::uint64_t position) const;

    std::span<std::byte> storage_;
    std::uint64_t end_ = 0;                // where the next line begins
    std::uint64_t next_number_ = 1;
    Place oldest_{1, 0};
    mutable Place last_found_{1, 0}; // whoever reads on begins here, not at the oldest line
};

} // namespace logging
