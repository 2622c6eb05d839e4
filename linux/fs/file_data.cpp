#include "linux/fs/file_data.hpp"

#include "linux/fs/constants.hpp"
#include "linux/fs/kernel_memory.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality {

namespace {
constexpr std::uint64_t inline_limit = abi::page_size;
constexpr std::uint64_t round_up(std::uint64_t size) { return (size + abi::page_size - 1) & ~(abi::page_size - 1); }
} // namespace

FileData::~FileData() {
    delete[] inline_;
    if (memory_ != abi::no_handle)
        kernel_memory::close(memory_);
}

std::uint64_t FileData::allocated() const {
    if (memory_ == abi::no_handle)
        return capacity_;
    std::uint64_t frames = 0;
    return kernel_memory::size(memory_, frames) ? frames * abi::page_size : 0;
}

std::size_t FileData::read(std::uint64_t offset, std::span<std::byte> to) const {
    if (offset >= size_)
        return 0;
    const std::size_t count = std::min<std::uint64_t>(to.size(), size_ - offset);
    if (memory_ == abi::no_handle) {
        std::memcpy(to.data(), inline_ + offset, count);
        return count;
    }
    return kernel_memory::read(memory_, offset, to.first(count)) ? count : 0;
}

LinuxResult<void> FileData::move_to_memory(std::uint64_t capacity) {
    auto memory = kernel_memory::create(round_up(std::max<std::uint64_t>(capacity, 1)));
    if (!memory)
        return fail(memory.error() == Errno::ENOMEM ? Errno::ENOSPC : memory.error());
    if (size_ != 0) {
        auto written = kernel_memory::write(*memory, 0, {inline_, static_cast<std::size_t>(size_)});
        if (!written) {
            kernel_memory::close(*memory);
            return fail(Errno::ENOSPC);
        }
    }
    delete[] inline_;
    inline_ = nullptr;
    memory_ = *memory;
    capacity_ = round_up(std::max<std::uint64_t>(capacity, 1));
    return {};
}

// Room for `size` bytes. Room grows in steps, since each step is a kernel call; frames exist only where something was written.
LinuxResult<void> FileData::reserve(std::uint64_t size) {
    if (size > max_file_size)
        return fail(Errno::EFBIG);
    if (size <= capacity_)
        return {};
    if (memory_ == abi::no_handle) {
        if (size > inline_limit)
            return move_to_memory(exact_ ? size : size * 2);
        std::uint64_t capacity = std::max<std::uint64_t>(capacity_ * 2, 64);
        while (capacity < size)
            capacity *= 2;
        auto* bytes = new (std::nothrow) std::byte[capacity];
        if (bytes == nullptr)
            return fail(Errno::ENOSPC);
        if (size_ != 0)
            std::memcpy(bytes, inline_, size_);
        delete[] inline_;
        inline_ = bytes;
        capacity_ = capacity;
        return {};
    }
    std::uint64_t capacity = round_up(exact_ ? size : std::max(size, capacity_ + std::min<std::uint64_t>(capacity_, 64ull << 20)));
    auto resized = kernel_memory::resize(memory_, capacity);
    if (!resized)
        return fail(resized.error() == Errno::ENOMEM ? Errno::ENOSPC : resized.error());
    capacity_ = capacity;
    return {};
}

LinuxResult<void> FileData::zero(std::uint64_t offset, std::uint64_t length) {
    if (memory_ == abi::no_handle) {
        std::memset(inline_ + offset, 0, length);
        return {};
    }
    static constexpr std::byte zeroes[512] = {};
    while (length != 0) {
        const std::size_t count = std::min<std::uint64_t>(length, sizeof zeroes);
        if (!kernel_memory::write(memory_, offset, {zeroes, count}))
            return fail(Errno::ENOSPC);
        offset += count;
        length -= count;
    }
    return {};
}

LinuxResult<void> FileData::write(std::uint64_t offset, std::span<const std::byte> from) {
    if (!writable_)
        return fail(Errno::EPERM);
    if (from.empty())
        return {};
    if (offset > max_file_size || from.size() > max_file_size - offset)
        return fail(Errno::EFBIG);
    const std::uint64_t end = offset + from.size();
    if (auto reserved = reserve(end); !reserved)
        return reserved;
    if (memory_ == abi::no_handle) {
        if (offset > size_)
            std::memset(inline_ + size_, 0, offset - size_);
        std::memcpy(inline_ + offset, from.data(), from.size());
    } else if (!kernel_memory::write(memory_, offset, from)) {
        return fail(Errno::ENOSPC);
    }
    size_ = std::max(size_, end);
    return {};
}

LinuxResult<void> FileData::resize(std::uint64_t size) {
    if (!writable_)
        return fail(Errno::EPERM);
    if (size > max_file_size)
        return fail(Errno::EFBIG);
    if (size == size_)
        return {};
    if (size > size_) {
        if (auto reserved = reserve(size); !reserved)
            return reserved;
        if (memory_ == abi::no_handle)
            std::memset(inline_ + size_, 0, size - size_);
    } else if (memory_ != abi::no_handle) {
        // What remains of the last page must read as zero when the file grows again, and in mappings at once.
        const std::uint64_t kept = round_up(size);
        if (auto cleared = zero(size, std::min(kept, size_) - size); !cleared)
            return cleared;
        if (kept < capacity_) {
            if (!kernel_memory::resize(memory_, std::max<std::uint64_t>(kept, abi::page_size)))
                return fail(Errno::EIO);
            capacity_ = std::max<std::uint64_t>(kept, abi::page_size);
            if (kept == 0) {
                if (auto cleared = zero(0, abi::page_size); !cleared)
                    return cleared;
            }
        }
    }
    size_ = size;
    return {};
}

LinuxResult<void> FileData::clear_range(std::uint64_t offset, std::uint64_t length) {
    if (!writable_)
        return fail(Errno::EPERM);
    if (offset >= size_)
        return {};
    return zero(offset, std::min(length, size_ - offset));
}

LinuxResult<abi::Handle> FileData::memory() {
    if (memory_ == abi::no_handle) {
        if (auto moved = move_to_memory(size_); !moved)
            return fail(moved.error());
    } else if (!exact_ && capacity_ > round_up(size_) && writable_) {
        const std::uint64_t wanted = std::max<std::uint64_t>(round_up(size_), abi::page_size);
        if (kernel_memory::resize(memory_, wanted))
            capacity_ = wanted;
    }
    exact_ = true;
    return memory_;
}

void FileData::adopt(abi::Handle memory, std::uint64_t size, bool writable) {
    delete[] inline_;
    inline_ = nullptr;
    if (memory_ != abi::no_handle)
        kernel_memory::close(memory_);
    memory_ = memory;
    size_ = size;
    capacity_ = round_up(size);
    exact_ = true;
    writable_ = writable;
}

} // namespace personality
