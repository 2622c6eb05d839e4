#include "kernel/init/elf_image.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace kernel {
namespace {

// The smallest good file: one segment of code.
std::vector<std::byte> good_file() {
    std::vector<std::byte> file(8192);
    const auto put = [&](std::size_t at, auto value) { std::memcpy(file.data() + at, &value, sizeof(value)); };
    std::memcpy(file.data(), "\x7f" "ELF\x02\x01\x01", 7);
    put(16, std::uint16_t{2});
    put(18, std::uint16_t{62});
    put(24, std::uint64_t{abi::program_base + 16});
    put(32, std::uint64_t{64});
    put(54, std::uint16_t{56});
    put(56, std::uint16_t{1});
    put(64, std::uint32_t{1});
    put(68, std::uint32_t{5});
    put(72, std::uint64_t{4096});
    put(80, std::uint64_t{abi::program_base});
    put(96, std::uint64_t{100});
    put(104, std::uint64_t{5000});
    return file;
}

template <class T>
base::Result<ElfImage> with(std::size_t at, T value) {
    auto file = good_file();
    std::memcpy(file.data() + at, &value, sizeof(value));
    return ElfImage::parse(file);
}

TEST(ElfImage, ReadsAGoodFile) {
    const auto image = ElfImage::parse(good_file());
    ASSERT_TRUE(image);
    EXPECT_EQ(image->entry(), abi::program_base + 16);
    ASSERT_EQ(image->segments().size(), 1u);
    EXPECT_EQ(image->segments()[0].end_page(), abi::program_base + 8192);
    EXPECT_EQ(image->segments()[0].protection, abi::protection::read | abi::protection::execute);
}

TEST(ElfImage, RefusesWhatItIsNot) {
    EXPECT_FALSE(ElfImage::parse({}));
    EXPECT_FALSE(with(0, 'x'));
    EXPECT_FALSE(with(4, '\x01'));                       // 32 bits
    EXPECT_FALSE(with(16, std::uint16_t{3}));            // dynamic
    EXPECT_FALSE(with(18, std::uint16_t{183}));          // another machine
    EXPECT_FALSE(with(24, std::uint64_t{0x1000}));       // entry outside
    EXPECT_FALSE(with(32, UINT64_MAX - 10));             // table outside
    EXPECT_FALSE(with(56, std::uint16_t{0xffff}));
    EXPECT_FALSE(with(64, std::uint32_t{7}));            // TLS
    EXPECT_FALSE(with(68, std::uint32_t{7}));            // writable code
    EXPECT_FALSE(with(72, UINT64_MAX - 50));             // content outside
    EXPECT_FALSE(with(80, std::uint64_t{0x400000}));     // guest half
    EXPECT_FALSE(with(80, abi::stack_base));
    EXPECT_FALSE(with(96, std::uint64_t{6000}));         // more in the file than in memory
    EXPECT_FALSE(with(104, UINT64_MAX));
}

TEST(ElfImage, NeverReadsOutsideWhateverTheFileSays) {
    std::mt19937 random(3);
    for (int i = 0; i < 20000; ++i) {
        auto file = good_file();
        file.resize(64 + random() % 512);
        for (int change = 0; change < 4; ++change) file[random() % file.size()] = static_cast<std::byte>(random());
        (void)ElfImage::parse(file);
    }
}

} // namespace
} // namespace kernel
