// Makes an EROFS image of a layer's tar archive in one pass: uncompressed, 4 KiB blocks, no inline tails, so that every
// file is one run of whole blocks (Linux Documentation/filesystems/erofs.rst). The same archive gives the same bytes.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "services/common/tar_reader.hpp"
#include "services/images/output.hpp"

namespace images {

class ErofsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class ErofsWriter {
public:
    // Writes to `output` (borrowed, empty), which bounds the image's size.
    explicit ErofsWriter(Output& output);
    ~ErofsWriter();

    // Throws ErofsError: an entry that no file system can hold, or too many. OCI's ".wh.NAME" becomes a character
    // device 0:0 called NAME; ".wh..wh..opq" stays as it is. A later entry of a name replaces what was there; a
    // directory keeps what is in it.
    void add(const services::TarEntry& entry, services::TarReader& data);
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
    void align();
    void flush();
    void write_directory(Node& directory, Node& parent);

    Output& output_;
    std::string buffer_;       // what comes before the end and is not written yet
    std::size_t buffered_ = 0; // bytes of it
    std::uint64_t flushed_;    // where the buffer begins in the image, in bytes
    std::uint64_t count_ = 0;
    NodePointer root_;
};

} // namespace images
