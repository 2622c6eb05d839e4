// The store as a whole: what is loaded is there, and of what is refused nothing is left.
#include "services/images/store.hpp"

#include <filesystem>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/erofs/image.hpp"
#include "services/common/digest.hpp"
#include "services/images/testing.hpp"

namespace images {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t capacity = 4 << 20;

std::string layer(const std::string& name, std::size_t size = 5000) {
    return entry(name, '0', std::string(size, name[0])) + end_mark;
}

std::ptrdiff_t open_files() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

class StoreTest : public ::testing::Test {
protected:
    StoreTest() {
        auto blobs = std::make_unique<MemoryBlobs>(capacity);
        blobs_ = blobs.get();
        store_ = std::make_unique<Store>(std::move(blobs));
    }
    std::vector<std::string> load(const std::string& bytes) { return store_->load(source(bytes, 5000)); }
    std::string refusal(const std::string& bytes) {
        const auto files = open_files();
        const auto used = blobs_->used();
        const auto count = store_->list().size();
        std::string why = "none";
        try {
            load(bytes);
        } catch (const ImageError& error) {
            EXPECT_EQ(error.status, 400);
            why = error.what();
            EXPECT_EQ(open_files(), files);
            EXPECT_EQ(blobs_->used(), used);
            EXPECT_EQ(store_->list().size(), count);
        }
        return why;
    }
    std::string content(const std::string& diff_id) {
        const services::UniqueFd fd(store_->open_layer(diff_id));
        std::string bytes(capacity, '\0');
        bytes.resize(static_cast<std::size_t>(::pread(fd.get(), bytes.data(), bytes.size(), 0)));
        return bytes;
    }
    MemoryBlobs* blobs_;
    std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, LoadsEveryForm) {
    const std::vector<std::string> layers = {layer("a"), layer("b")};
    Layout layout;
    const auto manifest = layout.manifest(layers, {gzip(layers[0]), zstd(layers[1])});
    const std::string plain = saved(layers, layers);
    const std::string id = services::sha256_of(configuration(layers));
    EXPECT_THAT(load(plain), ElementsAre("test:1"));
    const std::string image = content(services::sha256_of(layers[0]));
    for (const std::string& bytes :
         {saved(layers, {gzip(layers[0]), zstd(layers[1])}), layout.finish({manifest}), gzip(plain), zstd(plain)}) {
        store_->remove(id, true, {});
        EXPECT_EQ(blobs_->used(), 0U);
        EXPECT_EQ(load(bytes).size(), 1U);
        EXPECT_EQ(store_->list().at(0).id, id);
        // However it came, the layer is the same.
        EXPECT_EQ(content(services::sha256_of(layers[0])), image);
    }
    const auto reader = erofs::Image::open(std::as_bytes(std::span(image)));
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->resolve("/a")->size, 5000U);
}

TEST_F(StoreTest, KeepsSharedLayersUntilTheLastImageGoes) {
    load(saved({layer("a"), layer("b")}, {layer("a"), layer("b")}, "one"));
    const auto used = blobs_->used();
    load(saved({layer("a")}, {layer("a")}, "two"));
    EXPECT_EQ(blobs_->used(), used);
    EXPECT_EQ(store_->remove("one", false, {}).deleted.size(), 2U);
    EXPECT_NE(content(services::sha256_of(layer("a"))), "");
    EXPECT_EQ(store_->remove("two", false, {}).deleted.size(), 2U);
    EXPECT_EQ(blobs_->used(), 0U);
    EXPECT_THROW(store_->open_layer(services::sha256_of(layer("a"))), ImageError);
}

TEST_F(StoreTest, LoadsTheSameImageTwice) {
    const std::string bytes = saved({layer("a"), layer("a")}, {layer("a"), layer("a")});
    load(bytes);
    const auto used = blobs_->used();
    load(bytes);
    EXPECT_EQ(blobs_->used(), used);
    EXPECT_EQ(store_->list().size(), 1U);
    EXPECT_EQ(store_->list()[0].size, 2 * used);
}

TEST_F(StoreTest, RefusesWithoutATrace) {
    load(saved({layer("a")}, {layer("a")}, "kept"));
    EXPECT_THAT(refusal(saved({layer("b")}, {layer("c")})), HasSubstr("has the digest"));
    EXPECT_THAT(refusal(saved({layer("b"), layer("c")}, {layer("b")})), HasSubstr("names 1 layers"));
    EXPECT_THAT(refusal(entry("c", '0', configuration({layer("a")})) +
                        entry("manifest.json", '0', R"([{"Config":"c","Layers":["x"]}])")),
                HasSubstr("missing"));
    EXPECT_THAT(refusal(saved({layer("b")}, {entry("../b", '0', "x")})), HasSubstr("impossible name"));
    EXPECT_NE(refusal(saved({layer("b")}, {gzip(layer("b")).substr(0, 100)})), "none");
    EXPECT_NE(refusal("no archive at all"), "none");
    EXPECT_NE(refusal(""), "none");
    // An archive of a good and a bad image gives none of them.
    std::string both =
        entry("good", '0', configuration({layer("b")})) + entry("l", '0', layer("b")) +
        entry("manifest.json", '0', R"([{"Config":"good","Layers":["l"]},{"Config":"bad","Layers":["l"]}])");
    EXPECT_NE(refusal(both), "none");
    EXPECT_EQ(store_->list().at(0).names, std::vector<std::string>{"kept:latest"});
}

TEST_F(StoreTest, RefusesWhatDoesNotFit) {
    const std::string large = entry("x", '0', std::string(8 << 20, '\0')) + end_mark;
    for (const std::string& file : {large, gzip(large), zstd(large)})
        EXPECT_THAT(refusal(saved({large}, {file})), HasSubstr("room for 4 MiB"));
    EXPECT_THAT(refusal(gzip(saved({large}, {large}))), HasSubstr("room for 4 MiB"));
    // A head that promises more than what comes.
    EXPECT_NE(refusal(saved({large}, {head("x", '0', std::uint64_t{1} << 39) + std::string(10000, 'x')})), "none");
    // Nothing but zeros behind the end of the archive, for ever: bounded too.
    EXPECT_NE(refusal(gzip(entry("manifest.json", '0', "[]") + std::string(40 << 20, '\0'))), "none");
    load(saved({layer("a")}, {layer("a")}));
}

TEST_F(StoreTest, RefusesEveryCutArchive) {
    const std::string whole = saved({layer("a", 700)}, {gzip(layer("a", 700))});
    // The end mark alone may be missing.
    for (std::size_t size = 0; size + end_mark.size() < whole.size(); size += 97)
        EXPECT_NE(refusal(whole.substr(0, size)), "none") << size;
}

TEST_F(StoreTest, SurvivesDamage) {
    const std::vector<std::string> layers = {layer("a", 700), layer("b", 700)};
    Layout layout;
    const auto manifest = layout.manifest(layers, {gzip(layers[0]), zstd(layers[1])});
    const std::string sound[] = {saved(layers, layers), layout.finish({manifest}), gzip(saved(layers, layers))};
    std::mt19937 random(3);
    int refused = 0;
    for (int round = 0; round < 1500; ++round) {
        std::string bytes = sound[round % 3];
        for (unsigned change = 0; change <= random() % 3; ++change) {
            const std::size_t at = random() % bytes.size();
            bytes[at] = static_cast<char>(random());
            if (random() % 2 == 0 && round % 3 != 2 && bytes.size() >= 512)
                set_checksum(bytes.data() + std::min(at / 512 * 512, bytes.size() - 512));
        }
        refused += refusal(bytes) != "none";
        for (const Image& image : store_->list()) store_->remove(image.id, true, {});
        ASSERT_EQ(blobs_->used(), 0U);
    }
    EXPECT_GT(refused, 300);
}

TEST_F(StoreTest, NamesGoOver) {
    load(saved({layer("a")}, {layer("a")}, "x:1"));
    store_->tag("x:1", "y", "2");
    EXPECT_EQ(store_->find("y:2")->id, store_->find("x:1")->id);
    load(saved({layer("b")}, {layer("b")}, "x:1"));
    EXPECT_NE(store_->find("y:2")->id, store_->find("x:1")->id);
    EXPECT_THROW(store_->remove("y:2", false, {store_->find("y:2")->id}), ImageError);
    EXPECT_THROW(store_->tag("nosuch", "z", "1"), ImageError);
    EXPECT_FALSE(store_->find("nosuch"));
}

TEST(Name, IsCompletedAndChecked) {
    EXPECT_EQ(normalize_name("busybox"), "busybox:latest");
    EXPECT_EQ(normalize_name("docker.io/library/busybox:1"), "busybox:1");
    EXPECT_EQ(normalize_name("host:5000/a/b"), "host:5000/a/b:latest");
    for (const char* name : {"", ":", "a:", ":a", "A", "a b", "a/../b", "a//b", "a:b:c", "a:.x", "-a"})
        EXPECT_THROW(normalize_name(name), ImageError) << name;
}

} // namespace
} // namespace images
