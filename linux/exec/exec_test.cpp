#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <vector>

#include "linux/exec/elf_file.hpp"
#include "linux/exec/initial_stack.hpp"


namespace personality {
namespace {

std::vector<std::byte> read(const char* path) {
    std::ifstream stream(path, std::ios::binary);
    std::vector<char> text((std::istreambuf_iterator<char>(stream)), {});
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

LinuxResult<ElfFile> decode(std::span<const std::byte> bytes) {
    auto file = ElfFile::decode_header(bytes);
    if (!file)
        return file;
    if (file->table_offset() > bytes.size() || file->table_bytes() > bytes.size() - file->table_offset())
        return fail(Errno::ENOEXEC);
    if (const auto decoded = file->decode_segments(bytes.subspan(file->table_offset(), file->table_bytes())); !decoded)
        return fail(decoded.error());
    return file;
}

TEST(ElfFile, ReadsThisMachinesPrograms) {
    const auto bytes = read("/proc/self/exe");
    const auto file = decode(bytes);
    ASSERT_TRUE(file.has_value());
    EXPECT_TRUE(file->position_independent());
    EXPECT_GE(file->segments().size(), 2u);
    ASSERT_GT(file->interpreter_length(), 2u);
    const std::string_view name(reinterpret_cast<const char*>(bytes.data()) + file->interpreter_offset(), file->interpreter_length() - 1);
    EXPECT_TRUE(name.starts_with("/lib64/ld-linux")) << name;
    EXPECT_NE(file->program_headers_address(), 0u);
    EXPECT_LT(file->entry(), file->high());
}

// Whatever is changed or cut off, the answer is an error or a file whose segments lie in the guest half.
TEST(ElfFile, SurvivesDamage) {
    auto bytes = read("/proc/self/exe");
    bytes.resize(4096);
    for (std::size_t at = 0; at < 64 + 56 * 14 && at < bytes.size(); ++at)
        for (const unsigned value : {0u, 1u, 0x7fu, 0x80u, 0xffu}) {
            const std::byte before = bytes[at];
            bytes[at] = static_cast<std::byte>(value);
            if (const auto file = decode(bytes))
                for (const ElfSegment& segment : file->segments()) {
                    EXPECT_LE(segment.file_size, segment.memory_size);
                    EXPECT_LE(segment.address + segment.memory_size, 0x7ffffffff000u);
                }
            bytes[at] = before;
        }
    for (std::size_t size = 0; size < 2000; size += 7)
        (void)decode(std::span(bytes).first(size));
}

TEST(InitialStack, HasTheAbisLayout) {
    const std::string_view arguments[] = {"ls", "-l", "/tmp"}, environment[] = {"PATH=/bin", "HOME=/"};
    AuxiliaryEntry vector[] = {{auxiliary::page_size, 4096}, {auxiliary::random, 0}, {auxiliary::platform, 0}, {auxiliary::executable, 0}};
    constexpr std::uint64_t top = 0x7fffffff0000;
    const InitialStack stack(top, arguments, environment, vector, "/bin/ls");
    EXPECT_EQ(stack.pointer() % 16, 0u);
    std::vector<std::byte> bytes(stack.size());
    std::byte random[16];
    std::memset(random, 0xab, sizeof random);
    stack.write(bytes, random);
    const auto word = [&](std::size_t index) {
        std::uint64_t value;
        std::memcpy(&value, bytes.data() + index * 8, 8);
        return value;
    };
    const auto text = [&](std::uint64_t address) { return std::string(reinterpret_cast<const char*>(bytes.data()) + (address - stack.pointer())); };
    EXPECT_EQ(word(0), 3u);
    EXPECT_EQ(text(word(1)), "ls");
    EXPECT_EQ(text(word(3)), "/tmp");
    EXPECT_EQ(word(4), 0u);
    EXPECT_EQ(text(word(5)), "PATH=/bin");
    EXPECT_EQ(word(7), 0u);
    EXPECT_EQ(word(8), auxiliary::page_size);
    EXPECT_EQ(word(9), 4096u);
    EXPECT_EQ(word(10), auxiliary::random);
    EXPECT_EQ(std::memcmp(bytes.data() + (word(11) - stack.pointer()), random, 16), 0);
    EXPECT_EQ(text(word(13)), "x86_64");
    EXPECT_EQ(text(word(15)), "/bin/ls");
    EXPECT_EQ(word(16), auxiliary::end);
    EXPECT_EQ(stack.auxiliary_start(), stack.pointer() + 64);
    EXPECT_LT(word(15), top);
}

TEST(InitialStack, EmptyListsAreLegal) {
    AuxiliaryEntry vector[] = {{auxiliary::random, 0}};
    const InitialStack stack(0x10000, {}, {}, vector, "");
    std::vector<std::byte> bytes(stack.size());
    const std::byte random[16] = {};
    stack.write(bytes, random);
    EXPECT_EQ(stack.pointer() % 16, 0u);
}

} // namespace
} // namespace personality
