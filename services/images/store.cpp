#include "services/images/store.hpp"

#include <algorithm>
#include <set>

#include "services/common/text.hpp"
#include "services/images/archive.hpp"
#include "services/images/decompressor.hpp"
#include "services/images/erofs_writer.hpp"

namespace images {

namespace {

ImageError damaged(const std::string& why) { return {400, "invalid archive: " + why}; }

void check_layers(Archive& archive, const Description& description) {
    for (std::size_t at = 0; at < description.files.size(); ++at) {
        const Layer* layer = archive.layer(description.files[at]);
        if (layer == nullptr) throw damaged("the layer " + description.files[at] + " is missing");
        if (layer->diff_id != description.diff_ids[at])
            throw damaged("the layer " + description.files[at] + " has the digest " + layer->diff_id + ", not " +
                          description.diff_ids[at]);
    }
}

} // namespace

std::vector<std::string> Store::load(const Reader& read) {
    try {
        Archive archive(read, *blobs_);
        const std::vector<Description> descriptions = describe(archive);
        std::lock_guard lock(mutex_);
        // All is checked before the first image appears.
        for (const Description& description : descriptions) check_layers(archive, description);
        commit_layers(archive, descriptions);
        std::vector<std::string> loaded;
        for (const Description& description : descriptions) loaded.push_back(take_image(description));
        return loaded;
    } catch (const services::TarError& error) {
        throw damaged(error.what());
    } catch (const ErofsError& error) {
        throw damaged(error.what());
    } catch (const CompressionError& error) {
        throw damaged(error.what());
    } catch (const std::bad_alloc&) {
        throw ImageError(500, "the node has no memory to read the archive");
    }
}

// All or none.
void Store::commit_layers(Archive& archive, const std::vector<Description>& descriptions) {
    std::vector<std::string> committed;
    try {
        for (const Description& description : descriptions)
            for (std::size_t at = 0; at < description.files.size(); ++at) {
                const std::string& key = description.diff_ids[at];
                if (blobs_->contains(key)) continue;
                Layer& layer = *archive.layer(description.files[at]);
                blobs_->commit(key, std::move(layer.blob));
                committed.push_back(key);
                sizes_[key] = layer.size;
            }
    } catch (...) {
        for (const std::string& key : committed) {
            blobs_->remove(key);
            sizes_.erase(key);
        }
        throw;
    }
}

std::string Store::take_image(const Description& description) {
    Image image;
    image.id = description.id;
    image.configuration = description.configuration;
    image.layers = description.diff_ids;
    image.names = description.names;
    image.loaded = services::realtime_nanoseconds() / 1'000'000'000;
    for (const std::string& layer : image.layers) image.size += sizes_[layer];
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

std::vector<Image> Store::list() {
    std::lock_guard lock(mutex_);
    std::vector<Image> result;
    for (const auto& [id, image] : images_) result.push_back(image);
    return result;
}

std::map<std::string, Image>::iterator Store::locate(std::string_view reference) {
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

std::optional<Image> Store::find(std::string_view reference) {
    std::lock_guard lock(mutex_);
    const auto found = locate(reference);
    return found == images_.end() ? std::nullopt : std::optional(found->second);
}

void Store::tag(std::string_view reference, std::string_view repository, std::string_view tag) {
    const std::string name = normalize_name(std::string(repository) + ":" + std::string(tag));
    std::lock_guard lock(mutex_);
    const auto found = locate(reference);
    if (found == images_.end()) throw ImageError(404, "No such image: " + std::string(reference));
    for (auto& [id, image] : images_) std::erase(image.names, name);
    found->second.names.push_back(name);
    std::ranges::sort(found->second.names);
}

ImageStore::Removed Store::remove(std::string_view reference, bool force, const std::vector<std::string>& in_use) {
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
    for (const std::string& layer : layers) {
        if (used.contains(layer) || !blobs_->remove(layer)) continue;
        sizes_.erase(layer);
        removed.deleted.push_back(layer);
    }
    return removed;
}

int Store::open_layer(std::string_view diff_id) {
    services::UniqueFd fd = blobs_->open(std::string(diff_id));
    if (!fd) throw ImageError(500, "the layer " + std::string(diff_id) + " is not there");
    return fd.release();
}

} // namespace images
