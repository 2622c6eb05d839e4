#include "linux/fs/erofs_layer.hpp"

#include "linux/fs/constants.hpp"

#include <new>

namespace personality {

namespace {

// Linux keeps the numbers of special files as make_device lays them out in 64 bits; EROFS has the 32-bit form, which is the same in its range.
LayerAttributes attributes_of(const erofs::Inode& inode) {
    LayerAttributes result{};
    result.mode = inode.mode;
    result.user = inode.user;
    result.group = inode.group;
    result.links = inode.links;
    result.size = inode.size;
    result.special_device = inode.device;
    result.modified = {static_cast<std::int64_t>(inode.modified_seconds), inode.modified_nanoseconds};
    result.contiguous = inode.contiguous() && inode.data_offset % abi::page_size == 0;
    result.data_offset = inode.data_offset;
    return result;
}

std::uint32_t type_bits(std::uint8_t type) {
    constexpr std::uint32_t types[] = {0, mode::regular, mode::directory, mode::character, mode::block, mode::fifo, mode::socket, mode::symlink};
    return type < std::size(types) ? types[type] : 0;
}

class Passer final : public erofs::EntrySink {
public:
    Passer(LayerSink& sink) : sink_(sink) {}
    bool entry(const erofs::Entry& entry) override {
        if (entry.name.size() > name_max || type_bits(entry.type) == 0)
            return true; // no program could have made such an entry
        return sink_.entry(entry.name, entry.node, type_bits(entry.type));
    }

private:
    LayerSink& sink_;
};

} // namespace

LinuxResult<ErofsLayer*> ErofsLayer::make(std::span<const std::byte> bytes, abi::Handle memory) {
    auto image = erofs::Image::open(bytes);
    if (!image)
        return fail(Errno::EIO);
    auto* layer = new (std::nothrow) ErofsLayer(*image, memory);
    if (layer == nullptr)
        return fail(Errno::ENOMEM);
    return layer;
}

LinuxResult<LayerAttributes> ErofsLayer::attributes(LayerNode node) const {
    auto inode = image_.inode(node);
    if (!inode)
        return fail(Errno::EIO);
    return attributes_of(*inode);
}

LinuxResult<void> ErofsLayer::list(LayerNode directory, LayerSink& sink) const {
    auto inode = image_.inode(directory);
    if (!inode)
        return fail(Errno::EIO);
    Passer passer(sink);
    if (!image_.list(*inode, passer))
        return fail(Errno::EIO);
    return {};
}

LinuxResult<std::size_t> ErofsLayer::read(LayerNode file, std::uint64_t offset, std::span<std::byte> to) const {
    auto inode = image_.inode(file);
    if (!inode)
        return fail(Errno::EIO);
    auto count = image_.read(*inode, offset, to);
    if (!count)
        return fail(Errno::EIO);
    return *count;
}

} // namespace personality
