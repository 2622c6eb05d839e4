// Reads tar archives (ustar, GNU long names, pax) from a stream. Every byte is hostile.
#pragma once
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace services {

// Up to `size` bytes into `buffer`, 0 at the end.
using ByteSource = std::function<std::size_t(char* buffer, std::size_t size)>;

class TarError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct TarEntry {
    enum class Type { regular, hard_link, link, character, block, directory, fifo, other };
    Type type = Type::regular;
    std::string path;       // as in the archive
    std::string target;     // of links
    std::uint32_t mode = 0; // permission bits
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::uint32_t major = 0; // of devices
    std::uint32_t minor = 0;
    std::uint64_t size = 0;    // of what follows; 0 but for regular files
    std::int64_t modified = 0; // seconds since 1970
};

class TarReader {
public:
    explicit TarReader(ByteSource source) : source_(std::move(source)) {}

    // The next entry; what was not read of the last one is skipped. False at the end. Throws TarError.
    bool next(TarEntry& entry);
    // Bytes of the entry, 0 at its end.
    std::size_t read(char* buffer, std::size_t size);
    // Reads the source to its end: what follows the end of the archive belongs to its digest.
    void drain();

private:
    struct Extended {
        std::string path;
        std::string target;
        std::uint64_t size = 0, user = 0, group = 0;
        std::int64_t modified = 0;
        bool has_size = false, has_user = false, has_group = false, has_modified = false;
    };
    bool read_block(char* block);
    void read_exactly(char* buffer, std::size_t size);
    std::string read_text();
    void read_pax(Extended& extended);

    ByteSource source_;
    std::uint64_t left_ = 0;    // bytes of the entry
    std::uint64_t padding_ = 0; // after them
    Extended global_;
};

// Whether a block of 512 bytes can be the head of an entry.
bool is_tar_head(const char* block);

} // namespace services
