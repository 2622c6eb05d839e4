#include "lib/elf/plan.hpp"

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace {

constexpr elf::Limits limits{0xffff'8000'0000'0000, 0xffff'8010'0000'0000};
constexpr std::uint64_t start = 0xffff'8000'0020'0000;

struct Program {
    std::uint32_t type = 1, flags = 5;
    std::uint64_t offset = 0, address = start, physical = start, file_size = 0x1234, memory_size = 0x1234, alignment = 4096;
};

// A small executable: text with the entry, and data with zeroes behind it.
class Image {
public:
    Image() {
        programs.push_back({});
        Program data;
        data.flags = 6, data.offset = 0x2100, data.address = start + 0x2100, data.file_size = 0x80, data.memory_size = 0x5000;
        programs.push_back(data);
    }
    std::vector<std::byte> bytes() const {
        std::vector<std::byte> file(0x3000);
        auto put = [&](std::size_t at, auto value) { std::memcpy(file.data() + at, &value, sizeof value); };
        std::memcpy(file.data(), "\x7f" "ELF\2\1\1", 7);
        put(16, type), put(18, machine), put(20, std::uint32_t{1}), put(24, entry), put(32, table), put(52, std::uint16_t{64});
        put(54, std::uint16_t{56}), put(56, static_cast<std::uint16_t>(programs.size()));
        for (std::size_t i = 0; i < programs.size() && 64 + (i + 1) * 56 <= file.size(); ++i)
            std::memcpy(file.data() + 64 + i * 56, &programs[i], 56);
        return file;
    }
    base::Result<elf::Plan> plan() const {
        const auto file = bytes();
        return elf::make_plan(std::span(file).first(elf::header_bytes), file.size(), limits);
    }
    std::uint16_t type = 2, machine = 62;
    std::uint64_t entry = start + 0x100, table = 64;
    std::vector<Program> programs;
};

abi::Error error_of(const Image& image) {
    auto plan = image.plan();
    return plan ? abi::Error{} : plan.error();
}

} // namespace

TEST(ElfPlan, AcceptsAStaticProgram) {
    const auto plan = Image().plan();
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->count, 2u);
    EXPECT_EQ(plan->entry, start + 0x100);
    EXPECT_EQ(plan->segments[0].file_pages_end(), start + 0x2000);
    EXPECT_EQ(plan->segments[1].first_page(), start + 0x2000);
    EXPECT_EQ(plan->segments[1].file_pages_end(), start + 0x2000);
    EXPECT_EQ(plan->segments[1].end_page(), start + 0x8000);
}

TEST(ElfPlan, RefusesWhatItMust) {
    Image image;
    image.type = 3;
    EXPECT_EQ(error_of(image), abi::Error::not_supported);
    image = Image(), image.machine = 183;
    EXPECT_EQ(error_of(image), abi::Error::not_supported);
    image = Image(), image.entry = start + 0x2100;
    EXPECT_EQ(error_of(image), abi::Error::broken);
    image = Image(), image.table = 0x2ff0;
    EXPECT_EQ(error_of(image), abi::Error::broken);
    image = Image(), image.programs[1].flags = 7;
    EXPECT_EQ(error_of(image), abi::Error::not_supported);
    image = Image(), image.programs[1].address = start + 0x1100;
    EXPECT_EQ(error_of(image), abi::Error::broken) << "overlap";
    image = Image(), image.programs[1].memory_size = UINT64_MAX;
    EXPECT_EQ(error_of(image), abi::Error::broken);
    image = Image(), image.programs[1].offset = UINT64_MAX - 0xeff;
    EXPECT_EQ(error_of(image), abi::Error::broken);
    image = Image(), image.programs[1].address = 0x40'0100;
    EXPECT_EQ(error_of(image), abi::Error::broken) << "outside the half";
    image = Image(), image.programs[1].address += 8;
    EXPECT_EQ(error_of(image), abi::Error::not_supported) << "not congruent";
    image = Image(), image.programs[1].type = 7;
    EXPECT_EQ(error_of(image), abi::Error::not_supported);
    image = Image(), image.programs[1].type = 3;
    EXPECT_EQ(error_of(image), abi::Error::not_supported);
}

TEST(ElfPlan, GarbageNeverLeadsOutOfBounds) {
    std::mt19937_64 random(1);
    const auto good = Image().bytes();
    for (int round = 0; round < 200'000; ++round) {
        auto file = good;
        for (int i = 0; i < 4; ++i)
            file[random() % 192] = static_cast<std::byte>(random());
        auto plan = elf::make_plan(std::span(file).first(elf::header_bytes), file.size(), limits);
        if (!plan)
            continue;
        for (const auto& segment : plan->all()) {
            ASSERT_LE(segment.file_offset + segment.file_size, file.size());
            ASSERT_GE(segment.address, limits.low);
            ASSERT_LE(segment.end_page(), limits.high);
            ASSERT_LE(segment.file_pages_end(), segment.end_page());
        }
    }
}
