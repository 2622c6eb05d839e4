#include "linux/exec/elf_file.hpp"

#include "abi/start.hpp"

#include <cstring>

namespace personality {

namespace {

// System V ABI, ELF-64.
struct FileHeader {
    unsigned char identity[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_offset, section_offset;
    std::uint32_t flags;
    std::uint16_t header_size, program_size, program_count, section_size, section_count, names;
};
static_assert(sizeof(FileHeader) == ElfFile::header_bytes);

struct ProgramHeader {
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == ElfFile::program_header_bytes);

constexpr std::uint16_t type_executable = 2, type_shared = 3, machine_x86_64 = 62;
constexpr std::uint32_t segment_load = 1, segment_interpreter = 3, segment_headers = 6, segment_stack = 0x6474e551;
constexpr std::size_t longest_path = 4096;
constexpr std::uint64_t page_mask = abi::page_size - 1;

} // namespace

LinuxResult<ElfFile> ElfFile::decode_header(std::span<const std::byte> head) {
    FileHeader header;
    if (head.size() < sizeof header)
        return fail(Errno::ENOEXEC);
    std::memcpy(&header, head.data(), sizeof header);
    if (std::memcmp(header.identity, "\x7f" "ELF", 4) != 0 || header.identity[4] != 2 || header.identity[5] != 1)
        return fail(Errno::ENOEXEC);
    if ((header.type != type_executable && header.type != type_shared) || header.machine != machine_x86_64)
        return fail(Errno::ENOEXEC);
    if (header.program_size != sizeof(ProgramHeader) || header.program_count == 0 || header.program_count > max_program_headers)
        return fail(Errno::ENOEXEC);
    ElfFile file;
    file.position_independent_ = header.type == type_shared;
    file.entry_ = header.entry;
    file.table_offset_ = header.program_offset;
    file.program_headers_ = header.program_count;
    if (header.program_offset > UINT64_MAX - file.table_bytes())
        return fail(Errno::ENOEXEC);
    return file;
}

LinuxResult<void> ElfFile::add_segment(const ElfSegment& segment) {
    if (segment_count_ == max_segments || segment.memory_size < segment.file_size)
        return fail(Errno::ENOEXEC);
    if (segment.address > abi::guest_end || segment.memory_size > abi::guest_end - segment.address)
        return fail(Errno::ENOEXEC);
    if (segment.file_offset > UINT64_MAX - segment.file_size || ((segment.file_offset ^ segment.address) & page_mask) != 0)
        return fail(Errno::ENOEXEC);
    // In order of address, as the ABI demands: what follows maps them one by one.
    if (segment_count_ > 0 && segment.address < segments_[segment_count_ - 1].address)
        return fail(Errno::ENOEXEC);
    const std::uint64_t end = segment.address + segment.memory_size;
    if (segment_count_ == 0)
        low_ = segment.address & ~page_mask;
    if (end > high_)
        high_ = end;
    segments_[segment_count_++] = segment;
    return {};
}

LinuxResult<void> ElfFile::decode_segments(std::span<const std::byte> table) {
    if (table.size() < table_bytes())
        return fail(Errno::ENOEXEC);
    for (std::size_t i = 0; i < program_headers_; ++i) {
        ProgramHeader header;
        std::memcpy(&header, table.data() + i * sizeof header, sizeof header);
        switch (header.type) {
        case segment_load: {
            if (header.memory_size == 0)
                break;
            // PF_X 1, PF_W 2, PF_R 4
            const abi::Protection protection = ((header.flags & 4) != 0 ? abi::protection::read : 0) | ((header.flags & 2) != 0 ? abi::protection::write : 0) |
                                               ((header.flags & 1) != 0 ? abi::protection::execute : 0);
            const auto added = add_segment({header.address, header.offset, header.file_size, header.memory_size, protection});
            if (!added)
                return added;
            break;
        }
        case segment_interpreter:
            // The first one counts. With its NUL.
            if (interpreter_length_ != 0)
                break;
            if (header.file_size < 2 || header.file_size > longest_path)
                return fail(Errno::ENOEXEC);
            interpreter_offset_ = header.offset;
            interpreter_length_ = header.file_size;
            break;
        case segment_headers:
            linked_headers_ = header.address;
            break;
        case segment_stack:
            executable_stack_ = (header.flags & 1) != 0;
            break;
        default:
            break;
        }
    }
    if (segment_count_ == 0)
        return fail(Errno::ENOEXEC);
    return {};
}

std::uint64_t ElfFile::program_headers_address() const {
    if (linked_headers_ != 0)
        return linked_headers_;
    for (const ElfSegment& segment : segments())
        if (table_offset_ >= segment.file_offset && table_offset_ - segment.file_offset < segment.file_size)
            return segment.address + (table_offset_ - segment.file_offset);
    return 0;
}

} // namespace personality
