// What archives describe, and what is refused of them.
#include "services/images/archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/digest.hpp"
#include "services/images/image_store.hpp"
#include "services/images/manifest.hpp"
#include "services/images/testing.hpp"

namespace images {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string layer_a = entry("a", '0', "a") + end_mark;
const std::string layer_b = entry("b", '0', "b") + end_mark;

std::vector<Description> read(const std::string& bytes) {
    MemoryBlobs blobs(64 << 20);
    Archive archive(source(bytes), blobs);
    return describe(archive);
}

std::string refusal(const std::string& bytes) {
    try {
        read(bytes);
    } catch (const ImageError& error) {
        EXPECT_EQ(error.status, 400);
        return error.what();
    }
    return "none";
}

TEST(Archive, ReadsLinksAndPaths) {
    MemoryBlobs blobs(64 << 20);
    const std::string bytes = entry("x/doc", '0', "text") + entry("y/near", '2', "", "../x/./doc") +
                              entry("z", '1', "", "x/doc") + entry("loop", '2', "", "loop") +
                              entry("out", '2', "", "../../etc/passwd") + entry("../../up", '0', "up") +
                              entry("/layer", '0', layer_a) + end_mark;
    Archive archive(source(bytes), blobs);
    EXPECT_EQ(*archive.document("x/doc"), "text");
    EXPECT_EQ(*archive.document("./y/near"), "text");
    EXPECT_EQ(*archive.document("/z"), "text");
    EXPECT_EQ(archive.document("loop"), nullptr);
    EXPECT_EQ(archive.document("out"), nullptr);
    EXPECT_EQ(*archive.document("up"), "up");
    ASSERT_NE(archive.layer("layer"), nullptr);
    EXPECT_EQ(archive.layer("layer")->diff_id, services::sha256_of(layer_a));
    EXPECT_EQ(archive.layer("x/doc"), nullptr);
}

TEST(Archive, HashesCompressedLayersTwice) {
    for (const std::string& packed : {gzip(layer_a), zstd(layer_a)}) {
        MemoryBlobs blobs(64 << 20);
        const std::string bytes = entry("l", '0', packed) + end_mark;
        Archive archive(source(bytes), blobs);
        EXPECT_EQ(archive.layer("l")->diff_id, services::sha256_of(layer_a));
        EXPECT_EQ(archive.layer("l")->digest, services::sha256_of(packed));
    }
}

TEST(Manifest, DescribesSavedImages) {
    const auto images = read(saved({layer_a, layer_b}, {layer_a, gzip(layer_b)}));
    ASSERT_EQ(images.size(), 1U);
    EXPECT_EQ(images[0].id, services::sha256_of(configuration({layer_a, layer_b})));
    EXPECT_THAT(images[0].diff_ids, ElementsAre(services::sha256_of(layer_a), services::sha256_of(layer_b)));
    EXPECT_THAT(images[0].files, ElementsAre("0/layer.tar", "1/layer.tar"));
    EXPECT_THAT(images[0].names, ElementsAre("test:1"));
}

TEST(Manifest, TakesThePlatformOfTheNode) {
    Layout layout;
    const auto arm = layout.manifest({layer_b}, {layer_b}, "arm64");
    const auto amd = layout.manifest({layer_a}, {gzip(layer_a)});
    const nlohmann::json inner = {{"manifests", {arm, amd}}};
    nlohmann::json index = layout.descriptor(inner.dump());
    index["annotations"] = {{"io.containerd.image.name", "docker.io/library/multi:2"},
                            {"org.opencontainers.image.ref.name", "2"}};
    const auto images = read(layout.finish({index}));
    ASSERT_EQ(images.size(), 1U);
    EXPECT_EQ(images[0].id, services::sha256_of(configuration({layer_a})));
    EXPECT_THAT(images[0].names, ElementsAre("multi:2"));
    EXPECT_THAT(refusal(layout.finish({arm})), HasSubstr("no image for linux/amd64"));
}

TEST(Manifest, RefusesForeignConfigurations) {
    Layout layout;
    auto manifest = layout.manifest({layer_a}, {layer_a}, "arm64");
    manifest.erase("platform");
    EXPECT_THAT(refusal(layout.finish({manifest})), HasSubstr("linux/arm64"));
}

TEST(Manifest, RefusesWrongDigestsAndSizes) {
    const std::string other(64, '0');
    EXPECT_THAT(refusal(entry("blobs/sha256/" + other, '0', layer_a)), HasSubstr("has the digest"));
    EXPECT_THAT(refusal(entry("blobs/sha256/" + other, '0', gzip(layer_a))), HasSubstr("has the digest"));
    EXPECT_THAT(refusal(entry("blobs/sha256/" + other, '0', "{}")), HasSubstr("has the digest"));
    EXPECT_THAT(refusal(entry(other + ".json", '0', "{}")), HasSubstr("has the digest"));
    Layout layout;
    auto manifest = layout.manifest({layer_a}, {layer_a});
    manifest["size"] = 1;
    EXPECT_THAT(refusal(layout.finish({manifest})), HasSubstr("size"));
    manifest["digest"] = "sha512:" + other + other;
    EXPECT_THAT(refusal(layout.finish({manifest})), HasSubstr("SHA-256"));
    manifest["digest"] = "sha256:../../../../../../../../../../../../../../../../../../../../etc/passwd";
    EXPECT_THAT(refusal(layout.finish({manifest})), HasSubstr("SHA-256"));
    manifest["digest"] = "sha256:" + other;
    EXPECT_THAT(refusal(layout.finish({manifest})), HasSubstr("missing"));
}

// One image with such a member would be an error of every list of images, and of every container that is made of it.
TEST(Manifest, RefusesWrongTypesOfWhatIsReadLater) {
    const auto with = [](const nlohmann::json& more) {
        nlohmann::json changed = nlohmann::json::parse(configuration({layer_a}));
        changed.merge_patch(more);
        return refusal(entry("c", '0', changed.dump()) + entry("manifest.json", '0', R"([{"Config":"c","Layers":["a"]}])"));
    };
    const auto parsed = [](const char* text) { return nlohmann::json::parse(text); };
    for (const char* text : {R"({"created":"2020-01-01T00:00:00Z","author":"x","history":[{"created_by":"x","empty_layer":true}]})",
                             R"({"config":{"Env":["A=1"],"Cmd":"sh","Entrypoint":["/e"],"Labels":{"a":"1"},"ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"StopSignal":"SIGTERM"}})"})
        EXPECT_EQ(with(parsed(text)), "none") << text;
    for (const char* text : {R"({"created":3})", R"({"author":[]})", R"({"history":{}})", R"({"history":[3]})", R"({"history":[{"created_by":3}]})", R"({"config":3})", R"({"config":{"Labels":{"a":1}}})",
                             R"({"config":{"Labels":[]}})", R"({"config":{"Env":[1]}})", R"({"config":{"Cmd":{"x":1}}})", R"({"config":{"Entrypoint":3}})", R"({"config":{"User":7}})",
                             R"({"config":{"WorkingDir":[]}})", R"({"config":{"StopSignal":15}})", R"({"config":{"ExposedPorts":["80"]}})", R"({"config":{"Volumes":"x"}})", R"({"config":{"Healthcheck":1}})",
                             R"({"created":"\u0000"})", R"({"author":"a\u0000"})", R"({"history":[{"comment":"\u0000"}]})", R"({"config":{"Env":["A\u0000"]}})", R"({"config":{"Cmd":"a\u0000b"}})"})
        EXPECT_THAT(with(parsed(text)), HasSubstr("invalid archive")) << text;
}

TEST(Manifest, RefusesBadDocuments) {
    auto with = [](const std::string& manifest) {
        return refusal(entry("c", '0', configuration({layer_a})) + entry("manifest.json", '0', manifest));
    };
    for (const char* text :
         {"", "{", "null", "{}", "[]", "[1]", "[{}]", "[{\"Config\":1}]", "[{\"Config\":\"nosuch\"}]",
          "[{\"Config\":\"c\"}]", "[{\"Config\":\"c\",\"Layers\":1}]", "[{\"Config\":\"c\",\"Layers\":[1]}]",
          "[{\"Config\":\"c\",\"Layers\":[],\"RepoTags\":{}}]", "[{\"Config\":\"c\",\"Layers\":[\"a\",\"b\"]}]",
          "\xff\xfe"})
        EXPECT_NE(with(text), "none") << text;
    EXPECT_THAT(with("[{\"Config\":\"c\",\"Layers\":[\"a\"],\"RepoTags\":[\"BAD NAME\"]}]"), HasSubstr("reference"));
    EXPECT_THAT(with(std::string(100000, '[')), HasSubstr("nested too deep"));
    EXPECT_THAT(with("[" + std::string(2 << 20, ' ') + "]"), HasSubstr("too large"));
    for (const char* text :
         {"[]", "{}", "{\"rootfs\":[]}", "{\"rootfs\":{\"diff_ids\":[]}}", "{\"rootfs\":{\"diff_ids\":[1]}}",
          "{\"rootfs\":{\"diff_ids\":[\"x\"]}}", "{\"os\":1}", "{\"os\":\"windows\"}"})
        EXPECT_NE(
            refusal(entry("c", '0', text) + entry("manifest.json", '0', "[{\"Config\":\"c\",\"Layers\":[\"a\"]}]")),
            "none")
            << text;
    EXPECT_THAT(refusal(entry("x", '0', "y")), HasSubstr("neither"));
}

TEST(Manifest, BoundsIndexes) {
    // Each index lists the next one many times: no work without bound.
    Layout layout;
    nlohmann::json below = layout.manifest({layer_a}, {layer_a});
    for (int level = 0; level < 4; ++level) {
        nlohmann::json list = nlohmann::json::array();
        for (int at = 0; at < 500; ++at) list.push_back(below);
        below = layout.descriptor(nlohmann::json{{"manifests", list}}.dump());
    }
    EXPECT_THAT(refusal(layout.finish({below})), HasSubstr("too many entries"));
    below = layout.manifest({layer_a}, {layer_a});
    for (int level = 0; level < 8; ++level)
        below = layout.descriptor(nlohmann::json{{"manifests", nlohmann::json::array({below})}}.dump());
    EXPECT_THAT(refusal(layout.finish({below})), HasSubstr("nested too deep"));
}

} // namespace
} // namespace images
