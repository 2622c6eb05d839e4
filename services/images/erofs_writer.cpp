#include "services/images/erofs_writer.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "services/common/text.hpp"

namespace images {

using services::TarEntry;
using services::TarReader;

namespace {

constexpr std::uint64_t block = 4096;
constexpr std::uint64_t most_nodes = 1 << 19;
constexpr std::size_t buffer_size = 256 << 10;               // whole blocks
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40; // block numbers have 32 bits
constexpr std::uint64_t superblock_at = 1024;
constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_link = 4095;
constexpr unsigned deepest_path = 128;
constexpr std::string_view opaque_marker = ".wh..wh..opq";

constexpr std::uint32_t type_mask = 0170000, directory_bits = 0040000, regular_bits = 0100000, link_bits = 0120000,
                        character_bits = 0020000, block_bits = 0060000, fifo_bits = 0010000;

struct Superblock {
    std::uint32_t magic = 0xe0f5e1e2, checksum = 0, compatible = 0;
    std::uint8_t block_bits = 12, extra_slots = 0;
    std::uint16_t root = 0;
    std::uint64_t inodes = 0, build_time = 0;
    std::uint32_t build_nanoseconds = 0, blocks = 0, meta_block = 0, xattr_block = 0;
    std::uint8_t uuid[16] = {}, volume[16] = {};
    std::uint32_t incompatible = 0;
    std::uint8_t rest[44] = {};
};
static_assert(sizeof(Superblock) == 128);

struct Inode {
    std::uint16_t format = 1, xattrs = 0, mode = 0, reserved = 0; // extended, flat plain
    std::uint64_t size = 0;
    std::uint32_t start = 0, number = 0, user = 0, group = 0;
    std::uint64_t modified = 0;
    std::uint32_t nanoseconds = 0, links = 0;
    std::uint8_t rest[16] = {};
};
static_assert(sizeof(Inode) == 64);

struct __attribute__((packed)) Dirent {
    std::uint64_t node;
    std::uint16_t name_offset;
    std::uint8_t type, reserved;
};
static_assert(sizeof(Dirent) == 12);

std::uint8_t dirent_type(std::uint32_t mode) {
    switch (mode & type_mask) {
    case regular_bits: return 1;
    case directory_bits: return 2;
    case character_bits: return 3;
    case block_bits: return 4;
    case fifo_bits: return 5;
    default: return 7;
    }
}

// Linux' 32-bit form of a device number.
std::uint32_t device_number(std::uint32_t major, std::uint32_t minor) {
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xfff00) << 12;
}

} // namespace

struct ErofsWriter::Node {
    std::uint32_t mode = directory_bits | 0755, user = 0, group = 0, links = 0, device = 0, start = 0;
    std::int64_t modified = 0;
    std::uint64_t size = 0;
    std::uint64_t index = 0; // of its inode, from 1 on
    std::string target;
    std::map<std::string, NodePointer> children;
    bool is_directory() const { return (mode & type_mask) == directory_bits; }
    std::uint64_t id() const { return index * 2; } // in units of 32 bytes
};

// The first block holds the superblock.
ErofsWriter::ErofsWriter(Output& output)
    : output_(output), buffer_(buffer_size, '\0'), flushed_(block), root_(make_node()) {}
ErofsWriter::~ErofsWriter() = default;

ErofsWriter::NodePointer ErofsWriter::make_node() {
    if (++count_ > most_nodes) throw ErofsError("the layer has too many files");
    return std::make_shared<Node>();
}

void ErofsWriter::flush() {
    if (flushed_ + buffered_ > most_bytes) throw ErofsError("the layer is too large");
    if (buffered_ > 0) output_.write(buffer_.data(), buffered_, flushed_);
    flushed_ += buffered_;
    buffered_ = 0;
}

// Zeros up to the next block.
void ErofsWriter::align() {
    const std::size_t end = (buffered_ + block - 1) / block * block;
    std::memset(buffer_.data() + buffered_, 0, end - buffered_);
    buffered_ = end;
    if (buffered_ == buffer_.size()) flush();
}

// Behind what is there, on blocks of its own; gives the first one's number.
std::uint32_t ErofsWriter::append(const void* data, std::size_t size) {
    const auto start = static_cast<std::uint32_t>((flushed_ + buffered_) / block);
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const std::size_t count = std::min(size, buffer_.size() - buffered_);
        std::memcpy(buffer_.data() + buffered_, bytes, count);
        bytes += count;
        size -= count;
        buffered_ += count;
        if (buffered_ == buffer_.size()) flush();
    }
    align();
    return start;
}

// The directory of the path's last name, made where it is missing. The root has an empty name.
ErofsWriter::Place ErofsWriter::locate(const std::string& path) {
    Place place{root_.get(), ""};
    unsigned depth = 0;
    for (std::string& name : services::split(path, '/')) {
        if (name.empty() || name == ".") continue;
        if (name == ".." || name.size() > longest_name || name.find('\0') != std::string::npos ||
            ++depth > deepest_path)
            throw ErofsError("the layer has a file with an impossible name");
        if (!place.name.empty()) {
            NodePointer& child = place.directory->children[place.name];
            if (!child) child = make_node();
            if (!child->is_directory())
                throw ErofsError("the layer has a file inside of " + place.name + ", which is no directory");
            place.directory = child.get();
        }
        place.name = std::move(name);
    }
    return place;
}

ErofsWriter::NodePointer ErofsWriter::find(const std::string& path) {
    NodePointer node = root_;
    for (const std::string& name : services::split(path, '/')) {
        if (name.empty() || name == ".") continue;
        const auto child = node->children.find(name);
        if (child == node->children.end()) return nullptr;
        node = child->second;
    }
    return node;
}

void ErofsWriter::add(const TarEntry& entry, TarReader& data) {
    if (entry.type == TarEntry::Type::other)
        throw ErofsError("the layer has an entry of an unknown type: " + entry.path);
    Place place = locate(entry.path);
    std::string_view removed = place.name;
    // A union file system's own records.
    if (place.name.starts_with(".wh..wh.") && place.name != opaque_marker) return;
    const bool whiteout = place.name != opaque_marker && services::consume(removed, ".wh.");
    if (whiteout && removed.empty()) throw ErofsError("the layer has a whiteout without a name");
    if (entry.type == TarEntry::Type::hard_link && !whiteout) {
        const NodePointer target = find(entry.target);
        if (!target || target->is_directory() || place.name.empty())
            throw ErofsError("the layer has a hard link to what is not there: " + entry.target);
        place.directory->children[place.name] = target;
        return;
    }
    NodePointer node;
    if (place.name.empty()) {
        if (entry.type != TarEntry::Type::directory) throw ErofsError("the layer's root is no directory");
        node = root_;
    } else {
        NodePointer& slot = place.directory->children[whiteout ? std::string(removed) : place.name];
        // A directory that came before keeps what is in it.
        if (!slot || !slot->is_directory() || entry.type != TarEntry::Type::directory) slot = make_node();
        node = slot;
    }
    node->user = entry.user;
    node->group = entry.group;
    node->modified = entry.modified;
    const std::uint32_t permissions = entry.mode & 07777;
    if (whiteout) {
        node->mode = character_bits;
        return;
    }
    switch (entry.type) {
    case TarEntry::Type::directory: node->mode = directory_bits | permissions; break;
    case TarEntry::Type::fifo: node->mode = fifo_bits | permissions; break;
    case TarEntry::Type::character:
    case TarEntry::Type::block:
        node->mode = (entry.type == TarEntry::Type::block ? block_bits : character_bits) | permissions;
        node->device = device_number(entry.major, entry.minor);
        break;
    case TarEntry::Type::link:
        if (entry.target.empty() || entry.target.size() > longest_link || entry.target.find('\0') != std::string::npos)
            throw ErofsError("the layer has an impossible link");
        node->mode = link_bits | 0777;
        node->target = entry.target;
        node->size = entry.target.size();
        break;
    default: {
        node->mode = regular_bits | permissions;
        node->size = entry.size;
        node->start = static_cast<std::uint32_t>((flushed_ + buffered_) / block);
        while (const std::size_t count = data.read(buffer_.data() + buffered_, buffer_.size() - buffered_)) {
            buffered_ += count;
            if (buffered_ == buffer_.size()) flush();
        }
        align();
    }
    }
}

// Sorted names, in blocks of their own: heads first, then the names.
void ErofsWriter::write_directory(Node& directory, Node& parent) {
    std::map<std::string_view, const Node*> entries = {{".", &directory}, {"..", &parent}};
    for (const auto& [name, child] : directory.children) entries[name] = child.get();
    std::string content;
    std::vector<std::pair<std::string_view, const Node*>> group;
    std::size_t used = 0;
    auto flush = [&](bool last) {
        std::string heads;
        std::string names;
        for (const auto& [name, node] : group) {
            const Dirent dirent{node->id(), static_cast<std::uint16_t>(group.size() * sizeof(Dirent) + names.size()),
                                dirent_type(node->mode), 0};
            heads.append(reinterpret_cast<const char*>(&dirent), sizeof dirent);
            names += name;
        }
        content += heads + names;
        if (!last) content.resize((content.size() + block - 1) / block * block);
        group.clear();
        used = 0;
    };
    for (const auto& entry : entries) {
        const std::size_t size = sizeof(Dirent) + entry.first.size();
        if (used + size > block) flush(false);
        used += size;
        group.push_back(entry);
    }
    flush(true);
    directory.size = content.size();
    directory.start = append(content.data(), content.size());
}

std::uint64_t ErofsWriter::finish() {
    // Every node once, directories before what is in them; parents for the entries "..".
    std::vector<Node*> nodes = {root_.get()};
    std::vector<Node*> parents = {root_.get()};
    root_->index = 1;
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        Node& node = *nodes[at];
        if (!node.is_directory()) continue;
        node.links += 2;
        for (const auto& [name, child] : node.children) {
            if (child->is_directory())
                ++node.links; // for its ".."
            else
                ++child->links;
            if (child->index != 0) continue; // a further hard link
            child->index = nodes.size() + 1;
            nodes.push_back(child.get());
            parents.push_back(&node);
        }
    }
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        Node& node = *nodes[at];
        if (node.is_directory())
            write_directory(node, *parents[at]);
        else if (!node.target.empty())
            node.start = append(node.target.data(), node.target.size());
    }
    std::vector<Inode> inodes(nodes.size() + 1); // number 0 is nobody's
    for (const Node* node : nodes) {
        Inode& inode = inodes[node->index];
        inode.mode = static_cast<std::uint16_t>(node->mode);
        inode.size = node->size;
        const std::uint32_t type = node->mode & type_mask;
        inode.start = type == character_bits || type == block_bits ? node->device : node->start;
        inode.number = static_cast<std::uint32_t>(node->index);
        inode.user = node->user;
        inode.group = node->group;
        inode.modified = static_cast<std::uint64_t>(node->modified);
        inode.links = node->links;
    }
    Superblock super;
    super.root = 2;
    super.inodes = nodes.size();
    super.meta_block = append(inodes.data(), inodes.size() * sizeof(Inode));
    flush();
    super.blocks = static_cast<std::uint32_t>(flushed_ / block);
    output_.resize(flushed_);
    output_.write(&super, sizeof super, superblock_at);
    return flushed_;
}

} // namespace images
