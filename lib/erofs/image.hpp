// Reads EROFS images (Linux Documentation/filesystems/erofs.rst): uncompressed, flat plain and flat inline data. Extended attributes are passed over.
//
// The image lies in sealed memory, so what was checked stays true; every number in it is hostile. No allocation, no state: any number of threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/base/result.hpp"

namespace erofs {

using NodeId = std::uint64_t;

enum class Layout : std::uint8_t { plain, inlined };

struct Inode {
    NodeId id;
    std::uint32_t mode; // as in stat, with the type bits
    std::uint32_t user, group;
    std::uint32_t links;
    std::uint64_t size;
    std::uint64_t modified_seconds;
    std::uint32_t modified_nanoseconds;
    std::uint32_t device; // of device nodes, in Linux' new encoding
    Layout layout;
    std::uint64_t data_offset;   // in the image: whole blocks
    std::uint64_t inline_offset; // in the image: the tail of an inlined inode
    std::uint64_t inline_begin;  // in the file: from here on the bytes are in the tail; size where there is none

    bool is_directory() const { return (mode & 0170000) == 0040000; }
    bool is_regular() const { return (mode & 0170000) == 0100000; }
    bool is_link() const { return (mode & 0170000) == 0120000; }
    // All bytes are one run of the image, which starts at a block: such a file can be mapped as it is.
    bool contiguous() const { return inline_begin == size; }
};

// A name in a directory. `type` as EROFS has it: 1 regular, 2 directory, 3 character, 4 block, 5 FIFO, 6 socket, 7 link.
struct Entry {
    std::string_view name; // lies in the image; never empty, no '/' and no NUL in it
    NodeId node;
    std::uint8_t type;
};

class EntrySink {
public:
    // False ends the listing.
    virtual bool entry(const Entry& entry) = 0;

protected:
    ~EntrySink() = default;
};

class Image {
public:
    // Errors: broken (no EROFS image, impossible values), not_supported (compression, several devices, another block size than 512 to 64 KiB).
    static base::Result<Image> open(std::span<const std::byte> bytes);

    NodeId root() const { return root_; }
    std::uint32_t block_size() const { return 1u << block_bits_; }
    std::uint64_t inode_count() const { return inodes_; }

    // Errors: broken, not_supported (compressed or chunked data).
    base::Result<Inode> inode(NodeId id) const;
    // Copies from `offset` on; returns how much: less than asked for at the end of the file. Errors: broken.
    base::Result<std::size_t> read(const Inode& file, std::uint64_t offset, std::span<std::byte> to) const;
    // All entries in the order of the image, "." and ".." left out. Errors: broken (also after entries were given), bad_argument (no directory).
    base::Result<void> list(const Inode& directory, EntrySink& sink) const;
    // One name in a directory. Errors: not_found, broken, bad_argument.
    base::Result<NodeId> find(const Inode& directory, std::string_view name) const;
    // A path of names from the root, without links: "/bin/log". Errors: not_found, broken, not_supported (a link on the way).
    base::Result<Inode> resolve(std::string_view path) const;

private:
    explicit Image(std::span<const std::byte> bytes) : bytes_(bytes) {}
    // The bytes of one block of a directory, which never run across a border.
    base::Result<std::span<const std::byte>> directory_block(const Inode& directory, std::uint64_t offset) const;
    bool inside(std::uint64_t offset, std::uint64_t length) const { return offset <= bytes_.size() && length <= bytes_.size() - offset; }

    std::span<const std::byte> bytes_;
    NodeId root_ = 0;
    std::uint64_t inodes_ = 0;
    std::uint64_t build_seconds_ = 0;
    std::uint32_t build_nanoseconds_ = 0;
    std::uint64_t meta_offset_ = 0;
    std::uint32_t block_bits_ = 0;
};

} // namespace erofs
