#include "services/engine/container_log.hpp"

#include <utility>

namespace engine {

namespace {
constexpr std::size_t longest_line = 16 << 10; // as Docker cuts them
constexpr std::size_t line_overhead = sizeof(LogLine) + 16;
} // namespace

std::string frame_head(OutputStream stream, std::size_t size) {
    return {static_cast<char>(stream),
            0,
            0,
            0,
            static_cast<char>(size >> 24),
            static_cast<char>(size >> 16),
            static_cast<char>(size >> 8),
            static_cast<char>(size)};
}

void ContainerLog::append(OutputStream stream, std::int64_t time, std::string_view bytes) {
    if (limit_ == 0) return;
    std::string& partial = partial_[stream == OutputStream::standard_error];
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        std::size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
        count = std::min(count, longest_line - partial.size());
        partial.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (partial.ends_with('\n') || partial.size() == longest_line) keep(stream, time, std::exchange(partial, {}));
    }
}

void ContainerLog::finish(std::int64_t time) {
    for (const OutputStream stream : {OutputStream::standard_output, OutputStream::standard_error}) {
        std::string& partial = partial_[stream == OutputStream::standard_error];
        if (!partial.empty()) keep(stream, time, std::exchange(partial, {}));
    }
}

void ContainerLog::keep(OutputStream stream, std::int64_t time, std::string text) {
    text.shrink_to_fit();
    size_ += text.size() + line_overhead;
    lines_.push_back({next_++, time, stream, std::move(text)});
    while (size_ > limit_ && lines_.size() > 1) {
        size_ -= lines_.front().text.size() + line_overhead;
        lines_.pop_front();
    }
}

const LogLine* ContainerLog::from(std::uint64_t sequence) const {
    const std::uint64_t begin = first();
    const std::uint64_t index = sequence <= begin ? 0 : sequence - begin;
    return index < lines_.size() ? &lines_[index] : nullptr;
}

std::uint64_t ContainerLog::tail(std::size_t count, bool standard_output, bool standard_error) const {
    std::uint64_t begin = next_;
    for (auto line = lines_.rbegin(); line != lines_.rend() && count > 0; ++line) {
        if (line->stream == OutputStream::standard_error ? !standard_error : !standard_output) continue;
        begin = line->sequence;
        --count;
    }
    return begin;
}

} // namespace engine
