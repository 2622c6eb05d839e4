// One layer: from its tar archive, as it comes, into an EROFS image in the store, with all digests in the same pass.
#pragma once
#include <memory>
#include <string>

#include "services/common/tar_reader.hpp"
#include "services/images/blob_store.hpp"

namespace images {

struct Layer {
    std::unique_ptr<NewBlob> blob; // the EROFS image
    std::uint64_t size = 0;        // of it, bytes
    std::string diff_id;           // of the tar archive
    std::string digest;            // of the bytes that came: the same where they were not compressed
};

// Reads `source` to its end: a tar archive, plain or compressed. Throws TarError, ErofsError, CompressionError, and the
// store's ImageErrors.
Layer read_layer(const services::ByteSource& source, BlobStore& blobs);

} // namespace images
