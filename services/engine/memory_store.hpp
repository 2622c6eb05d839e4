// An image store that keeps its layers in memory files of its own program.
#pragma once
#include <map>
#include <mutex>

#include "services/common/tar_reader.hpp"
#include "services/common/unique_fd.hpp"
#include "services/images/open_store.hpp"

namespace images {

class MemoryStore : public ImageStore {
public:
    std::vector<std::string> load(const Reader& read) override;
    std::vector<Image> list() override;
    std::optional<Image> find(std::string_view reference) override;
    void tag(std::string_view reference, std::string_view repository, std::string_view tag) override;
    Removed remove(std::string_view reference, bool force, const std::vector<std::string>& in_use) override;
    int open_layer(std::string_view diff_id) override;

private:
    struct Layer {
        services::UniqueFd file; // sealed
        std::uint64_t size = 0;
    };
    struct Archive; // what was read of one archive
    using LayerPointer = std::shared_ptr<Layer>;
    static LayerPointer read_layer(const services::ByteSource& source, std::string& digest);
    static Archive read_archive(const Reader& read);
    std::string take_image(Archive& archive, const nlohmann::json& entry);
    std::map<std::string, Image>::iterator locate(std::string_view reference);

    std::mutex mutex_;                           // of what follows
    std::map<std::string, Image> images_;        // by id
    std::map<std::string, LayerPointer> layers_; // by diffID
};

} // namespace images
