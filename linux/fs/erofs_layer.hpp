// A layer in an EROFS image.
#pragma once
#include "lib/erofs/image.hpp"
#include "linux/fs/layer.hpp"

namespace personality {

class ErofsLayer final : public Layer {
public:
    // `memory` is the capability for `bytes`, for mappings of files. Errors: EIO (broken), ENOMEM.
    static LinuxResult<ErofsLayer*> make(std::span<const std::byte> bytes, abi::Handle memory);

    LayerNode root() const override { return image_.root(); }
    LinuxResult<LayerAttributes> attributes(LayerNode node) const override;
    LinuxResult<void> list(LayerNode directory, LayerSink& sink) const override;
    LinuxResult<std::size_t> read(LayerNode file, std::uint64_t offset, std::span<std::byte> to) const override;
    abi::Handle memory() const override { return memory_; }

private:
    ErofsLayer(const erofs::Image& image, abi::Handle memory) : image_(image), memory_(memory) {}
    erofs::Image image_;
    abi::Handle memory_;
};

} // namespace personality
