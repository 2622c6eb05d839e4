// A file that is written piece by piece, at any position.
#pragma once
#include <cstddef>
#include <cstdint>

namespace images {

class Output {
public:
    virtual ~Output() = default;
    // What lies between written pieces is zero. Throws where the file would grow beyond what its holder allows.
    virtual void write(const void* data, std::size_t size, std::uint64_t offset) = 0;
    // The file has this many bytes from now on.
    virtual void resize(std::uint64_t size) = 0;
    virtual std::uint64_t size() const = 0;
};

} // namespace images
