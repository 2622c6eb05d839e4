// The image store: images by name and id, their layers in a BlobStore.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "services/images/blob_store.hpp"
#include "services/images/image_store.hpp"
#include "services/images/manifest.hpp"

namespace images {

class Store : public ImageStore {
public:
    explicit Store(std::unique_ptr<BlobStore> blobs) : blobs_(std::move(blobs)) {}

    std::vector<std::string> load(const Reader& read) override;
    std::vector<Image> list() override;
    std::optional<Image> find(std::string_view reference) override;
    void tag(std::string_view reference, std::string_view repository, std::string_view tag) override;
    Removed remove(std::string_view reference, bool force, const std::vector<std::string>& in_use) override;
    int open_layer(std::string_view diff_id) override;

private:
    // The following hold the mutex.
    void commit_layers(Archive& archive, const std::vector<Description>& descriptions);
    std::string take_image(const Description& description);
    std::map<std::string, Image>::iterator locate(std::string_view reference);

    std::unique_ptr<BlobStore> blobs_;
    std::mutex mutex_;                           // of what follows, and of which layers are there
    std::map<std::string, Image> images_;        // by id
    std::map<std::string, std::uint64_t> sizes_; // bytes of each layer, by diffID
};

} // namespace images
