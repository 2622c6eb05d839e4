#include "services/images/channel_blobs.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>
#include <vector>

#include "services/images/image_store.hpp"

namespace images {

namespace {

using abi::store::Message;
using abi::store::Tag;
using services::ChannelError;
using services::Reply;
using services::Request;

std::string size_text(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

ImageError failure(const std::string& what, const std::string& why) { return {500, what + ": " + why}; }

Request with_key(const std::string& key) {
    Request request;
    request.text(Tag::key, key);
    return request;
}

} // namespace

// Blobs that are being written belong to a session, so there is one for all. It is opened again where the server was
// started again.
class ChannelBlobs::Line {
public:
    explicit Line(std::string channel) : channel_(std::move(channel)) {}

    // Throws ChannelError.
    Reply call(Message message, Request&& request) {
        std::lock_guard lock(mutex_);
        if (!session_) session_.emplace(channel_);
        try {
            return session_->call(static_cast<std::uint32_t>(message), std::move(request));
        } catch (const ChannelError& error) {
            if (error.error == abi::Error::peer_closed) session_.reset();
            throw;
        }
    }
    std::uint64_t usage(Tag tag) {
        try {
            return call(Message::usage, Request()).number(tag);
        } catch (const ChannelError& error) {
            throw failure("the store does not tell its size", error.what());
        }
    }
    ImageError full() {
        return {400, "the image does not fit: the node has room for " + size_text(usage(Tag::capacity)) + " of layers, of which " +
                         size_text(usage(Tag::used)) + " are taken"};
    }

private:
    const std::string channel_;
    std::mutex mutex_;
    std::optional<services::Session> session_;
};

class ChannelBlobs::File : public NewBlob {
public:
    explicit File(std::shared_ptr<Line> line) : line_(std::move(line)) {
        try {
            Reply reply = line_->call(Message::blob_create, Request());
            if (reply.descriptors.size() != 1) throw ImageError(500, "the store gave no file for the layer");
            fd_ = std::move(reply.descriptors.front());
            number_ = reply.number(Tag::blob);
        } catch (const ChannelError& error) {
            if (error.error == abi::Error::no_memory) throw line_->full();
            throw failure("the store takes no layer", error.what());
        }
    }
    ~File() override {
        fd_.reset();
        if (number_ == 0) return;
        try {
            Request request;
            request.number(Tag::blob, number_);
            line_->call(Message::blob_drop, std::move(request));
        } catch (const ChannelError&) {
            // The session is gone, and the blob with it.
        }
    }

    void write(const void* data, std::size_t size, std::uint64_t offset) override {
        if (!services::write_all_at(fd_.get(), data, size, offset)) throw refused();
        if (offset + size > size_) size_ = offset + size;
    }
    void resize(std::uint64_t size) override {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) throw refused();
        size_ = size;
    }
    std::uint64_t size() const override { return size_; }

    // The blob is the store's from here on, whatever comes of it.
    void commit(const std::string& key) {
        // The store keeps whole pages; what lies behind the last byte is zero.
        constexpr std::uint64_t page = abi::page_size;
        resize((size_ + page - 1) / page * page);
        Request request = with_key(key);
        request.number(Tag::blob, std::exchange(number_, 0)).number(Tag::size, size_);
        fd_.reset();
        line_->call(Message::blob_commit, std::move(request));
    }

private:
    ImageError refused() { return errno == ENOSPC ? line_->full() : failure("cannot write the layer", std::strerror(errno)); }

    std::shared_ptr<Line> line_;
    services::UniqueFd fd_;
    std::uint64_t number_ = 0; // 0: committed
    std::uint64_t size_ = 0;
};

ChannelBlobs::ChannelBlobs(std::string channel) : line_(std::make_shared<Line>(std::move(channel))) {
    try {
        remove_all();
    } catch (const ChannelError& error) {
        throw failure("the store does not answer", error.what());
    }
}

ChannelBlobs::~ChannelBlobs() = default;

void ChannelBlobs::remove_all() {
    for (;;) {
        const Reply reply = line_->call(Message::blob_list, Request());
        std::vector<std::string> keys;
        auto records = reply.records();
        abi::TlvRecord record;
        while (records.next(record))
            if (record.tag == static_cast<std::uint16_t>(Tag::key)) keys.emplace_back(record.text());
        if (keys.empty()) return;
        for (const std::string& key : keys) line_->call(Message::blob_remove, with_key(key));
    }
}

std::unique_ptr<NewBlob> ChannelBlobs::create() { return std::make_unique<File>(line_); }

void ChannelBlobs::commit(const std::string& key, std::unique_ptr<NewBlob> blob) {
    // Every NewBlob of this store came from create().
    try {
        static_cast<File&>(*blob).commit(key);
    } catch (const ChannelError& error) {
        if (error.error == abi::Error::no_memory) throw line_->full();
        if (error.error != abi::Error::exists) throw failure("the store does not keep the layer", error.what());
    }
}

services::UniqueFd ChannelBlobs::open(const std::string& key) {
    try {
        Reply reply = line_->call(Message::blob_open, with_key(key));
        if (reply.descriptors.size() != 1) throw ImageError(500, "the store gave no file for the layer");
        return std::move(reply.descriptors.front());
    } catch (const ChannelError& error) {
        if (error.error == abi::Error::not_found) return {};
        throw failure("the store does not give the layer", error.what());
    }
}

bool ChannelBlobs::contains(const std::string& key) { return static_cast<bool>(open(key)); }

bool ChannelBlobs::remove(const std::string& key) {
    try {
        line_->call(Message::blob_remove, with_key(key));
        return true;
    } catch (const ChannelError& error) {
        if (error.error == abi::Error::not_found) return false;
        throw failure("the store does not remove the layer", error.what());
    }
}

std::uint64_t ChannelBlobs::capacity() { return line_->usage(Tag::capacity); }
std::uint64_t ChannelBlobs::used() { return line_->usage(Tag::used); }

} // namespace images
