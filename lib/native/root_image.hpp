// Files of the root image as Memory.
#pragma once
#include <string_view>

#include "lib/base/result.hpp"
#include "lib/erofs/image.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

namespace native {

struct FileMemory {
    Owned memory; // a slice of the root image, or a sealed copy where the file's tail lies apart
    std::uint64_t size;   // bytes of the file
};

class RootImage {
public:
    // Maps all of the image. `memory` is borrowed. Errors: broken, not_supported, and those of the mapping.
    static base::Result<RootImage> open(abi::Handle memory);

    // Errors: not_found, broken.
    base::Result<FileMemory> file(std::string_view path) const;

private:
    RootImage(abi::Handle memory, Mapping mapping, const erofs::Image& image) : memory_(memory), mapping_(std::move(mapping)), image_(image) {}
    base::Result<FileMemory> copy(const erofs::Inode& inode) const;
    abi::Handle memory_;
    Mapping mapping_;
    erofs::Image image_;
};

} // namespace native
