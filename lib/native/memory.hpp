// Addresses and mappings of the program's own half: ranges between heap_base and stack_base, handed out in units of 64 KiB.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "abi/start.hpp"
#include "lib/base/result.hpp"
#include "lib/native/handle.hpp"

namespace native {

inline constexpr std::uint64_t range_unit = 64 * 1024;

// Reserves addresses for at least `length` bytes, aligned to 64 KiB, from 2 MiB on to 2 MiB. Nothing is mapped. Errors: no_memory, bad_argument. Any thread.
base::Result<std::uint64_t> reserve_range(std::uint64_t length);
// Gives back what reserve_range gave. The caller has unmapped it.
void release_range(std::uint64_t address, std::uint64_t length);

// Rounded up to pages.
constexpr std::uint64_t page_round(std::uint64_t length) { return (length + abi::page_size - 1) & ~(abi::page_size - 1); }

// A mapping in the program's own half; unmaps when it goes.
class Mapping {
public:
    Mapping() = default;
    // Anonymous, demand-zero memory. Errors: no_memory.
    static base::Result<Mapping> anonymous(std::uint64_t length);
    // A shared view of [offset, offset + length) of a Memory; both page-aligned (the length is rounded up). `protection` from abi::protection. Errors: as space_map.
    static base::Result<Mapping> of(abi::Handle memory, std::uint64_t offset, std::uint64_t length, abi::Protection protection);
    // A Device, uncached; `length` bytes of it.
    static base::Result<Mapping> device(abi::Handle device, std::uint64_t length, abi::Protection protection);

    Mapping(Mapping&& other) noexcept : address_(std::exchange(other.address_, 0)), length_(std::exchange(other.length_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(address_, other.address_);
        std::swap(length_, other.length_);
        return *this;
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    explicit operator bool() const { return address_ != 0; }
    std::uint64_t address() const { return address_; }
    std::uint64_t length() const { return length_; }
    std::byte* data() const { return reinterpret_cast<std::byte*>(address_); }
    std::span<std::byte> bytes() const { return {data(), length_}; }
    template <class T> T* as(std::uint64_t offset = 0) const { return reinterpret_cast<T*>(address_ + offset); }
    void reset();

private:
    Mapping(std::uint64_t address, std::uint64_t length) : address_(address), length_(length) {}
    std::uint64_t address_ = 0;
    std::uint64_t length_ = 0;
};

// A Memory of the program's own with a mapping of all of it.
struct MappedMemory {
    Owned memory;
    Mapping mapping;

    // Charged to `quota`; flags: abi::memory_flag. Errors: no_memory.
    static base::Result<MappedMemory> create(abi::Handle quota, std::uint64_t size, std::uint32_t flags = 0);
};

// The size of a Memory in bytes.
base::Result<std::uint64_t> memory_size(abi::Handle memory);

} // namespace native
