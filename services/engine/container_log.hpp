// What a container wrote, line by line, kept in memory up to a limit: GET /containers/ID/logs.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace engine {

enum class OutputStream : std::uint8_t { standard_input = 0, standard_output = 1, standard_error = 2 };

struct LogLine {
    std::uint64_t sequence = 0;
    std::int64_t time = 0; // nanoseconds since 1970
    OutputStream stream = OutputStream::standard_output;
    std::string text; // with its newline, but for a part of a long or last line
};

// The head of a frame of the multiplexed format, and the frame.
std::string frame_head(OutputStream stream, std::size_t size);

class ContainerLog {
public:
    explicit ContainerLog(std::size_t limit) : limit_(limit) {}

    // Bytes as they were read. A line is kept once it is complete, or 16 KiB long.
    void append(OutputStream stream, std::int64_t time, std::string_view bytes);
    // Keeps a last line that has no end.
    void finish(std::int64_t time);

    // The first kept line with a sequence number of at least `sequence`, or null.
    const LogLine* from(std::uint64_t sequence) const;
    // Sequence number at which the last `count` lines of the streams asked for begin.
    std::uint64_t tail(std::size_t count, bool standard_output, bool standard_error) const;
    std::uint64_t first() const { return lines_.empty() ? next_ : lines_.front().sequence; }
    std::uint64_t next() const { return next_; }
    std::size_t size() const { return size_; }

private:
    void keep(OutputStream stream, std::int64_t time, std::string text);
    std::deque<LogLine> lines_;
    std::string partial_[2]; // of standard output and error
    std::size_t size_ = 0;
    std::size_t limit_;
    std::uint64_t next_ = 1;
};

} // namespace engine
