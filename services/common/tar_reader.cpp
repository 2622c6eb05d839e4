#include "services/common/tar_reader.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "services/common/text.hpp"

namespace services {

namespace {

constexpr std::size_t block_size = 512;
constexpr std::uint64_t longest_text = 1 << 20; // of names and pax records
constexpr std::uint64_t largest_entry = std::uint64_t{1} << 40;

struct Head {
    char name[100], mode[8], user[8], group[8], size[12], modified[12], checksum[8], type, target[100], magic[6],
        version[2], user_name[32], group_name[32], major[8], minor[8], prefix[155], rest[12];
};
static_assert(sizeof(Head) == block_size);

template <std::size_t count>
std::string text(const char (&field)[count]) {
    return std::string(field, strnlen(field, count));
}

// Octal digits, or GNU's binary form for numbers that do not fit.
template <std::size_t count>
std::uint64_t number(const char (&field)[count]) {
    std::uint64_t value = 0;
    if ((static_cast<unsigned char>(field[0]) & 0x80) != 0) {
        if (static_cast<unsigned char>(field[0]) != 0x80) throw TarError("a negative number");
        for (std::size_t at = 1; at < count; ++at) {
            if (value >> 55 != 0) throw TarError("a number that is too large");
            value = value << 8 | static_cast<unsigned char>(field[at]);
        }
        return value;
    }
    std::size_t at = 0;
    while (at < count && field[at] == ' ') ++at;
    for (; at < count && field[at] >= '0' && field[at] <= '7'; ++at)
        value = value << 3 | static_cast<std::uint64_t>(field[at] - '0');
    if (at < count && field[at] != ' ' && field[at] != '\0') throw TarError("a damaged number");
    return value;
}

std::uint64_t decimal(std::string_view value) {
    const auto number = parse_number(value.substr(0, value.find('.')));
    if (!number) throw TarError("a damaged pax record");
    return *number;
}

std::uint32_t narrow(std::uint64_t value) {
    if (value > UINT32_MAX) throw TarError("a number that is too large");
    return static_cast<std::uint32_t>(value);
}

} // namespace

bool is_tar_head(const char* block) {
    Head head;
    std::memcpy(&head, block, sizeof head);
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < block_size; ++at) {
        const bool blank = at >= offsetof(Head, checksum) && at < offsetof(Head, checksum) + sizeof head.checksum;
        sum += blank ? ' ' : static_cast<unsigned char>(block[at]);
    }
    try {
        return number(head.checksum) == sum;
    } catch (const TarError&) {
        return false;
    }
}

void TarReader::read_exactly(char* buffer, std::size_t size) {
    while (size > 0) {
        const std::size_t count = source_(buffer, size);
        if (count == 0) throw TarError("the archive ends too early");
        buffer += count;
        size -= count;
    }
}

// False at the end of the source; a part of a block is an error.
bool TarReader::read_block(char* block) {
    const std::size_t count = source_(block, block_size);
    if (count == 0) return false;
    read_exactly(block + count, block_size - count);
    return true;
}

std::size_t TarReader::read(char* buffer, std::size_t size) {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left_));
    if (size == 0) return 0;
    const std::size_t count = source_(buffer, size);
    if (count == 0) throw TarError("the archive ends too early");
    left_ -= count;
    return count;
}

void TarReader::drain() {
    char piece[4096];
    while (source_(piece, sizeof piece) != 0) {
    }
}

std::string TarReader::read_text() {
    if (left_ > longest_text) throw TarError("a name that is too long");
    std::string result(static_cast<std::size_t>(left_), '\0');
    read_exactly(result.data(), result.size());
    left_ = 0;
    return result;
}

void TarReader::read_pax(Extended& extended) {
    const std::string text = read_text();
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto space = rest.find(' ');
        const auto length = parse_number(rest.substr(0, space));
        if (space == std::string_view::npos || !length || *length <= space + 1 || *length > rest.size() ||
            rest[*length - 1] != '\n')
            throw TarError("a damaged pax record");
        const std::string_view record = rest.substr(space + 1, *length - space - 2);
        rest.remove_prefix(*length);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos) throw TarError("a damaged pax record");
        const std::string_view key = record.substr(0, equals);
        const std::string_view value = record.substr(equals + 1);
        if (key == "path")
            extended.path = value;
        else if (key == "linkpath")
            extended.target = value;
        else if (key == "size")
            extended.size = decimal(value), extended.has_size = true;
        else if (key == "uid")
            extended.user = decimal(value), extended.has_user = true;
        else if (key == "gid")
            extended.group = decimal(value), extended.has_group = true;
        else if (key == "mtime" && !value.starts_with('-'))
            extended.modified = static_cast<std::int64_t>(decimal(value)), extended.has_modified = true;
        else if (key.starts_with("GNU.sparse."))
            throw TarError("a sparse file, which this node does not read");
    }
}

bool TarReader::next(TarEntry& entry) {
    Extended extended = global_;
    std::string long_path;
    std::string long_target;
    char piece[4096];
    for (;;) {
        while (left_ > 0) (void)read(piece, sizeof piece);
        read_exactly(piece, static_cast<std::size_t>(std::exchange(padding_, 0)));
        char block[block_size];
        if (!read_block(block)) return false;
        if (std::all_of(block, block + block_size, [](char byte) { return byte == 0; })) return false;
        if (!is_tar_head(block)) throw TarError("no tar archive, or a damaged one");
        Head head;
        std::memcpy(&head, block, sizeof head);
        left_ = number(head.size);
        const bool meta = head.type == 'x' || head.type == 'g' || head.type == 'L' || head.type == 'K';
        if (!meta && extended.has_size) left_ = extended.size;
        if (left_ > largest_entry) throw TarError("an entry that is too large");
        padding_ = (block_size - left_ % block_size) % block_size;
        if (head.type == 'x') {
            read_pax(extended);
            continue;
        }
        if (head.type == 'g') {
            read_pax(global_);
            continue;
        }
        if (head.type == 'L' || head.type == 'K') {
            std::string name = read_text();
            name.resize(strnlen(name.data(), name.size()));
            (head.type == 'L' ? long_path : long_target) = std::move(name);
            continue;
        }
        const bool ustar = std::memcmp(head.magic, "ustar", 5) == 0;
        const std::string prefix = ustar && head.magic[5] == '\0' ? text(head.prefix) : "";
        entry.path = !extended.path.empty() ? extended.path
                     : !long_path.empty()   ? long_path
                     : prefix.empty()       ? text(head.name)
                                            : prefix + "/" + text(head.name);
        entry.target = !extended.target.empty() ? extended.target
                       : !long_target.empty()   ? long_target
                                                : text(head.target);
        entry.mode = narrow(number(head.mode)) & 07777;
        entry.user = narrow(extended.has_user ? extended.user : number(head.user));
        entry.group = narrow(extended.has_group ? extended.group : number(head.group));
        entry.modified = extended.has_modified ? extended.modified : static_cast<std::int64_t>(number(head.modified));
        entry.major = ustar ? narrow(number(head.major)) : 0;
        entry.minor = ustar ? narrow(number(head.minor)) : 0;
        switch (head.type) {
        case '\0':
        case '0':
        case '7': entry.type = entry.path.ends_with('/') ? TarEntry::Type::directory : TarEntry::Type::regular; break;
        case '1': entry.type = TarEntry::Type::hard_link; break;
        case '2': entry.type = TarEntry::Type::link; break;
        case '3': entry.type = TarEntry::Type::character; break;
        case '4': entry.type = TarEntry::Type::block; break;
        case '5': entry.type = TarEntry::Type::directory; break;
        case '6': entry.type = TarEntry::Type::fifo; break;
        default: entry.type = TarEntry::Type::other; break;
        }
        if (head.type == 'S') throw TarError("a sparse file, which this node does not read");
        entry.size = entry.type == TarEntry::Type::regular ? left_ : 0;
        return true;
    }
}

} // namespace services
