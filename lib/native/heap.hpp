// The program's heap. operator new and delete of every kind lie on it; `new (std::nothrow)` gives null when the quota is exhausted, plain `new` ends the program.
#pragma once
#include <cstddef>
#include <cstdint>

namespace native::heap {

// Null where no memory is to be had. The alignment is a power of two, at most 32 KiB; the content is not cleared. Any thread.
void* allocate(std::size_t size, std::size_t alignment = 16);
// Takes null too.
void release(void* pointer);
// Bytes that an allocation can really hold: at least what was asked for.
std::size_t capacity(const void* pointer);

struct Figures {
    std::uint64_t span_bytes;  // address space in use by spans and large allocations
    std::uint64_t live_objects;
};
Figures figures();

} // namespace native::heap
