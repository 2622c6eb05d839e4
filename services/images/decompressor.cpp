#include "services/images/decompressor.hpp"

#include <algorithm>
#include <cstring>

#include <zlib.h>
#include <zstd.h>

namespace images {

namespace {

constexpr std::size_t input_size = 256 << 10;
constexpr std::size_t direct_size = 64 << 10; // larger reads of plain streams go around the buffer
constexpr std::size_t head_size = 4;
constexpr int largest_window = 27; // log2 of bytes: what the format's own tools accept by default
constexpr std::string_view gzip_magic = "\x1f\x8b\x08", zstd_magic = "\x28\xb5\x2f\xfd";

} // namespace

class Decompressor::Codec {
public:
    virtual ~Codec() = default;
    struct Step {
        std::size_t taken, given;
        bool ended; // between two members or frames
    };
    virtual Step run(const char* input, std::size_t input_size, char* output, std::size_t output_size) = 0;
};

class Decompressor::Gzip : public Codec {
public:
    Gzip() {
        if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw CompressionError("no memory to decompress");
    }
    ~Gzip() override { inflateEnd(&stream_); }

    Step run(const char* input, std::size_t input_size, char* output, std::size_t output_size) override {
        if (ended_) inflateReset(&stream_);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input));
        stream_.avail_in = static_cast<uInt>(input_size);
        stream_.next_out = reinterpret_cast<Bytef*>(output);
        stream_.avail_out = static_cast<uInt>(output_size);
        const int result = inflate(&stream_, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            throw CompressionError("the gzip stream is damaged");
        ended_ = result == Z_STREAM_END;
        return {input_size - stream_.avail_in, output_size - stream_.avail_out, ended_};
    }

private:
    z_stream stream_{};
    bool ended_ = false;
};

class Decompressor::Zstd : public Codec {
public:
    Zstd() : stream_(ZSTD_createDCtx()) {
        if (stream_ == nullptr) throw CompressionError("no memory to decompress");
        ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, largest_window);
    }
    ~Zstd() override { ZSTD_freeDCtx(stream_); }

    Step run(const char* input, std::size_t input_size, char* output, std::size_t output_size) override {
        ZSTD_inBuffer in{input, input_size, 0};
        ZSTD_outBuffer out{output, output_size, 0};
        const std::size_t result = ZSTD_decompressStream(stream_, &out, &in);
        if (ZSTD_isError(result))
            throw CompressionError(std::string("the zstd stream is damaged: ") + ZSTD_getErrorName(result));
        return {in.pos, out.pos, result == 0};
    }

private:
    ZSTD_DCtx* stream_;
};

bool is_compressed(std::string_view head) { return head.starts_with(gzip_magic) || head.starts_with(zstd_magic); }

Decompressor::Decompressor(services::ByteSource source, std::uint64_t limit)
    : source_(std::move(source)), left_(limit), input_(input_size, '\0') {}
Decompressor::~Decompressor() = default;

// More input behind what is there; false at the source's end.
bool Decompressor::fill() {
    if (source_ended_) return false;
    if (begin_ == end_) begin_ = end_ = 0;
    const std::size_t count = source_(input_.data() + end_, input_.size() - end_);
    source_ended_ = count == 0;
    end_ += count;
    return count > 0;
}

std::size_t Decompressor::read_plain(char* buffer, std::size_t size) {
    if (begin_ == end_) {
        if (source_ended_) return 0;
        if (size >= direct_size) {
            const std::size_t count = source_(buffer, size);
            source_ended_ = count == 0;
            return count;
        }
        if (!fill()) return 0;
    }
    const std::size_t count = std::min(size, end_ - begin_);
    std::memcpy(buffer, input_.data() + begin_, count);
    begin_ += count;
    return count;
}

std::size_t Decompressor::read(char* buffer, std::size_t size) {
    if (!begun_) {
        while (end_ < head_size && fill()) {
        }
        const std::string_view head(input_.data(), end_);
        if (head.starts_with(gzip_magic))
            codec_ = std::make_unique<Gzip>();
        else if (head.starts_with(zstd_magic))
            codec_ = std::make_unique<Zstd>();
        begun_ = true;
    }
    if (!codec_) return read_plain(buffer, size);
    if (size == 0) return 0;
    for (;;) {
        // A codec whose last output filled the buffer may hold more of it, without further input.
        if (begin_ == end_ && !pending_ && !fill()) {
            if (ended_) return 0;
            throw CompressionError("the compressed stream ends too early");
        }
        const auto step = codec_->run(input_.data() + begin_, end_ - begin_, buffer, size);
        if (step.taken == 0 && step.given == 0 && begin_ != end_)
            throw CompressionError("the compressed stream is damaged");
        begin_ += step.taken;
        ended_ = step.ended;
        pending_ = !step.ended && step.given == size;
        if (step.given > left_)
            throw CompressionError("decompressed, the stream is larger than what the node can hold");
        left_ -= step.given;
        if (step.given > 0) return step.given;
    }
}

} // namespace images
