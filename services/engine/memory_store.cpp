#include "services/engine/memory_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <sys/mman.h>

#include "services/common/digest.hpp"
#include "services/common/erofs_writer.hpp"
#include "services/common/text.hpp"

namespace images {

namespace {

using nlohmann::json;

constexpr std::uint64_t largest_layer = std::uint64_t{4} << 30;
constexpr std::uint64_t largest_document = 4 << 20;
constexpr std::uint64_t most_documents = 32 << 20; // bytes of all
constexpr std::size_t most_layers = 128;
constexpr std::size_t block = 512;

ImageError damaged(const std::string& why) { return {400, "invalid archive: " + why}; }

bool fits(std::string_view text, std::string_view punctuation, bool upper) {
    return std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z') ||
               punctuation.find(c) != std::string_view::npos;
    });
}

std::string text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) throw damaged(std::string("no ") + name + " in manifest.json");
    return found->get<std::string>();
}

std::vector<std::string> texts_of(const json& object, const char* name) {
    std::vector<std::string> result;
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return result;
    if (!found->is_array()) throw damaged(std::string(name) + " is no list");
    for (const json& each : *found) {
        if (!each.is_string()) throw damaged(std::string(name) + " is no list of strings");
        result.push_back(each.get<std::string>());
    }
    return result;
}

json parse(const std::string& text, const std::string& name) {
    bool deep = false;
    auto bounded = [&deep](int depth, json::parse_event_t, json&) {
        deep = deep || depth > 64;
        return !deep;
    };
    json document = json::parse(text, bounded, false);
    if (deep || document.is_discarded()) throw damaged(name + " is no JSON");
    return document;
}

// "a/./b/../c" of links in an archive.
std::string join(const std::string& folder, const std::string& target) {
    std::vector<std::string> parts;
    for (const std::string& part : services::split(folder + "/" + target, '/')) {
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

} // namespace

std::string normalize_name(std::string_view name) {
    if (services::consume(name, "docker.io/")) services::consume(name, "library/");
    std::string_view repository = name;
    std::string_view tag = "latest";
    const auto slash = name.rfind('/');
    const auto colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
    if (colon != std::string_view::npos) {
        repository = name.substr(0, colon);
        tag = name.substr(colon + 1);
    }
    const bool good_tag = !tag.empty() && tag.size() <= 128 && fits(tag, "_.-", true) && tag[0] != '.' && tag[0] != '-';
    bool good = !repository.empty() && repository.size() <= 255;
    bool first = true;
    for (const std::string& part : services::split(repository, '/')) {
        // The first part may be a registry with a port.
        const bool host = first && slash != std::string_view::npos && part.find_first_of(".:") != std::string::npos;
        good = good && !part.empty() && fits(part, host ? "._-:" : "._-", host) && part[0] != '.' && part[0] != '-' &&
               part[0] != '_';
        first = false;
    }
    if (!good && services::lower(repository) != repository)
        throw ImageError(400, "invalid reference format: repository name (" + std::string(repository) +
                                  ") must be lowercase");
    if (!good || !good_tag) throw ImageError(400, "invalid reference format");
    return std::string(repository) + ":" + std::string(tag);
}

struct MemoryStore::Archive {
    struct ReadLayer {
        LayerPointer layer;
        std::string digest;
    };
    std::map<std::string, std::string> documents;
    std::map<std::string, ReadLayer> layers;
    std::map<std::string, std::string> links;

    // The name behind links.
    std::string resolve(std::string name) const {
        for (int hops = 0; hops < 8; ++hops) {
            const auto link = links.find(name);
            if (link == links.end()) break;
            name = link->second;
        }
        return name;
    }
};

MemoryStore::LayerPointer MemoryStore::read_layer(const services::ByteSource& source, std::string& digest) {
    auto layer = std::make_shared<Layer>();
    layer->file = services::UniqueFd(::memfd_create("layer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!layer->file) throw ImageError(500, std::string("no memory for the layer: ") + std::strerror(errno));
    services::Sha256 hash;
    services::TarReader tar([&](char* buffer, std::size_t size) {
        const std::size_t count = source(buffer, size);
        hash.update(buffer, count);
        return count;
    });
    services::ErofsWriter writer(layer->file.get(), largest_layer);
    services::TarEntry entry;
    while (tar.next(entry)) writer.add(entry, tar);
    tar.drain();
    layer->size = writer.finish();
    if (::fcntl(layer->file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        throw ImageError(500, std::string("cannot seal the layer: ") + std::strerror(errno));
    digest = hash.finish();
    return layer;
}

MemoryStore::Archive MemoryStore::read_archive(const Reader& read) {
    Archive archive;
    services::TarReader tar(read);
    services::TarEntry entry;
    std::uint64_t documents = 0;
    while (tar.next(entry)) {
        const std::string name = join("", entry.path);
        if (entry.type == services::TarEntry::Type::link || entry.type == services::TarEntry::Type::hard_link) {
            const auto slash = name.rfind('/');
            const bool hard = entry.type == services::TarEntry::Type::hard_link;
            archive.links[name] = join(hard || slash == std::string::npos ? "" : name.substr(0, slash), entry.target);
            continue;
        }
        if (entry.type != services::TarEntry::Type::regular) continue;
        // Which entries are layers is known only from documents that may come later: a layer is what begins like a tar
        // archive.
        std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(block, entry.size)), '\0');
        std::size_t have = 0;
        while (have < head.size()) have += tar.read(head.data() + have, head.size() - have);
        const bool empty = head.find_first_not_of('\0') == std::string::npos;
        if (head.size() == block && (empty || services::is_tar_head(head.data()))) {
            if (archive.layers.size() == most_layers) throw damaged("too many layers");
            std::size_t given = 0;
            Archive::ReadLayer layer;
            layer.layer = read_layer(
                [&](char* buffer, std::size_t size) {
                    if (given == head.size()) return tar.read(buffer, size);
                    size = std::min(size, head.size() - given);
                    std::memcpy(buffer, head.data() + given, size);
                    given += size;
                    return size;
                },
                layer.digest);
            archive.layers[name] = std::move(layer);
            continue;
        }
        if (head.starts_with("\x1f\x8b") || head.starts_with("\x28\xb5\x2f\xfd"))
            throw damaged("compressed layers are not supported by this node");
        documents += entry.size;
        if (entry.size > largest_document || documents > most_documents) throw damaged(name + " is too large");
        std::string text = head;
        text.resize(static_cast<std::size_t>(entry.size));
        while (have < text.size()) have += tar.read(text.data() + have, text.size() - have);
        archive.documents[name] = std::move(text);
    }
    tar.drain();
    return archive;
}

std::vector<std::string> MemoryStore::load(const Reader& read) {
    try {
        Archive archive = read_archive(read);
        const auto manifest = archive.documents.find("manifest.json");
        if (manifest == archive.documents.end()) throw damaged("it has no manifest.json");
        const json entries = parse(manifest->second, "manifest.json");
        if (!entries.is_array() || entries.empty()) throw damaged("manifest.json has no images");
        std::vector<std::string> loaded;
        std::lock_guard lock(mutex_);
        // All is checked before the first image appears.
        auto images = images_;
        auto layers = layers_;
        try {
            for (const json& entry : entries) loaded.push_back(take_image(archive, entry));
        } catch (...) {
            images_ = std::move(images);
            layers_ = std::move(layers);
            throw;
        }
        return loaded;
    } catch (const services::TarError& error) {
        throw damaged(error.what());
    } catch (const services::ErofsError& error) {
        throw damaged(error.what());
    }
}

std::string MemoryStore::take_image(Archive& archive, const json& entry) {
    if (!entry.is_object()) throw damaged("manifest.json is no list of objects");
    const auto document = archive.documents.find(archive.resolve(join("", text_of(entry, "Config"))));
    if (document == archive.documents.end()) throw damaged("the configuration is missing");
    Image image;
    image.id = services::sha256_of(document->second);
    image.configuration = parse(document->second, "the configuration");
    if (!image.configuration.is_object()) throw damaged("the configuration is no object");
    const auto root = image.configuration.find("rootfs");
    if (root == image.configuration.end() || !root->is_object()) throw damaged("the configuration has no rootfs");
    image.layers = texts_of(*root, "diff_ids");
    const auto files = texts_of(entry, "Layers");
    if (files.size() != image.layers.size() || files.empty()) throw damaged("layers and their digests do not fit");
    for (std::size_t at = 0; at < files.size(); ++at) {
        const auto layer = archive.layers.find(archive.resolve(join("", files[at])));
        if (layer == archive.layers.end()) throw damaged("the layer " + files[at] + " is missing");
        if (layer->second.digest != image.layers[at])
            throw damaged("the layer " + files[at] + " has the digest " + layer->second.digest + ", not " +
                          image.layers[at]);
        image.size += layer->second.layer->size;
        layers_.try_emplace(image.layers[at], layer->second.layer);
    }
    for (const std::string& name : texts_of(entry, "RepoTags")) image.names.push_back(normalize_name(name));
    image.loaded = services::realtime_nanoseconds() / 1'000'000'000;
    std::ranges::sort(image.names);
    // A name goes over to the image that was loaded last; an image keeps its other names.
    for (auto& [id, other] : images_)
        for (const std::string& name : image.names) std::erase(other.names, name);
    const std::string shown = image.names.empty() ? image.id : image.names.front();
    if (const auto known = images_.find(image.id); known != images_.end()) {
        for (const std::string& name : known->second.names) image.names.push_back(name);
        std::ranges::sort(image.names);
    }
    images_[image.id] = std::move(image);
    return shown;
}

std::vector<Image> MemoryStore::list() {
    std::lock_guard lock(mutex_);
    std::vector<Image> result;
    for (const auto& [id, image] : images_) result.push_back(image);
    return result;
}

std::map<std::string, Image>::iterator MemoryStore::locate(std::string_view reference) {
    std::string_view digits = reference;
    const bool digest = services::consume(digits, "sha256:");
    if (digits.size() >= 2 && services::is_hexadecimal(digits)) {
        const auto begins = [&](const auto& each) {
            return std::string_view(each.first).substr(7).starts_with(digits);
        };
        const auto found = std::ranges::find_if(images_, begins);
        if (found != images_.end() && std::ranges::count_if(images_, begins) == 1) return found;
    }
    if (digest) return images_.end();
    const std::string name = normalize_name(reference);
    return std::ranges::find_if(images_, [&](const auto& each) {
        return std::ranges::find(each.second.names, name) != each.second.names.end();
    });
}

std::optional<Image> MemoryStore::find(std::string_view reference) {
    std::lock_guard lock(mutex_);
    const auto found = locate(reference);
    return found == images_.end() ? std::nullopt : std::optional(found->second);
}

void MemoryStore::tag(std::string_view reference, std::string_view repository, std::string_view tag) {
    const std::string name = normalize_name(std::string(repository) + ":" + std::string(tag));
    std::lock_guard lock(mutex_);
    const auto found = locate(reference);
    if (found == images_.end()) throw ImageError(404, "No such image: " + std::string(reference));
    for (auto& [id, image] : images_) std::erase(image.names, name);
    found->second.names.push_back(name);
    std::ranges::sort(found->second.names);
}

ImageStore::Removed MemoryStore::remove(std::string_view reference, bool force,
                                        const std::vector<std::string>& in_use) {
    std::lock_guard lock(mutex_);
    const auto found = locate(reference);
    if (found == images_.end())
        throw ImageError(404, "No such image: " + (reference.starts_with("sha256:") ? std::string(reference)
                                                                                    : normalize_name(reference)));
    Image& image = found->second;
    Removed removed;
    const auto name = reference.starts_with("sha256:") ? image.names.end()
                                                       : std::ranges::find(image.names, normalize_name(reference));
    if (name != image.names.end() && image.names.size() > 1) {
        removed.untagged.push_back(*name);
        image.names.erase(name);
        return removed;
    }
    const std::string short_id = image.id.substr(7, 12);
    if (name == image.names.end() && image.names.size() > 1 && !force)
        throw ImageError(409, "conflict: unable to delete " + short_id +
                                  " (must be forced) - image is referenced in multiple repositories");
    if (!force && std::ranges::find(in_use, image.id) != in_use.end())
        throw ImageError(409, "conflict: unable to remove repository reference \"" + std::string(reference) +
                                  "\" (must force) - a container is using its referenced image " + short_id);
    removed.untagged = image.names;
    removed.deleted.push_back(image.id);
    const std::vector<std::string> layers = image.layers;
    images_.erase(found);
    std::set<std::string> used;
    for (const auto& [id, other] : images_) used.insert(other.layers.begin(), other.layers.end());
    for (const std::string& layer : layers)
        if (!used.contains(layer) && layers_.erase(layer) > 0) removed.deleted.push_back(layer);
    return removed;
}

int MemoryStore::open_layer(std::string_view diff_id) {
    std::lock_guard lock(mutex_);
    const auto found = layers_.find(std::string(diff_id));
    if (found == layers_.end()) throw ImageError(500, "the layer " + std::string(diff_id) + " is not there");
    const int fd = ::fcntl(found->second->file.get(), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw ImageError(500, std::string("cannot open the layer: ") + std::strerror(errno));
    return fd;
}

std::unique_ptr<ImageStore> open_store() { return std::make_unique<MemoryStore>(); }

} // namespace images
