// What stat tells about a file, before it is laid out as struct stat or struct statx.
#pragma once
#include <cstdint>

namespace personality {

struct Timestamp {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
};

// The wall clock, for the times of files.
Timestamp file_time_now();

struct KernelStat {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint32_t mode = 0; // type and permissions
    std::uint32_t links = 1;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::uint64_t special_device = 0;
    std::uint64_t size = 0;
    std::uint32_t block_size = 4096;
    std::uint64_t blocks = 0; // of 512 bytes
    Timestamp accessed, modified, changed, created;
};

} // namespace personality
