#include "lib/erofs/image.hpp"

#include <algorithm>
#include <cstring>

namespace erofs {

namespace {

constexpr std::uint32_t magic = 0xe0f5e1e2;
constexpr std::size_t super_offset = 1024;
// Incompatible features that change nothing for uncompressed files: zero padding of compressed ones.
constexpr std::uint32_t harmless_features = 0x1;

struct SuperBlock {
    std::uint32_t magic, checksum, feature_compatible;
    std::uint8_t block_bits, extension_slots;
    std::uint16_t root;
    std::uint64_t inodes, build_seconds;
    std::uint32_t build_nanoseconds, blocks, meta_block, xattr_block;
    std::uint8_t uuid[16], volume[16];
    std::uint32_t feature_incompatible;
    std::uint8_t rest[44];
};
static_assert(sizeof(SuperBlock) == 128);

struct CompactInode {
    std::uint16_t format, xattr_count, mode, links;
    std::uint32_t size, reserved, data, number;
    std::uint16_t user, group;
    std::uint32_t reserved2;
};
static_assert(sizeof(CompactInode) == 32);

struct ExtendedInode {
    std::uint16_t format, xattr_count, mode, reserved;
    std::uint64_t size;
    std::uint32_t data, number, user, group;
    std::uint64_t modified_seconds;
    std::uint32_t modified_nanoseconds, links;
    std::uint8_t reserved2[16];
};
static_assert(sizeof(ExtendedInode) == 64);

struct __attribute__((packed)) DirectoryEntry {
    std::uint64_t node;
    std::uint16_t name_offset;
    std::uint8_t type, reserved;
};
static_assert(sizeof(DirectoryEntry) == 12);

constexpr std::uint64_t slot_bytes = 32; // inode numbers count in these
constexpr std::uint32_t layout_plain = 0;
constexpr std::uint32_t layout_inline = 2;
constexpr std::uint32_t no_block = 0xffff'ffff;

std::uint64_t xattr_bytes(std::uint16_t count) { return count == 0 ? 0 : 12 + (std::uint64_t{count} - 1) * 4; }

std::unexpected<abi::Error> broken() { return std::unexpected(abi::Error::broken); }

template <class T> T load(std::span<const std::byte> bytes, std::uint64_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

} // namespace

base::Result<Image> Image::open(std::span<const std::byte> bytes) {
    if (bytes.size() < super_offset + sizeof(SuperBlock))
        return broken();
    const auto super = load<SuperBlock>(bytes, super_offset);
    if (super.magic != magic)
        return broken();
    if (super.block_bits < 9 || super.block_bits > 16 || (super.feature_incompatible & ~harmless_features) != 0)
        return std::unexpected(abi::Error::not_supported);
    Image image(bytes);
    image.block_bits_ = super.block_bits;
    image.meta_offset_ = std::uint64_t{super.meta_block} << super.block_bits;
    image.root_ = super.root;
    image.inodes_ = super.inodes;
    image.build_seconds_ = super.build_seconds;
    image.build_nanoseconds_ = super.build_nanoseconds;
    const Inode root = TRY(image.inode(image.root_));
    if (!root.is_directory())
        return broken();
    return image;
}

base::Result<Inode> Image::inode(NodeId id) const {
    if (id > bytes_.size() / slot_bytes || meta_offset_ > bytes_.size())
        return broken();
    const std::uint64_t offset = meta_offset_ + id * slot_bytes;
    if (!inside(offset, sizeof(CompactInode)))
        return broken();
    const auto compact = load<CompactInode>(bytes_, offset);
    Inode inode{};
    inode.id = id;
    std::uint64_t header = sizeof(CompactInode);
    std::uint32_t data = compact.data;
    if ((compact.format & 1) == 0) {
        inode.links = compact.links;
        inode.size = compact.size;
        inode.user = compact.user;
        inode.group = compact.group;
        inode.modified_seconds = build_seconds_;
        inode.modified_nanoseconds = build_nanoseconds_;
    } else {
        header = sizeof(ExtendedInode);
        if (!inside(offset, header))
            return broken();
        const auto extended = load<ExtendedInode>(bytes_, offset);
        inode.links = extended.links;
        inode.size = extended.size;
        inode.user = extended.user;
        inode.group = extended.group;
        inode.modified_seconds = extended.modified_seconds;
        inode.modified_nanoseconds = extended.modified_nanoseconds;
        data = extended.data;
    }
    inode.mode = compact.mode;
    inode.inline_begin = inode.size;
    const std::uint32_t type = inode.mode & 0170000;
    const bool has_data = type == 0100000 || type == 0040000 || type == 0120000;
    if (!has_data) {
        inode.device = data;
        inode.size = inode.inline_begin = 0;
        return inode;
    }
    const std::uint32_t layout = (compact.format >> 1) & 7;
    if (layout != layout_plain && layout != layout_inline)
        return std::unexpected(abi::Error::not_supported);
    inode.layout = layout == layout_inline ? Layout::inlined : Layout::plain;
    const std::uint64_t block = block_size();
    if (inode.layout == Layout::inlined && inode.size % block != 0) {
        inode.inline_begin = inode.size - inode.size % block;
        inode.inline_offset = offset + header + xattr_bytes(compact.xattr_count);
        const std::uint64_t tail = inode.size % block;
        // The tail lies in one block, behind its inode.
        if (!inside(inode.inline_offset, tail) || inode.inline_offset % block + tail > block)
            return broken();
    }
    if (inode.inline_begin != 0) {
        if (data == no_block)
            return broken();
        inode.data_offset = std::uint64_t{data} << block_bits_;
        if (!inside(inode.data_offset, inode.inline_begin))
            return broken();
    }
    return inode;
}

base::Result<std::size_t> Image::read(const Inode& file, std::uint64_t offset, std::span<std::byte> to) const {
    if (offset >= file.size || to.empty())
        return 0;
    const std::size_t length = std::min<std::uint64_t>(file.size - offset, to.size());
    std::size_t done = 0;
    if (offset < file.inline_begin) {
        done = std::min<std::uint64_t>(file.inline_begin - offset, length);
        if (!inside(file.data_offset + offset, done))
            return broken();
        std::memcpy(to.data(), bytes_.data() + file.data_offset + offset, done);
    }
    if (done < length) {
        const std::uint64_t from = file.inline_offset + (offset + done - file.inline_begin);
        if (!inside(from, length - done))
            return broken();
        std::memcpy(to.data() + done, bytes_.data() + from, length - done);
    }
    return length;
}

base::Result<std::span<const std::byte>> Image::directory_block(const Inode& directory, std::uint64_t offset) const {
    const std::uint64_t length = std::min<std::uint64_t>(directory.size - offset, block_size());
    const std::uint64_t from = offset < directory.inline_begin ? directory.data_offset + offset : directory.inline_offset + (offset - directory.inline_begin);
    if (!inside(from, length) || length < sizeof(DirectoryEntry))
        return broken();
    return bytes_.subspan(from, length);
}

base::Result<void> Image::list(const Inode& directory, EntrySink& sink) const {
    if (!directory.is_directory())
        return std::unexpected(abi::Error::bad_argument);
    for (std::uint64_t offset = 0; offset < directory.size; offset += block_size()) {
        const auto block = TRY(directory_block(directory, offset));
        // The first name begins where the entries end.
        const std::size_t table = load<DirectoryEntry>(block, 0).name_offset;
        if (table == 0 || table % sizeof(DirectoryEntry) != 0 || table > block.size())
            return broken();
        const std::size_t count = table / sizeof(DirectoryEntry);
        for (std::size_t i = 0; i < count; ++i) {
            const auto entry = load<DirectoryEntry>(block, i * sizeof(DirectoryEntry));
            std::size_t end = block.size();
            if (i + 1 < count)
                end = load<DirectoryEntry>(block, (i + 1) * sizeof(DirectoryEntry)).name_offset;
            if (entry.name_offset < table || entry.name_offset >= end || end > block.size())
                return broken();
            std::string_view name(reinterpret_cast<const char*>(block.data()) + entry.name_offset, end - entry.name_offset);
            if (i + 1 == count)
                name = name.substr(0, name.find('\0'));
            if (name.empty() || name.size() > 255 || name.find('/') != name.npos || name.find('\0') != name.npos)
                return broken();
            if (name == "." || name == "..")
                continue;
            if (!sink.entry({name, entry.node, entry.type}))
                return {};
        }
    }
    return {};
}

base::Result<NodeId> Image::find(const Inode& directory, std::string_view name) const {
    // Names are sorted, but a hostile image need not be: a linear search cannot be led astray, and who looks names up often keeps them.
    struct Search final : EntrySink {
        std::string_view wanted;
        NodeId node = 0;
        bool found = false;
        bool entry(const Entry& entry) override {
            if (entry.name != wanted)
                return true;
            node = entry.node;
            found = true;
            return false;
        }
    } search;
    search.wanted = name;
    TRY(list(directory, search));
    if (!search.found)
        return std::unexpected(abi::Error::not_found);
    return search.node;
}

base::Result<Inode> Image::resolve(std::string_view path) const {
    Inode at = TRY(inode(root_));
    while (!path.empty()) {
        if (path.front() == '/') {
            path.remove_prefix(1);
            continue;
        }
        const std::string_view name = path.substr(0, path.find('/'));
        path.remove_prefix(name.size());
        if (at.is_link())
            return std::unexpected(abi::Error::not_supported);
        if (!at.is_directory())
            return std::unexpected(abi::Error::not_found);
        at = TRY(inode(TRY(find(at, name))));
    }
    return at;
}

} // namespace erofs
