#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "services/images/blob_store.hpp"
#include "services/images/image_store.hpp"

namespace images {

namespace {

std::string size_text(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

ImageError failure(const std::string& what) { return {500, what + ": " + std::strerror(errno)}; }

} // namespace

class MemoryBlobs::Account {
public:
    explicit Account(std::uint64_t capacity) : capacity(capacity) {}
    const std::uint64_t capacity;

    // False, and nothing is taken, where it would be more than the capacity.
    bool take(std::uint64_t bytes) {
        std::lock_guard lock(mutex_);
        if (bytes > capacity - used_) return false;
        used_ += bytes;
        return true;
    }
    void give(std::uint64_t bytes) {
        std::lock_guard lock(mutex_);
        used_ -= bytes;
    }
    std::uint64_t used() {
        std::lock_guard lock(mutex_);
        return used_;
    }

private:
    std::mutex mutex_;
    std::uint64_t used_ = 0;
};

class MemoryBlobs::File : public NewBlob {
public:
    explicit File(std::shared_ptr<Account> account)
        : account_(std::move(account)), fd_(::memfd_create("layer", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        if (!fd_) throw failure("no memory for the layer");
    }
    ~File() override { account_->give(size_); }

    void write(const void* data, std::size_t size, std::uint64_t offset) override {
        if (size > UINT64_MAX - offset) throw full();
        if (offset + size > size_) grow(offset + size);
        if (!services::write_all_at(fd_.get(), data, size, offset)) throw failure("cannot write the layer");
    }
    void resize(std::uint64_t size) override {
        if (size > size_) grow(size);
        if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) throw failure("cannot write the layer");
        account_->give(size_ - size);
        size_ = size;
    }
    std::uint64_t size() const override { return size_; }

    void seal() {
        constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
        if (::fcntl(fd_.get(), F_ADD_SEALS, seals) != 0) throw failure("cannot seal the layer");
    }
    services::UniqueFd duplicate() const {
        services::UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
        if (!fd) throw failure("cannot open the layer");
        return fd;
    }

private:
    ImageError full() const {
        return {400, "the image does not fit: the node has room for " + size_text(account_->capacity) +
                         " of layers, of which " + size_text(account_->used()) + " are taken"};
    }
    void grow(std::uint64_t size) {
        if (!account_->take(size - size_)) throw full();
        size_ = size;
    }

    std::shared_ptr<Account> account_;
    services::UniqueFd fd_;
    std::uint64_t size_ = 0; // taken from the account
};

MemoryBlobs::MemoryBlobs(std::uint64_t capacity) : account_(std::make_shared<Account>(capacity)) {}
MemoryBlobs::~MemoryBlobs() = default;

std::unique_ptr<NewBlob> MemoryBlobs::create() { return std::make_unique<File>(account_); }

void MemoryBlobs::commit(const std::string& key, std::unique_ptr<NewBlob> blob) {
    // Every NewBlob of this store came from create().
    std::unique_ptr<File> file(static_cast<File*>(blob.release()));
    file->seal();
    std::lock_guard lock(mutex_);
    files_.try_emplace(key, std::move(file));
}

services::UniqueFd MemoryBlobs::open(const std::string& key) {
    std::lock_guard lock(mutex_);
    const auto found = files_.find(key);
    return found == files_.end() ? services::UniqueFd() : found->second->duplicate();
}

bool MemoryBlobs::contains(const std::string& key) {
    std::lock_guard lock(mutex_);
    return files_.contains(key);
}

bool MemoryBlobs::remove(const std::string& key) {
    std::lock_guard lock(mutex_);
    return files_.erase(key) > 0;
}

std::uint64_t MemoryBlobs::capacity() { return account_->capacity; }
std::uint64_t MemoryBlobs::used() { return account_->used(); }

} // namespace images
