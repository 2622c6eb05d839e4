// A file system in RAM, empty (tmpfs) or above read-only layers (a container's root).
//
// The RAM tree is the only truth: a directory takes over the merged entries of its layers when it is first looked into, so a removal needs no whiteout and a
// rename of a layer's directory no copying. Inodes of the layers come into being when first looked up, keep their number, and read their bytes from the
// layer until the first change.
#pragma once
#include "lib/base/list.hpp"
#include "linux/fs/dentry.hpp"
#include "linux/fs/file_data.hpp"
#include "linux/fs/layer.hpp"

#include <array>

namespace personality {

class RamFileSystem;
class RamNode;

// Where an entry comes from in the layers, the highest first. Only directories have more than one origin.
struct LayerOrigin {
    const Layer* layer;
    LayerNode node;
};
class LayerOrigins {
public:
    LayerOrigins() = default;
    LayerOrigins(LayerOrigins&& other) noexcept : items_(std::exchange(other.items_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    LayerOrigins& operator=(LayerOrigins&& other) noexcept {
        std::swap(items_, other.items_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~LayerOrigins() { delete[] items_; }
    LinuxResult<void> add(LayerOrigin origin);
    std::span<const LayerOrigin> view() const { return {items_, count_}; }

private:
    LayerOrigin* items_ = nullptr;
    std::uint32_t count_ = 0;
};

class RamEntry final : public Dentry, public base::ListNode {
public:
    RamEntry(base::Ref<Dentry> parent, Name name, base::Ref<Inode> inode) : Dentry(std::move(parent), std::move(name), std::move(inode)) {}

    RamEntry* next_in_bucket = nullptr;
    std::uint64_t position = 0; // grows with every insertion into the directory, so listings survive changes
    LayerOrigins origins;       // until the inode is made
    std::uint32_t type = 0;     // mode::type_mask bits
    bool closed = false;        // while merging: lower layers add nothing
    bool hidden = false;        // while merging: a whiteout
};

// The entries of one directory: a hash table, and a list in order of insertion. Owns a reference to each.
class EntryTable {
public:
    EntryTable() = default;
    ~EntryTable() { clear(); }
    RamEntry* find(std::string_view name) const;
    LinuxResult<void> insert(base::Ref<RamEntry> entry);
    // Takes the entry out and gives its reference.
    base::Ref<RamEntry> remove(RamEntry& entry);
    void clear();
    std::uint32_t count() const { return count_; }
    base::List<RamEntry>& ordered() { return ordered_; }

private:
    LinuxResult<void> grow();
    base::List<RamEntry> ordered_;
    RamEntry** buckets_ = nullptr;
    std::uint32_t bucket_count_ = 0;
    std::uint32_t count_ = 0;
    std::uint64_t last_position_ = 2; // 0, 1 and 2 stand for the start, "." and ".."
};

class RamNode final : public Inode {
public:
    RamNode(RamFileSystem& file_system, std::uint32_t mode);

    void stat(KernelStat& stat) override;
    std::uint64_t size() override;
    std::uint64_t special_device() const override { return device_; }
    LinuxResult<base::Ref<Dentry>> lookup(Dentry& directory, std::string_view name) override;
    LinuxResult<base::Ref<Dentry>> make(Dentry& directory, std::string_view name, const NewNode& node) override;
    LinuxResult<void> link(Dentry& directory, std::string_view name, Inode& target) override;
    LinuxResult<base::Ref<Inode>> make_unnamed(const NewNode& node) override;
    LinuxResult<void> unlink(Dentry& directory, Dentry& child) override;
    LinuxResult<void> remove_directory(Dentry& directory, Dentry& child) override;
    LinuxResult<void> rename(Dentry& directory, Dentry& child, Dentry& to, std::string_view name, Dentry* replaced, bool exchange) override;
    LinuxResult<void> list(Dentry& directory, std::uint64_t position, DirectorySink& sink) override;
    bool empty_directory() override;
    LinuxResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> to) override;
    LinuxResult<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> from) override;
    LinuxResult<void> truncate(std::uint64_t size) override;
    LinuxResult<void> allocate(std::uint64_t offset, std::uint64_t length, bool keep_size, bool punch) override;
    LinuxResult<BackingMemory> backing(std::uint64_t offset, std::uint64_t length, bool writable) override;
    LinuxResult<std::size_t> read_link(std::span<char> to) override;
    LinuxResult<std::uint32_t> seals() override;
    LinuxResult<void> add_seals(std::uint32_t added) override;
    LinuxResult<base::Ref<File>> open_special(const Location& location, std::uint32_t flags) override;

    // A file whose contents are an existing Memory (memfd, a channel's blob).
    FileData& data() { return data_; }
    // memfd: seals may be added.
    void allow_seals() { sealable_ = true; }
    // What open gives for this special file, in place of the device number's driver.
    using Opener = LinuxResult<base::Ref<File>> (*)(const Location& location, std::uint32_t flags);
    void set_opener(Opener opener) { opener_ = opener; }

private:
    friend class RamFileSystem;
    RamFileSystem& ram() const;
    LinuxResult<void> populate(Dentry& self);
    LinuxResult<void> merge(Dentry& self);
    LinuxResult<void> materialise(RamEntry& entry);
    LinuxResult<base::Ref<RamNode>> new_node(const NewNode& node);
    LinuxResult<void> copy_up(std::uint64_t bytes);
    void forget_child(RamEntry& entry, bool directory);

    EntryTable entries_;       // directories
    LayerOrigins origins_;     // directories: until populated
    LayerOrigin lower_{};      // files: until copied up
    LayerAttributes lower_attributes_{};
    LayerOrigin lower_origin_{}; // where it came from, kept after copying up: other names of a hard link find it so
    FileData data_;            // regular files
    Name target_;              // symbolic links
    std::uint64_t device_ = 0;
    Opener opener_ = nullptr;
    RamNode* next_shared_ = nullptr; // chain of hard-linked inodes of the layers
    std::uint32_t seals_ = 0;
    bool sealable_ = false;
    bool populated_ = true;
};

class RamFileSystem final : public FileSystem {
public:
    // An empty file system. Mode is that of the root directory.
    static LinuxResult<RamFileSystem*> make(std::uint32_t mode, std::string_view type_name);
    // Above `layers`, the lowest first; they must outlive the file system.
    static LinuxResult<RamFileSystem*> make_layered(std::span<const Layer* const> layers);
    ~RamFileSystem() override;

    std::string_view type_name() const override { return type_name_; }
    void statistics(FileSystemStat& stat) override;
    base::Ref<Dentry> root() override { return root_; }

private:
    friend class RamNode;
    explicit RamFileSystem(std::string_view type_name) : type_name_(type_name) {}
    RamNode* find_shared(LayerOrigin origin, std::uint64_t hash) const;
    void tear_down(Dentry& directory);

    std::string_view type_name_;
    base::Ref<Dentry> root_;
    std::array<RamNode*, 256> shared_{}; // inodes of the layers with more than one name, each with a reference
};

} // namespace personality
