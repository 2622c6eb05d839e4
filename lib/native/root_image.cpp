#include "lib/native/root_image.hpp"

#include <algorithm>

#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

namespace native {

base::Result<RootImage> RootImage::open(abi::Handle memory) {
    const std::uint64_t size = TRY(memory_size(memory));
    Mapping mapping = TRY(Mapping::of(memory, 0, size, abi::protection::read));
    const erofs::Image image = TRY(erofs::Image::open(mapping.bytes()));
    return RootImage(memory, std::move(mapping), image);
}

base::Result<FileMemory> RootImage::file(std::string_view path) const {
    const erofs::Inode inode = TRY(image_.resolve(path));
    if (!inode.is_regular() || inode.size == 0)
        return std::unexpected(abi::Error::not_found);
    if (!inode.contiguous() || inode.data_offset % abi::page_size != 0)
        return copy(inode);
    return FileMemory{TRY(own(call::memory_slice(self().quota, memory_, inode.data_offset, page_round(inode.size)))), inode.size};
}

base::Result<FileMemory> RootImage::copy(const erofs::Inode& inode) const {
    Owned memory = TRY(own(call::memory_create(self().quota, page_round(inode.size), 0)));
    // From the image's mapping straight into the Memory, run by run.
    if (inode.inline_begin != 0)
        TRY(call::memory_write(memory.get(), 0, mapping_.bytes().subspan(inode.data_offset, inode.inline_begin)));
    if (inode.inline_begin != inode.size)
        TRY(call::memory_write(memory.get(), inode.inline_begin, mapping_.bytes().subspan(inode.inline_offset, inode.size - inode.inline_begin)));
    TRY(call::memory_seal(memory.get()));
    return FileMemory{std::move(memory), inode.size};
}

} // namespace native
