// A read-only layer of a root file system, as the RAM file system above it sees it.
#pragma once
#include "abi/types.hpp"
#include "linux/core/errno.hpp"
#include "linux/fs/stat.hpp"

#include <span>
#include <string_view>

namespace personality {

using LayerNode = std::uint64_t; // names an inode of one layer

struct LayerAttributes {
    std::uint32_t mode;
    std::uint32_t user, group;
    std::uint32_t links;
    std::uint64_t size;
    std::uint64_t special_device;
    Timestamp modified;
    bool contiguous;           // the bytes are one page-aligned run of the layer's Memory, at
    std::uint64_t data_offset;
};

class LayerSink {
public:
    virtual ~LayerSink() = default;
    // False stops.
    virtual bool entry(std::string_view name, LayerNode node, std::uint32_t type_bits) = 0;
};

// Contents come from outside: every method checks what it reads, and answers EIO where the layer is broken.
class Layer {
public:
    virtual ~Layer() = default;
    virtual LayerNode root() const = 0;
    virtual LinuxResult<LayerAttributes> attributes(LayerNode node) const = 0;
    virtual LinuxResult<void> list(LayerNode directory, LayerSink& sink) const = 0; // with "." and ".." left out
    virtual LinuxResult<std::size_t> read(LayerNode file, std::uint64_t offset, std::span<std::byte> to) const = 0;
    virtual abi::Handle memory() const = 0;
};

} // namespace personality
