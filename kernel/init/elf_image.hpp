// Reads the ELF64 headers of a native program and refuses everything that is not a plain static x86_64 executable inside the personality half.
// No architecture code and no heap, so the host tests and a fuzzer drive it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "abi/start.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace kernel {

struct ElfSegment {
    std::uint64_t address;     // of its first byte
    std::uint64_t memory_size; // bytes in memory, at least file_size
    std::uint64_t file_offset;
    std::uint64_t file_size;
    abi::Protection protection;

    std::uint64_t first_page() const { return address & ~(abi::page_size - 1); }
    std::uint64_t end_page() const { return (address + memory_size + abi::page_size - 1) & ~(abi::page_size - 1); }
};

// Layouts of the ELF-64 Object File Format, version 1.5.
class ElfImage {
public:
    static constexpr std::size_t max_segments = 16;

    // Errors: broken (not an ELF file, truncated, or contradictory), not_supported (a kind that natives may not be: dynamic, TLS, writable code, other machine).
    static base::Result<ElfImage> parse(std::span<const std::byte> file) {
        FileHeader header;
        if (file.size() < sizeof(header)) return std::unexpected(abi::Error::broken);
        std::memcpy(&header, file.data(), sizeof(header));
        if (std::memcmp(header.ident, "\x7f" "ELF", 4) != 0) return std::unexpected(abi::Error::broken);
        const bool is_64_bit_little_endian = header.ident[4] == 2 && header.ident[5] == 1;
        if (!is_64_bit_little_endian || header.machine != machine_x86_64 || header.type != type_executable) {
            return std::unexpected(abi::Error::not_supported);
        }
        if (header.program_entry_size != sizeof(ProgramHeader)) return std::unexpected(abi::Error::broken);
        const std::uint64_t table_bytes = std::uint64_t{header.program_count} * sizeof(ProgramHeader);
        if (!within(header.program_offset, table_bytes, file.size())) return std::unexpected(abi::Error::broken);

        ElfImage image;
        image.entry_ = header.entry;
        for (std::size_t i = 0; i < header.program_count; ++i) {
            ProgramHeader program;
            std::memcpy(&program, file.data() + header.program_offset + i * sizeof(program), sizeof(program));
            if (program.type == segment_tls || program.type == segment_interpreter) return std::unexpected(abi::Error::not_supported);
            if (program.type != segment_load || program.memory_size == 0) continue;
            TRY(image.add(program, file.size()));
        }
        if (!image.covers_entry()) return std::unexpected(abi::Error::broken);
        return image;
    }

    std::uint64_t entry() const { return entry_; }
    std::span<const ElfSegment> segments() const { return {segments_, count_}; }

private:
    static constexpr std::uint16_t machine_x86_64 = 62;
    static constexpr std::uint16_t type_executable = 2;
    static constexpr std::uint32_t segment_load = 1;
    static constexpr std::uint32_t segment_interpreter = 3;
    static constexpr std::uint32_t segment_tls = 7;

    struct FileHeader {
        unsigned char ident[16];
        std::uint16_t type, machine;
        std::uint32_t version;
        std::uint64_t entry, program_offset, section_offset;
        std::uint32_t flags;
        std::uint16_t header_size, program_entry_size, program_count, section_entry_size, section_count, section_names;
    };
    struct ProgramHeader {
        std::uint32_t type, flags;
        std::uint64_t offset, address, physical, file_size, memory_size, alignment;
    };
    static_assert(sizeof(FileHeader) == 64 && sizeof(ProgramHeader) == 56);

    static bool within(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
        return offset <= size && length <= size - offset;
    }

    base::Result<void> add(const ProgramHeader& program, std::uint64_t file_size) {
        if (count_ == max_segments) return std::unexpected(abi::Error::not_supported);
        if (program.file_size > program.memory_size || !within(program.offset, program.file_size, file_size)) {
            return std::unexpected(abi::Error::broken);
        }
        // Below the first stack: a program never overlaps what the creator maps beside it.
        if (program.address < abi::personality_base || program.address >= abi::heap_base ||
            program.memory_size > abi::heap_base - program.address) {
            return std::unexpected(abi::Error::broken);
        }
        ElfSegment segment{program.address, program.memory_size, program.offset, program.file_size, abi::protection::none};
        if (program.flags & 4) segment.protection |= abi::protection::read;
        if (program.flags & 2) segment.protection |= abi::protection::write;
        if (program.flags & 1) segment.protection |= abi::protection::execute;
        if ((segment.protection & abi::protection::write) && (segment.protection & abi::protection::execute)) {
            return std::unexpected(abi::Error::not_supported);
        }
        for (std::size_t i = 0; i < count_; ++i) {
            if (segment.first_page() < segments_[i].end_page() && segments_[i].first_page() < segment.end_page()) {
                return std::unexpected(abi::Error::broken);
            }
        }
        segments_[count_++] = segment;
        return {};
    }

    bool covers_entry() const {
        for (std::size_t i = 0; i < count_; ++i) {
            const ElfSegment& segment = segments_[i];
            if ((segment.protection & abi::protection::execute) && entry_ >= segment.address && entry_ - segment.address < segment.memory_size) {
                return true;
            }
        }
        return false;
    }

    std::uint64_t entry_ = 0;
    ElfSegment segments_[max_segments] = {};
    std::size_t count_ = 0;
};

} // namespace kernel
