// Tar archives into EROFS images, read back with the reader that the personality uses.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "lib/erofs/image.hpp"
#include "services/common/tar_reader.hpp"
#include "services/images/erofs_writer.hpp"
#include "services/images/testing.hpp"

namespace images {
namespace {

using namespace testing;
using services::TarEntry;
using services::TarError;
using services::TarReader;

struct StringOutput : Output {
    std::string bytes;
    void write(const void* data, std::size_t size, std::uint64_t offset) override {
        bytes.resize(std::max<std::size_t>(bytes.size(), offset + size));
        std::memcpy(bytes.data() + offset, data, size);
    }
    void resize(std::uint64_t size) override { bytes.resize(size); }
    std::uint64_t size() const override { return bytes.size(); }
};

std::string image_of(const std::string& archive) {
    StringOutput output;
    TarReader tar(source(archive));
    ErofsWriter writer(output);
    TarEntry each;
    while (tar.next(each)) writer.add(each, tar);
    tar.drain();
    EXPECT_EQ(writer.finish(), output.bytes.size());
    return output.bytes;
}

struct Names : erofs::EntrySink {
    std::vector<std::string> names;
    bool entry(const erofs::Entry& entry) override {
        names.emplace_back(entry.name);
        return true;
    }
};

TEST(ErofsWriter, HoldsWhatTheArchiveHolds) {
    const std::string large(10000, 'x');
    const std::string bytes = image_of(entry("./", '5', "", "", 0755) + entry("bin/", '5', "", "", 0711) +
                                       entry("bin/a", '0', large, "", 04755) + entry("bin/b", '1', "", "bin/a") +
                                       entry("link", '2', "", "bin/a") + entry("deep/er/file", '0', "hi") +
                                       entry("empty", '0') + std::string(1024, '\0'));
    const auto image = erofs::Image::open(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(image);
    const auto file = image->resolve("/bin/a");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->mode, 0104755U);
    EXPECT_EQ(file->size, large.size());
    EXPECT_EQ(file->user, 1000U);
    EXPECT_EQ(file->group, 100U);
    EXPECT_EQ(file->links, 2U);
    EXPECT_EQ(file->modified_seconds, 1234U);
    EXPECT_TRUE(file->contiguous());
    EXPECT_EQ(file->data_offset % 4096, 0U);
    std::string read(large.size(), '\0');
    EXPECT_EQ(image->read(*file, 0, std::as_writable_bytes(std::span(read))), large.size());
    EXPECT_EQ(read, large);
    EXPECT_EQ(image->resolve("/bin/b")->id, file->id);
    const auto link = image->resolve("/link");
    ASSERT_TRUE(link && link->is_link());
    EXPECT_EQ(image->resolve("/deep/er/file")->size, 2U);
    EXPECT_EQ(image->resolve("/empty")->size, 0U);
    EXPECT_EQ(image->resolve("/bin")->mode, 040711U);
}

TEST(ErofsWriter, SplitsLargeDirectoriesInOrder) {
    std::string archive;
    for (int at = 0; at < 3000; ++at) archive += entry("d/name-" + std::to_string(at), '0');
    const std::string bytes = image_of(archive);
    const auto image = erofs::Image::open(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(image);
    Names names;
    ASSERT_TRUE(image->list(*image->resolve("/d"), names));
    EXPECT_EQ(names.names.size(), 3000U);
    EXPECT_TRUE(std::is_sorted(names.names.begin(), names.names.end()));
    EXPECT_TRUE(image->resolve("/d/name-0"));
    EXPECT_TRUE(image->resolve("/d/name-2999"));
    EXPECT_FALSE(image->resolve("/d/name-3000"));
}

TEST(ErofsWriter, TurnsWhiteoutsIntoDevices) {
    const std::string bytes = image_of(entry("d/.wh.gone", '0') + entry("d/.wh..wh..opq", '0'));
    const auto image = erofs::Image::open(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(image);
    const auto gone = image->resolve("/d/gone");
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->mode & 0170000U, 0020000U);
    EXPECT_EQ(gone->device, 0U);
    EXPECT_TRUE(image->resolve("/d/.wh..wh..opq"));
}

TEST(ErofsWriter, TakesLongNames) {
    const std::string name(200, 'n');
    const std::string pax = "path=" + name + "\n";
    const std::string record = std::to_string(pax.size() + 4) + " " + pax;
    for (const std::string& archive : {entry("././@LongLink", 'L', name + '\0') + entry("x", '0', "1"),
                                       entry("pax", 'x', record) + entry("x", '0', "1")}) {
        const std::string bytes = image_of(archive);
        const auto image = erofs::Image::open(std::as_bytes(std::span(bytes)));
        ASSERT_TRUE(image);
        EXPECT_TRUE(image->resolve("/" + name));
    }
}

TEST(ErofsWriter, RefusesWhatNoFileSystemCanHold) {
    std::string deep;
    for (int at = 0; at < 200; ++at) deep += "d/";
    for (const std::string& archive :
         {entry("../x", '0'), entry("a/../../x", '0'), entry("a", '0') + entry("a/b", '0'),
          entry("b", '1', "", "missing"), entry("l", '2'), entry("x", '9'), entry(".", '0', "x"), entry("d/.wh.", '0'),
          entry("a", '1', "", "../etc/passwd"), entry("a", '1', "", "/etc/passwd"),
          entry("d/", '5') + entry("e", '1', "", "d"), entry("l", '2', "", "/etc") + entry("l/passwd", '0', "x"),
          entry("l", '2', "", "/etc") + entry("a", '1', "", "l/passwd"),
          entry("x", 'L', std::string(300, 'n') + '\0') + entry("x", '0'),
          entry("x", 'L', deep + '\0') + entry("x", '0')})
        EXPECT_THROW(image_of(archive), ErofsError);
    for (const std::string& archive :
         {std::string("short"), std::string(512, 'x'), entry("x", '0', "12").substr(0, 513),
          entry("x", 'x', "9999 a=b\n"), entry("x", 'x', "nonsense"), entry("x", 'S'),
          entry("x", 'x', "22 GNU.sparse.major=1\n"), head("x", '0', std::uint64_t{1} << 62)})
        EXPECT_THROW(image_of(archive), TarError);
}

TEST(ErofsWriter, CountsTheNamesThatAreLeft) {
    const std::string bytes =
        image_of(entry("a", '0', "old") + entry("b", '1', "", "a") + entry("a", '0', "new!") +
                 entry("b", '1', "", "b") + entry("d/", '5') + entry("d/x", '0') + entry("d", '2', "", "a") +
                 entry(".wh..wh.plnk", '0') + entry(".wh.c", '1', "", "a"));
    const auto image = erofs::Image::open(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(image);
    EXPECT_EQ(image->resolve("/a")->links, 1U);
    EXPECT_EQ(image->resolve("/a")->size, 4U);
    EXPECT_EQ(image->resolve("/b")->links, 1U);
    EXPECT_EQ(image->resolve("/b")->size, 3U);
    EXPECT_TRUE(image->resolve("/d")->is_link());
    EXPECT_EQ(image->resolve("/c")->mode & 0170000U, 0020000U);
    EXPECT_FALSE(image->resolve("/.wh..wh.plnk"));
}

TEST(ErofsWriter, GivesTheSameBytesForTheSameArchive) {
    std::string archive;
    for (int at = 0; at < 100; ++at)
        archive +=
            entry("f" + std::to_string(at * 7919 % 100), '0', std::string(static_cast<std::size_t>(at * 577), 'x'));
    EXPECT_EQ(image_of(archive), image_of(archive));
}

// The reader of Linux' own tools finds nothing wrong.
TEST(ErofsWriter, PassesFsck) {
    if (std::system("command -v fsck.erofs >/dev/null") != 0) GTEST_SKIP() << "fsck.erofs is not installed";
    std::string archive = entry("./", '5', "", "", 0755) + entry("etc/", '5') + entry("etc/.wh.gone", '0') +
                          entry("etc/.wh..wh..opq", '0') + entry("large", '0', std::string(3 << 20, 'x')) +
                          entry("hard", '1', "", "large") + entry("link", '2', "", "etc") + entry("pipe", '6') +
                          entry("null", '3');
    for (int at = 0; at < 2000; ++at)
        archive += entry("many/file-" + std::to_string(at), '0', std::string(static_cast<std::size_t>(at), 'y'));
    const std::string path = ::testing::TempDir() + "layer.erofs";
    std::ofstream(path, std::ios::binary) << image_of(archive);
    EXPECT_EQ(std::system(("fsck.erofs --extract " + path + " >/dev/null 2>&1").c_str()), 0);
    std::remove(path.c_str());
}

// Damaged archives give an image that the reader opens, or an error; nothing else.
TEST(ErofsWriter, SurvivesDamage) {
    const std::string good = entry("bin/", '5', "", "", 0755) + entry("bin/a", '0', std::string(3000, 'x')) +
                             entry("b", '1', "", "bin/a") + entry("pax", 'x', "10 size=5\n") +
                             entry("c", '0', "12345") + entry("link", '2', "", "a");
    std::mt19937 random(1);
    int images = 0;
    for (int round = 0; round < 3000; ++round) {
        std::string archive = good;
        const std::size_t head = random() % (archive.size() / 512) * 512;
        for (int change = 0; change < 3; ++change) archive[head + random() % 512] = static_cast<char>(random());
        // A checksum that fits lets the damage through to the fields.
        set_checksum(archive.data() + head);
        if (round % 5 == 0) archive.resize(random() % archive.size());
        try {
            const std::string bytes = image_of(archive);
            EXPECT_TRUE(erofs::Image::open(std::as_bytes(std::span(bytes))));
            ++images;
        } catch (const TarError&) {
        } catch (const ErofsError&) {
        }
    }
    EXPECT_GT(images, 100);
}

} // namespace
} // namespace images
