#include "services/images/layer.hpp"

#include "services/common/digest.hpp"
#include "services/images/decompressor.hpp"
#include "services/images/erofs_writer.hpp"

namespace images {

namespace {

// What heads and padding of an archive may need beyond the files' bytes.
constexpr std::uint64_t archive_overhead = std::uint64_t{1} << 30;

} // namespace

Layer read_layer(const services::ByteSource& source, BlobStore& blobs) {
    services::Sha256 received;
    services::Sha256 unpacked;
    Decompressor decompressor(
        [&](char* buffer, std::size_t size) {
            const std::size_t count = source(buffer, size);
            received.update(buffer, count);
            return count;
        },
        blobs.capacity() + archive_overhead);
    services::TarReader tar([&](char* buffer, std::size_t size) {
        const std::size_t count = decompressor.read(buffer, size);
        if (decompressor.compressed()) unpacked.update(buffer, count);
        return count;
    });
    Layer layer;
    layer.blob = blobs.create();
    ErofsWriter writer(*layer.blob);
    services::TarEntry entry;
    while (tar.next(entry)) writer.add(entry, tar);
    tar.drain();
    layer.size = writer.finish();
    layer.digest = received.finish();
    layer.diff_id = decompressor.compressed() ? unpacked.finish() : layer.digest;
    return layer;
}

} // namespace images
