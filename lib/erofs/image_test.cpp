// Images made by mkfs.erofs, read back and compared; then damaged ones.
#include "lib/erofs/image.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace {

namespace fs = std::filesystem;

std::string content(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('a' + (i * 7 + i / 4096) % 26);
    return text;
}

class ErofsTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/erofs-test-XXXXXX";
        folder = ::mkdtemp(name);
        const fs::path root = folder / "tree";
        fs::create_directories(root / "bin");
        fs::create_directories(root / "many");
        for (const std::size_t size : {0ul, 1ul, 100ul, 4095ul, 4096ul, 4097ul, 8192ul, 100'000ul}) {
            files["/bin/f" + std::to_string(size)] = content(size);
            std::ofstream(root / "bin" / ("f" + std::to_string(size))) << content(size);
        }
        for (int i = 0; i < 700; ++i)
            std::ofstream(root / "many" / ("entry-with-a-rather-long-name-" + std::to_string(i))) << i;
        fs::create_symlink("bin/f100", root / "link");
        ::mkfifo((root / "fifo").c_str(), 0640);
        ::chmod((root / "bin/f1").c_str(), 04711);
    }
    void TearDown() override { fs::remove_all(folder); }

    std::vector<std::byte> make(const std::string& options) {
        const std::string image = (folder / "image").string();
        const std::string command = "mkfs.erofs --quiet -T1234567 " + options + " " + image + " " + (folder / "tree").string() + " >/dev/null 2>&1";
        if (std::system(command.c_str()) != 0)
            return {};
        std::ifstream file(image, std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        const auto* begin = reinterpret_cast<const std::byte*>(text.data());
        return {begin, begin + text.size()};
    }

    void check(const std::vector<std::byte>& bytes) {
        ASSERT_FALSE(bytes.empty()) << "mkfs.erofs is needed";
        const auto image = erofs::Image::open(bytes);
        ASSERT_TRUE(image);
        for (const auto& [path, text] : files) {
            const auto inode = image->resolve(path);
            ASSERT_TRUE(inode) << path;
            EXPECT_EQ(inode->size, text.size());
            EXPECT_TRUE(inode->is_regular());
            std::string got(text.size() + 10, '\0');
            const auto length = image->read(*inode, 0, std::as_writable_bytes(std::span(got)));
            ASSERT_TRUE(length);
            got.resize(*length);
            EXPECT_EQ(got, text) << path;
            if (text.size() > 50) {
                std::string part(20, '\0');
                EXPECT_EQ(*image->read(*inode, text.size() - 30, std::as_writable_bytes(std::span(part))), 20u);
                EXPECT_EQ(part, text.substr(text.size() - 30, 20));
            }
        }
        EXPECT_EQ(image->resolve("/bin/f1")->mode, 0104711u);
        EXPECT_EQ(image->resolve("/fifo")->mode & 0170000, 0010000u);
        EXPECT_EQ(image->resolve("/bin")->modified_seconds, 1234567u);
        const auto link = image->resolve("/link");
        ASSERT_TRUE(link);
        char target[16] = {};
        EXPECT_EQ(*image->read(*link, 0, std::as_writable_bytes(std::span(target))), 8u);
        EXPECT_STREQ(target, "bin/f100");
        EXPECT_EQ(image->resolve("/bin/none").error(), abi::Error::not_found);
        EXPECT_EQ(image->resolve("/bin/f100/x").error(), abi::Error::not_found);
        EXPECT_EQ(image->resolve("/link/x").error(), abi::Error::not_supported);

        struct Count final : erofs::EntrySink {
            std::map<std::string, int> seen;
            bool entry(const erofs::Entry& entry) override { return ++seen[std::string(entry.name)], true; }
        } count;
        ASSERT_TRUE(image->list(*image->resolve("/many"), count));
        EXPECT_EQ(count.seen.size(), 700u);
        EXPECT_EQ(count.seen["entry-with-a-rather-long-name-699"], 1);
    }

    fs::path folder;
    std::map<std::string, std::string> files;
};

// Reads everything that can be reached, with a bound: a damaged image may be full of circles.
struct Walk final : erofs::EntrySink {
    explicit Walk(const erofs::Image& image) : image(image) {}
    bool entry(const erofs::Entry& entry) override {
        if (++steps > 3000)
            return false;
        auto inode = image.inode(entry.node);
        std::byte buffer[512];
        if (inode)
            for (std::uint64_t at : {std::uint64_t{0}, inode->size / 2, inode->size - std::min<std::uint64_t>(inode->size, 100)})
                (void)image.read(*inode, at, buffer);
        if (inode && inode->is_directory() && ++depth < 6) {
            (void)image.list(*inode, *this);
            --depth;
        }
        return true;
    }
    const erofs::Image& image;
    int steps = 0, depth = 0;
};

} // namespace

TEST_F(ErofsTest, ReadsWithInlineTails) { check(make("")); }
TEST_F(ErofsTest, ReadsExtendedInodes) { check(make("-Eforce-inode-extended")); }
TEST_F(ErofsTest, ReadsCompactInodes) { check(make("-Eforce-inode-compact")); }

TEST_F(ErofsTest, RefusesWhatItCannotRead) {
    EXPECT_EQ(erofs::Image::open({}).error(), abi::Error::broken);
    std::vector<std::byte> zeroes(8192);
    EXPECT_EQ(erofs::Image::open(zeroes).error(), abi::Error::broken);
    auto bytes = make("");
    bytes[1024 + 80] = std::byte{0x04}; // chunked files
    EXPECT_EQ(erofs::Image::open(bytes).error(), abi::Error::not_supported);
}

TEST_F(ErofsTest, DamageNeverLeadsOutOfTheImage) {
    const auto good = make("");
    ASSERT_FALSE(good.empty());
    std::mt19937_64 random(1);
    for (int round = 0; round < 1500; ++round) {
        // A vector of exactly the image's size, so that AddressSanitizer sees every step out of it.
        std::vector<std::byte> bytes(good);
        if (random() % 4 == 0) {
            bytes.resize(random() % bytes.size());
            bytes.shrink_to_fit();
        }
        const std::size_t reach = random() % 2 ? bytes.size() : std::min<std::size_t>(bytes.size(), 12'000);
        for (int i = 0; i < 40 && reach > 1024; ++i)
            bytes[1024 + random() % (reach - 1024)] = static_cast<std::byte>(random());
        const auto image = erofs::Image::open(bytes);
        if (!image)
            continue;
        Walk walk(*image);
        if (auto root = image->inode(image->root()); root)
            (void)image->list(*root, walk);
    }
}
