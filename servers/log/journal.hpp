// What becomes of a line: it gets its writer's name, goes to the console and is kept. It makes no kernel call; time is a number.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/base/rate_limit.hpp"
#include "lib/base/result.hpp"
#include "servers/log/line_ring.hpp"

namespace logging {

// Where lines are shown.
class Console {
public:
    // One line with its newline, all printable otherwise. It must be shown in one piece.
    virtual void show(std::string_view line) = 0;

protected:
    ~Console() = default;
};

class Journal {
public:
    static constexpr std::size_t most_programs = 32;
    static constexpr std::size_t remembered_sandboxes = 512;
    // Lines of one writer, and of all sandboxes together.
    static constexpr std::uint64_t burst = 128, per_second = 16, sandboxes_burst = 512, sandboxes_per_second = 64;
    // What was dropped is told at most so often.
    static constexpr std::uint64_t telling_interval = 1'000'000'000;

    // `storage`: for the lines that are kept, at least LineRing::most_line_bytes. Both are borrowed.
    Journal(std::span<std::byte> storage, Console& console) : kept_(storage), console_(console) {}

    // A program of the node, by the badge of its endpoint. The name lives as long as the journal. Errors: bad_argument (badge 0, a name that is empty, too long or not
    // printable), exists (a second name for the badge), no_slots.
    base::Result<void> add_program(std::uint64_t badge, std::string_view name);

    // A line of the program with this badge, at `now` (nanoseconds). Dropped where it writes too much, which is no error. Errors: denied, where no program has the badge.
    base::Result<void> write_program(std::uint64_t badge, std::string_view text, std::uint64_t now);
    // A line of the sandbox with this number. The same; denied for 0.
    base::Result<void> write_sandbox(std::uint64_t number, std::string_view text, std::uint64_t now);

    // A line of the log server's own.
    void say(std::string_view text, std::uint64_t now);

    // Says whose lines were dropped, where that is due. To be called after a write and at the time that `telling_time` gives.
    void tell_dropped(std::uint64_t now);
    // When the next telling is due; UINT64_MAX where nothing was dropped.
    std::uint64_t telling_time() const { return telling_time_; }

    const LineRing& kept() const { return kept_; }

private:
    struct Writer {
        std::uint64_t badge = 0; // 0: nobody
        std::string_view name;   // empty: a sandbox
        base::RateLimit limit{burst, per_second};
        std::uint64_t dropped = 0;
        std::uint64_t last_written = 0;
    };
    using NameBuffer = std::array<char, most_name_bytes>;

    Writer& sandbox(std::uint64_t number, std::uint64_t now);
    static std::string_view name_of(const Writer& writer, NameBuffer& buffer);
    void drop(Writer& writer, std::uint64_t now);
    void show(std::string_view name, std::string_view text, std::uint64_t now);

    LineRing kept_;
    Console& console_;
    Writer programs_[most_programs];
    std::size_t program_count_ = 0;
    // Whoever wrote last; one that wrote nothing for long makes room for the next.
    Writer sandboxes_[remembered_sandboxes];
    base::RateLimit sandboxes_limit_{sandboxes_burst, sandboxes_per_second};
    std::uint64_t forgotten_dropped_ = 0; // of sandboxes that made room
    std::uint64_t telling_time_ = UINT64_MAX;
};

} // namespace logging
