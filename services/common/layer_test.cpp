// Tar archives into EROFS images, read back with the reader that the personality uses.
#include <cstring>
#include <random>
#include <sys/mman.h>

#include <gtest/gtest.h>

#include "lib/erofs/image.hpp"
#include "services/common/erofs_writer.hpp"
#include "services/common/tar_reader.hpp"
#include "services/common/unique_fd.hpp"

namespace services {
namespace {

std::string entry(const std::string& name, char type, const std::string& content = "", const std::string& target = "",
                  unsigned mode = 0644) {
    std::string head(512, '\0');
    name.copy(head.data(), 100);
    std::snprintf(head.data() + 100, 8, "%07o", mode);
    std::snprintf(head.data() + 108, 8, "%07o", 1000U);
    std::snprintf(head.data() + 116, 8, "%07o", 100U);
    std::snprintf(head.data() + 124, 12, "%011zo", content.size());
    std::snprintf(head.data() + 136, 12, "%011o", 1234U);
    head[156] = type;
    target.copy(head.data() + 157, 100);
    std::memcpy(head.data() + 257,
                "ustar\0"
                "00",
                8);
    std::memset(head.data() + 148, ' ', 8);
    unsigned sum = 0;
    for (const char byte : head) sum += static_cast<unsigned char>(byte);
    std::snprintf(head.data() + 148, 8, "%06o", sum);
    std::string padded = content;
    padded.resize((content.size() + 511) / 512 * 512);
    return head + padded;
}

ByteSource source(const std::string& bytes, std::size_t piece = 1000) {
    return [&bytes, at = std::size_t{0}, piece](char* buffer, std::size_t size) mutable {
        size = std::min({size, piece, bytes.size() - at});
        std::memcpy(buffer, bytes.data() + at, size);
        at += size;
        return size;
    };
}

std::string image_of(const std::string& archive) {
    const UniqueFd file(::memfd_create("layer", MFD_CLOEXEC));
    TarReader tar(source(archive));
    ErofsWriter writer(file.get(), 64 << 20);
    TarEntry each;
    while (tar.next(each)) writer.add(each, tar);
    tar.drain();
    std::string image(writer.finish(), '\0');
    EXPECT_EQ(::pread(file.get(), image.data(), image.size(), 0), static_cast<ssize_t>(image.size()));
    return image;
}

struct Names : erofs::EntrySink {
    std::vector<std::string> names;
    bool entry(const erofs::Entry& entry) override {
        names.emplace_back(entry.name);
        return true;
    }
};

TEST(Layer, HoldsWhatTheArchiveHolds) {
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

TEST(Layer, SplitsLargeDirectoriesInOrder) {
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

TEST(Layer, TurnsWhiteoutsIntoDevices) {
    const std::string bytes = image_of(entry("d/.wh.gone", '0') + entry("d/.wh..wh..opq", '0'));
    const auto image = erofs::Image::open(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(image);
    const auto gone = image->resolve("/d/gone");
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->mode & 0170000U, 0020000U);
    EXPECT_EQ(gone->device, 0U);
    EXPECT_TRUE(image->resolve("/d/.wh..wh..opq"));
}

TEST(Layer, TakesLongNames) {
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

TEST(Layer, RefusesWhatNoFileSystemCanHold) {
    for (const std::string& archive :
         {entry("../x", '0'), entry("a/../../x", '0'), entry("a", '0') + entry("a/b", '0'),
          entry("b", '1', "", "missing"), entry("l", '2'), entry("x", '9'), entry(".", '0', "x"), entry("d/.wh.", '0')})
        EXPECT_THROW(image_of(archive), ErofsError);
    for (const std::string& archive :
         {std::string("short"), std::string(512, 'x'), entry("x", '0', "12").substr(0, 513),
          entry("x", 'x', "9999 a=b\n"), entry("x", 'x', "nonsense")})
        EXPECT_THROW(image_of(archive), TarError);
}

// Damaged archives give an image that the reader opens, or an error; nothing else.
TEST(Layer, SurvivesDamage) {
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
        std::memset(archive.data() + head + 148, ' ', 8);
        unsigned sum = 0;
        for (std::size_t at = 0; at < 512; ++at) sum += static_cast<unsigned char>(archive[head + at]);
        std::snprintf(archive.data() + head + 148, 8, "%06o", sum);
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
} // namespace services
