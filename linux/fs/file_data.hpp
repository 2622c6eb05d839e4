// The bytes of a file in RAM: small files lie in the personality's heap, larger or mapped ones in a kernel Memory of their own.
#pragma once
#include "linux/core/file.hpp"

namespace personality {

// Sandbox lock.
class FileData {
public:
    FileData() = default;
    FileData(const FileData&) = delete;
    FileData& operator=(const FileData&) = delete;
    ~FileData();

    std::uint64_t size() const { return size_; }
    // Bytes of memory in use.
    std::uint64_t allocated() const;
    std::size_t read(std::uint64_t offset, std::span<std::byte> to) const;
    // Grows the file as needed. Errors: ENOSPC, EFBIG.
    LinuxResult<void> write(std::uint64_t offset, std::span<const std::byte> from);
    LinuxResult<void> resize(std::uint64_t size);
    LinuxResult<void> clear_range(std::uint64_t offset, std::uint64_t length);
    // Moves the bytes into a Memory where they are not in one yet; from then on its size follows the file's exactly, so that pages past the end do not exist.
    LinuxResult<abi::Handle> memory();
    // Takes over `memory` as the contents; `writable` false makes every change fail with EPERM.
    void adopt(abi::Handle memory, std::uint64_t size, bool writable);
    bool writable() const { return writable_; }

private:
    LinuxResult<void> reserve(std::uint64_t size);
    LinuxResult<void> move_to_memory(std::uint64_t capacity);
    LinuxResult<void> zero(std::uint64_t offset, std::uint64_t length);

    std::byte* inline_ = nullptr; // while memory_ is none
    abi::Handle memory_ = abi::no_handle;
    std::uint64_t capacity_ = 0; // bytes behind inline_ or memory_; all past size_ are zero in a Memory
    std::uint64_t size_ = 0;
    bool exact_ = false;
    bool writable_ = true;
};

} // namespace personality
