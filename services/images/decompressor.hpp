// Gzip (RFC 1952) and zstd (RFC 8878) streams, told from plain ones by how they begin. Every byte is hostile.
#pragma once
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "services/common/tar_reader.hpp"

namespace images {

class CompressionError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Whether bytes begin a gzip member or a zstd frame; four are enough.
bool is_compressed(std::string_view head);

// Reads a stream, decompressed where it is compressed. Members and frames may follow each other; what follows them must
// be another one.
class Decompressor {
public:
    // Never gives more than `limit` bytes of a compressed stream: a few bytes can stand for any number.
    Decompressor(services::ByteSource source, std::uint64_t limit);
    ~Decompressor();

    // Up to `size` bytes, 0 at the end. Throws CompressionError.
    std::size_t read(char* buffer, std::size_t size);
    // Known after the first read.
    bool compressed() const { return codec_ != nullptr; }

private:
    class Codec;
    class Gzip;
    class Zstd;
    bool fill();
    std::size_t read_plain(char* buffer, std::size_t size);

    services::ByteSource source_;
    std::uint64_t left_;
    std::string input_;
    std::size_t begin_ = 0, end_ = 0; // of what lies in the input
    bool begun_ = false;
    bool source_ended_ = false;
    std::unique_ptr<Codec> codec_; // of compressed streams
    bool ended_ = false;           // between two members or frames
    bool pending_ = false;         // the codec may have more output
};

} // namespace images
