#include "services/images/archive.hpp"

#include <algorithm>
#include <cstring>

#include "services/common/digest.hpp"
#include "services/common/text.hpp"
#include "services/images/decompressor.hpp"
#include "services/images/image_store.hpp"

namespace images {

namespace {

constexpr std::uint64_t largest_document = 1 << 20;
constexpr std::uint64_t most_document_bytes = 16 << 20;
constexpr std::size_t most_files = 4096;
constexpr std::size_t most_layers = 512; // of all images of the archive
constexpr std::size_t tar_block = 512;
constexpr unsigned most_hops = 8;
constexpr std::string_view blob_folder = "blobs/sha256/", configuration_suffix = ".json";
constexpr std::size_t digest_digits = 64;

ImageError damaged(const std::string& why) { return {400, "invalid archive: " + why}; }

// "a/./b/../c" of links in an archive.
std::string join(std::string_view folder, const std::string& target) {
    std::vector<std::string> parts;
    for (const std::string& part : services::split(std::string(folder) + "/" + target, '/')) {
        if (part.empty() || part == ".") continue;
        if (part != "..")
            parts.push_back(part);
        else if (!parts.empty())
            parts.pop_back();
    }
    std::string result;
    for (const std::string& part : parts) result += (result.empty() ? "" : "/") + part;
    return result;
}

// The digest that a file's name promises, or "".
std::string promised_digest(std::string_view name) {
    if (!services::consume(name, blob_folder)) {
        if (!name.ends_with(configuration_suffix)) return "";
        name.remove_suffix(configuration_suffix.size());
    }
    return name.size() == digest_digits && services::is_hexadecimal(name) ? "sha256:" + std::string(name) : "";
}

void check_digest(const std::string& name, const std::string& digest) {
    const std::string promised = promised_digest(name);
    if (!promised.empty() && promised != digest) throw damaged(name + " has the digest " + digest);
}

} // namespace

Archive::Archive(const services::ByteSource& source, BlobStore& blobs) {
    // A compressed archive may be as large as two times what the store can hold: layers that are there already come
    // again.
    Decompressor decompressor(source, 2 * blobs.capacity() + most_document_bytes);
    services::TarReader tar([&](char* buffer, std::size_t size) { return decompressor.read(buffer, size); });
    services::TarEntry entry;
    while (tar.next(entry)) {
        const std::string name = join("", entry.path);
        switch (entry.type) {
        case services::TarEntry::Type::link: {
            const auto slash = name.rfind('/');
            links_[name] =
                join(slash == std::string::npos ? "" : std::string_view(name).substr(0, slash), entry.target);
            break;
        }
        case services::TarEntry::Type::hard_link: links_[name] = join("", entry.target); break;
        case services::TarEntry::Type::regular: read_file(name, tar, entry.size, blobs); break;
        default: break; // folders, and what no image needs
        }
        if (documents_.size() + links_.size() > most_files) throw damaged("it has too many files");
    }
    tar.drain();
}

void Archive::read_file(const std::string& name, services::TarReader& tar, std::uint64_t size, BlobStore& blobs) {
    // Which files are layers is known only from documents that may come later: a layer is what begins like a tar
    // archive, or like a compressed stream.
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(tar_block, size)), '\0');
    std::size_t have = 0;
    while (have < text.size()) have += tar.read(text.data() + have, text.size() - have);
    const bool empty = text.find_first_not_of('\0') == std::string::npos;
    const bool archive = text.size() == tar_block && (empty || services::is_tar_head(text.data()));
    if (archive || is_compressed(text)) {
        if (layers_.size() == most_layers) throw damaged("it has too many layers");
        std::size_t given = 0;
        Layer layer = read_layer(
            [&](char* buffer, std::size_t count) {
                if (given == text.size()) return tar.read(buffer, count);
                count = std::min(count, text.size() - given);
                std::memcpy(buffer, text.data() + given, count);
                given += count;
                return count;
            },
            blobs);
        check_digest(name, layer.digest);
        layers_[name] = std::move(layer);
        return;
    }
    document_bytes_ += size;
    if (size > largest_document || document_bytes_ > most_document_bytes) throw damaged(name + " is too large");
    text.resize(static_cast<std::size_t>(size));
    while (have < text.size()) have += tar.read(text.data() + have, text.size() - have);
    if (!promised_digest(name).empty()) check_digest(name, services::sha256_of(text));
    documents_[name] = std::move(text);
}

std::string Archive::resolve(const std::string& name) const {
    std::string result = join("", name);
    for (unsigned hops = 0; hops < most_hops; ++hops) {
        const auto link = links_.find(result);
        if (link == links_.end()) break;
        result = link->second;
    }
    return result;
}

const std::string* Archive::document(const std::string& name) const {
    const auto found = documents_.find(resolve(name));
    return found == documents_.end() ? nullptr : &found->second;
}

Layer* Archive::layer(const std::string& name) {
    const auto found = layers_.find(resolve(name));
    return found == layers_.end() ? nullptr : &found->second;
}

} // namespace images
