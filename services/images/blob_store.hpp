// Where layers lie: sealed, content-addressed files, keyed by diffID. On a node they are the store server's
// (channel_blobs.hpp); MemoryBlobs keeps them in memory files of this program.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "services/common/unique_fd.hpp"
#include "services/images/output.hpp"

namespace images {

// A file that is being written. Destroying one that was not committed leaves nothing.
class NewBlob : public Output {};

// All members may be called from any thread. Failures are ImageErrors: 400 where the store has no room for what the
// client sends, 500 where the system fails.
class BlobStore {
public:
    virtual ~BlobStore() = default;

    virtual std::unique_ptr<NewBlob> create() = 0;
    // Seals the file. `key` is "sha256:" and 64 digits. A key that is there already keeps its file, and the new one
    // goes.
    virtual void commit(const std::string& key, std::unique_ptr<NewBlob> blob) = 0;
    // Read-only. Not there: no descriptor.
    virtual services::UniqueFd open(const std::string& key) = 0;
    virtual bool contains(const std::string& key) = 0;
    // False where it is not there. Descriptors that are open stay good.
    virtual bool remove(const std::string& key) = 0;
    // Bytes that all files may have together, and that they have: those being written count.
    virtual std::uint64_t capacity() = 0;
    virtual std::uint64_t used() = 0;
};

class MemoryBlobs : public BlobStore {
public:
    explicit MemoryBlobs(std::uint64_t capacity);
    ~MemoryBlobs() override;

    std::unique_ptr<NewBlob> create() override;
    void commit(const std::string& key, std::unique_ptr<NewBlob> blob) override;
    services::UniqueFd open(const std::string& key) override;
    bool contains(const std::string& key) override;
    bool remove(const std::string& key) override;
    std::uint64_t capacity() override;
    std::uint64_t used() override;

private:
    class Account; // what the files have together
    class File;
    std::shared_ptr<Account> account_; // files may outlive the store
    std::mutex mutex_;                 // of what follows
    std::map<std::string, std::unique_ptr<File>> files_;
};

} // namespace images
