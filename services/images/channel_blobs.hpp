// Layers in the node's store server (abi/store.hpp).
#pragma once
#include <functional>
#include <optional>

#include "abi/store.hpp"
#include "services/common/channel.hpp"
#include "services/images/blob_store.hpp"

namespace images {

class ChannelBlobs : public BlobStore {
public:
    // `channel`: the name of the store's channel. What an engine before this one committed is removed: its images' descriptions went with it.
    explicit ChannelBlobs(std::string channel);
    ~ChannelBlobs() override;

    std::unique_ptr<NewBlob> create() override;
    void commit(const std::string& key, std::unique_ptr<NewBlob> blob) override;
    services::UniqueFd open(const std::string& key) override;
    bool contains(const std::string& key) override;
    bool remove(const std::string& key) override;
    std::uint64_t capacity() override;
    std::uint64_t used() override;

private:
    class Line; // the session, by turns
    class File;
    void remove_all();
    std::shared_ptr<Line> line_; // files may outlive the store
};

} // namespace images
