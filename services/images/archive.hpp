// What an image archive holds: small files as text, layers already in the store's form, links between them.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "services/common/tar_reader.hpp"
#include "services/images/blob_store.hpp"
#include "services/images/layer.hpp"

namespace images {

// A docker-save archive or the tar of an OCI layout. Names are paths within it, without "." and "..". A file whose name
// is a digest (blobs/sha256/..., or an image configuration of `docker save`) has it.
class Archive {
public:
    // Reads `source` to its end; plain or compressed. Throws what read_layer throws, and ImageError 400.
    Archive(const services::ByteSource& source, BlobStore& blobs);

    // Behind links. Nothing where there is none.
    const std::string* document(const std::string& name) const;
    Layer* layer(const std::string& name);

private:
    void read_file(const std::string& name, services::TarReader& tar, std::uint64_t size, BlobStore& blobs);
    std::string resolve(const std::string& name) const;

    std::map<std::string, std::string> documents_;
    std::map<std::string, Layer> layers_;
    std::map<std::string, std::string> links_;
    std::uint64_t document_bytes_ = 0;
};

} // namespace images
