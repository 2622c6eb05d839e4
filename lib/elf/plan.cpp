#include "lib/elf/plan.hpp"

#include <cstring>

namespace elf {

namespace {

constexpr std::uint16_t machine_x86_64 = 62;
constexpr std::uint16_t type_executable = 2;
constexpr std::uint32_t segment_load = 1;
constexpr std::uint32_t segment_dynamic = 2;
constexpr std::uint32_t segment_interpreter = 3;
constexpr std::uint32_t segment_tls = 7;

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

bool within(std::uint64_t offset, std::uint64_t length, std::uint64_t size) { return offset <= size && length <= size - offset; }

base::Result<void> add(Plan& plan, const ProgramHeader& program, std::uint64_t file_size, const Limits& limits) {
    if (plan.count == max_segments)
        return std::unexpected(abi::Error::not_supported);
    if (program.file_size > program.memory_size || !within(program.offset, program.file_size, file_size))
        return std::unexpected(abi::Error::broken);
    if (program.address < limits.low || program.address >= limits.high || program.memory_size > limits.high - program.address)
        return std::unexpected(abi::Error::broken);
    // Pages of the file are mapped as they are, so both must have the same place in a page.
    if (program.address % abi::page_size != program.offset % abi::page_size)
        return std::unexpected(abi::Error::not_supported);
    Segment segment{program.address, program.memory_size, program.offset, program.file_size, abi::protection::none};
    if (program.flags & 4)
        segment.protection |= abi::protection::read;
    if (program.flags & 2)
        segment.protection |= abi::protection::write;
    if (program.flags & 1)
        segment.protection |= abi::protection::execute;
    if (segment.writable() && (segment.protection & abi::protection::execute) != 0)
        return std::unexpected(abi::Error::not_supported);
    for (const Segment& other : plan.all())
        if (segment.first_page() < other.end_page() && other.first_page() < segment.end_page())
            return std::unexpected(abi::Error::broken);
    plan.segments[plan.count++] = segment;
    return {};
}

bool covers_entry(const Plan& plan) {
    for (const Segment& segment : plan.all())
        if ((segment.protection & abi::protection::execute) != 0 && plan.entry >= segment.address && plan.entry - segment.address < segment.file_size)
            return true;
    return false;
}

} // namespace

std::uint64_t Segment::file_pages_end() const {
    if (file_size == 0)
        return first_page();
    const std::uint64_t end = address + file_size;
    // Without zero-initialised data the last page shows what follows in the file, as every loader does.
    if (file_size == memory_size)
        return end_page();
    return end & ~(abi::page_size - 1);
}

base::Result<Plan> make_plan(std::span<const std::byte> head, std::uint64_t file_size, const Limits& limits) {
    FileHeader header;
    if (head.size() < sizeof header || file_size < head.size())
        return std::unexpected(abi::Error::broken);
    std::memcpy(&header, head.data(), sizeof header);
    if (std::memcmp(header.ident, "\x7f" "ELF", 4) != 0)
        return std::unexpected(abi::Error::broken);
    const bool little_endian_64 = header.ident[4] == 2 && header.ident[5] == 1 && header.ident[6] == 1;
    if (!little_endian_64 || header.machine != machine_x86_64 || header.type != type_executable)
        return std::unexpected(abi::Error::not_supported);
    if (header.program_entry_size != sizeof(ProgramHeader))
        return std::unexpected(abi::Error::broken);
    const std::uint64_t table = std::uint64_t{header.program_count} * sizeof(ProgramHeader);
    if (!within(header.program_offset, table, file_size))
        return std::unexpected(abi::Error::broken);
    if (!within(header.program_offset, table, head.size()))
        return std::unexpected(abi::Error::not_supported);

    Plan plan;
    plan.entry = header.entry;
    for (std::size_t i = 0; i < header.program_count; ++i) {
        ProgramHeader program;
        std::memcpy(&program, head.data() + header.program_offset + i * sizeof program, sizeof program);
        if (program.type == segment_tls || program.type == segment_interpreter || program.type == segment_dynamic)
            return std::unexpected(abi::Error::not_supported);
        if (program.type == segment_load && program.memory_size != 0)
            TRY(add(plan, program, file_size, limits));
    }
    if (!covers_entry(plan))
        return std::unexpected(abi::Error::broken);
    return plan;
}

} // namespace elf
