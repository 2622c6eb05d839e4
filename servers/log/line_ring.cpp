#include "servers/log/line_ring.hpp"

#include <algorithm>
#include <cstring>

namespace logging {

void LineRing::append(std::uint64_t nanoseconds, std::string_view writer, std::string_view text) {
    writer = writer.substr(0, most_name_bytes);
    text = text.substr(0, most_text_bytes);
    const Head added{nanoseconds, static_cast<std::uint32_t>(writer.size()), static_cast<std::uint32_t>(text.size())};
    while (end_ + added.bytes() - oldest_.position > storage_.size())
        oldest_ = {oldest_.number + 1, oldest_.position + head(oldest_.position).bytes()};
    put(&added, sizeof added);
    put(writer.data(), writer.size());
    put(text.data(), text.size());
    ++next_number_;
}

bool LineRing::find(std::uint64_t number, Line& line) const {
    number = std::max(number, oldest_.number);
    if (number >= next_number_)
        return false;
    Place place = last_found_.number >= oldest_.number && last_found_.number <= number ? last_found_ : oldest_;
    for (; place.number < number; ++place.number)
        place.position += head(place.position).bytes();
    last_found_ = place;
    const Head found = head(place.position);
    line.number = number;
    line.nanoseconds = found.nanoseconds;
    line.name_length = found.name_length;
    line.text_length = found.text_length;
    get(place.position + sizeof found, line.name_bytes, found.name_length);
    get(place.position + sizeof found + found.name_length, line.text_bytes, found.text_length);
    return true;
}

// In one piece, or in two around the storage's end.
void LineRing::put(const void* bytes, std::size_t size) {
    const std::size_t at = end_ % storage_.size(), first = std::min(size, storage_.size() - at);
    std::memcpy(storage_.data() + at, bytes, first);
    std::memcpy(storage_.data(), static_cast<const std::byte*>(bytes) + first, size - first);
    end_ += size;
}

void LineRing::get(std::uint64_t position, void* bytes, std::size_t size) const {
    const std::size_t at = position % storage_.size(), first = std::min(size, storage_.size() - at);
    std::memcpy(bytes, storage_.data() + at, first);
    std::memcpy(static_cast<std::byte*>(bytes) + first, storage_.data(), size - first);
}

LineRing::Head LineRing::head(std::uint64_t position) const {
    Head found;
    get(position, &found, sizeof found);
    return found;
}

} // namespace logging
