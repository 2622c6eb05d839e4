// What execve needs to know of an ELF file: decoded from its first bytes, with the checks that Linux makes (fs/binfmt_elf.c says ENOEXEC for what is no program
// of this machine, and EINVAL or ENOEXEC for what contradicts itself).
#pragma once
#include "abi/types.hpp"
#include "linux/core/errno.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace personality {

struct ElfSegment {
    std::uint64_t address = 0;     // as linked
    std::uint64_t file_offset = 0; // congruent to the address modulo the page size
    std::uint64_t file_size = 0;
    std::uint64_t memory_size = 0; // at least file_size
    abi::Protection protection = 0;
};

class ElfFile {
public:
    static constexpr std::size_t header_bytes = 64;
    static constexpr std::size_t max_segments = 64;
    static constexpr std::size_t max_program_headers = 128;
    static constexpr std::size_t program_header_bytes = 56;

    // `head`: the file's first bytes, at least header_bytes. Errors: ENOEXEC.
    static LinuxResult<ElfFile> decode_header(std::span<const std::byte> head);

    // Where the program headers lie in the file: read that many bytes and give them to decode_segments.
    std::uint64_t table_offset() const { return table_offset_; }
    std::size_t table_bytes() const { return program_headers_ * program_header_bytes; }

    // Errors: ENOEXEC (no segment, segments out of order or too many, sizes that wrap or leave the guest half).
    LinuxResult<void> decode_segments(std::span<const std::byte> table);

    bool position_independent() const { return position_independent_; }
    std::uint64_t entry() const { return entry_; }
    std::span<const ElfSegment> segments() const { return {segments_, segment_count_}; }
    // From the first segment's page to the last one's end.
    std::uint64_t low() const { return low_; }
    std::uint64_t high() const { return high_; }
    std::size_t program_headers() const { return program_headers_; }
    // Address of the program headers in memory, as linked; 0 where no segment holds them.
    std::uint64_t program_headers_address() const;
    // The name of the dynamic loader in the file; length 0 where there is none.
    std::uint64_t interpreter_offset() const { return interpreter_offset_; }
    std::size_t interpreter_length() const { return interpreter_length_; }
    bool executable_stack() const { return executable_stack_; }

private:
    LinuxResult<void> add_segment(const ElfSegment& segment);

    ElfSegment segments_[max_segments];
    std::size_t segment_count_ = 0;
    std::uint64_t entry_ = 0, low_ = 0, high_ = 0;
    std::uint64_t table_offset_ = 0;
    std::size_t program_headers_ = 0;
    std::uint64_t linked_headers_ = 0;
    std::uint64_t interpreter_offset_ = 0;
    std::size_t interpreter_length_ = 0;
    bool position_independent_ = false;
    bool executable_stack_ = false; // without PT_GNU_STACK x86_64 takes a stack that is not
};

} // namespace personality
