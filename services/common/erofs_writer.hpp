// Makes an EROFS image of a layer's tar archive in one pass: uncompressed, 4 KiB blocks, no inline tails, so that every
// file is one run of whole blocks (Linux Documentation/filesystems/erofs.rst). The same archive gives the same bytes.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "services/common/tar_reader.hpp"

namespace services {

class ErofsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class ErofsWriter {
public:
    // Writes to `file` (borrowed, empty), which may hold the image in memory: never more than `limit` bytes.
    ErofsWriter(int file, std::uint64_t limit);
    ~ErofsWriter();

    // Throws ErofsError: an entry that no file system can hold, or too many. OCI's ".wh.NAME" becomes a character
    // device 0:0 called NAME;
    // ".wh..wh..opq" stays as it is.
    void add(const TarEntry& entry, TarReader& data);
    // Writes directories, links, inodes and the superblock. Returns the image's size.
    std::uint64_t finish();

private:
    struct Node;
    using NodePointer = std::shared_ptr<Node>;
    struct Place {
        Node* directory;
        std::string name;
    };
    Place locate(const std::string& path);
    NodePointer find(const std::string& path);
    NodePointer make_node();
    std::uint32_t append(const void* data, std::size_t size);
    void write(const void* data, std::size_t size, std::uint64_t offset);
    void write_directory(Node& directory, Node& parent);

    int file_;
    std::uint64_t limit_;
    std::uint64_t end_;
    std::uint64_t count_ = 0;
    NodePointer root_;
};

} // namespace services
