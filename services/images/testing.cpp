#include "services/images/testing.hpp"

#include <algorithm>
#include <cstring>

#include <zlib.h>
#include <zstd.h>

#include "services/common/digest.hpp"

namespace images::testing {

std::string head(const std::string& name, char type, std::uint64_t size, const std::string& target, unsigned mode) {
    std::string head(512, '\0');
    name.copy(head.data(), 100);
    std::snprintf(head.data() + 100, 8, "%07o", mode);
    std::snprintf(head.data() + 108, 8, "%07o", 1000U);
    std::snprintf(head.data() + 116, 8, "%07o", 100U);
    if (size < std::uint64_t{1} << 33) {
        std::snprintf(head.data() + 124, 12, "%011llo", static_cast<unsigned long long>(size));
    } else {
        head[124] = '\x80';
        for (int at = 0; at < 8; ++at) head[135 - at] = static_cast<char>(size >> (8 * at));
    }
    std::snprintf(head.data() + 136, 12, "%011o", 1234U);
    head[156] = type;
    target.copy(head.data() + 157, 100);
    std::memcpy(head.data() + 257,
                "ustar\0"
                "00",
                8);
    set_checksum(head.data());
    return head;
}

void set_checksum(char* head) {
    std::memset(head + 148, ' ', 8);
    unsigned sum = 0;
    for (int at = 0; at < 512; ++at) sum += static_cast<unsigned char>(head[at]);
    std::snprintf(head + 148, 8, "%06o", sum);
}

std::string entry(const std::string& name, char type, const std::string& content, const std::string& target,
                  unsigned mode) {
    std::string padded = content;
    padded.resize((content.size() + 511) / 512 * 512);
    return head(name, type, content.size(), target, mode) + padded;
}

services::ByteSource source(const std::string& bytes, std::size_t piece) {
    return [&bytes, at = std::size_t{0}, piece](char* buffer, std::size_t size) mutable {
        size = std::min({size, piece, bytes.size() - at});
        std::memcpy(buffer, bytes.data() + at, size);
        at += size;
        return size;
    };
}

std::string gzip(const std::string& bytes) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string result(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(result.data());
    stream.avail_out = static_cast<uInt>(result.size());
    deflate(&stream, Z_FINISH);
    result.resize(stream.total_out);
    deflateEnd(&stream);
    return result;
}

std::string zstd(const std::string& bytes) {
    std::string result(ZSTD_compressBound(bytes.size()), '\0');
    result.resize(ZSTD_compress(result.data(), result.size(), bytes.data(), bytes.size(), 3));
    return result;
}

std::string configuration(const std::vector<std::string>& layers, const std::string& architecture) {
    nlohmann::json digests = nlohmann::json::array();
    for (const std::string& layer : layers) digests.push_back(services::sha256_of(layer));
    return nlohmann::json{
        {"os", "linux"}, {"architecture", architecture}, {"rootfs", {{"type", "layers"}, {"diff_ids", digests}}}}
        .dump();
}

std::string saved(const std::vector<std::string>& layers, const std::vector<std::string>& files,
                  const std::string& name) {
    nlohmann::json names = nlohmann::json::array();
    std::string archive = entry("config.json", '0', configuration(layers));
    for (std::size_t at = 0; at < files.size(); ++at) {
        names.push_back(std::to_string(at) + "/layer.tar");
        archive += entry(names.back(), '0', files[at]);
    }
    const nlohmann::json manifest = {{{"Config", "config.json"}, {"RepoTags", {name}}, {"Layers", names}}};
    return archive + entry("manifest.json", '0', manifest.dump()) + end_mark;
}

std::string Layout::add(const std::string& content) {
    const std::string digest = services::sha256_of(content);
    archive += entry("blobs/sha256/" + digest.substr(7), '0', content);
    return digest;
}

nlohmann::json Layout::descriptor(const std::string& content) {
    return {{"digest", add(content)}, {"size", content.size()}};
}

nlohmann::json Layout::manifest(const std::vector<std::string>& layers, const std::vector<std::string>& files,
                                const std::string& architecture) {
    nlohmann::json list = nlohmann::json::array();
    for (const std::string& file : files) list.push_back(descriptor(file));
    const nlohmann::json document = {
        {"schemaVersion", 2}, {"config", descriptor(configuration(layers, architecture))}, {"layers", list}};
    nlohmann::json result = descriptor(document.dump());
    result["platform"] = {{"os", "linux"}, {"architecture", architecture}};
    return result;
}

std::string Layout::finish(const std::vector<nlohmann::json>& manifests) const {
    const nlohmann::json index = {{"schemaVersion", 2}, {"manifests", manifests}};
    return archive + entry("oci-layout", '0', "{\"imageLayoutVersion\":\"1.0.0\"}") +
           entry("index.json", '0', index.dump()) + end_mark;
}

} // namespace images::testing
