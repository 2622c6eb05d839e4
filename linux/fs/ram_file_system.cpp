// Regular files, symbolic links and special files of the RAM file system, and the file system itself.
#include "linux/fs/ram_file_system.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/kernel_memory.hpp"
#include "linux/fs/quota.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace personality {

namespace {
bool earlier(const Timestamp& a, const Timestamp& b) { return a.seconds != b.seconds ? a.seconds < b.seconds : a.nanoseconds < b.nanoseconds; }
} // namespace

RamNode::RamNode(RamFileSystem& file_system, std::uint32_t mode) : Inode(file_system, file_system.next_number(), mode) {}
RamFileSystem& RamNode::ram() const { return static_cast<RamFileSystem&>(file_system()); }

std::uint64_t RamNode::size() {
    if (is_directory())
        return 4096;
    if (lower_.layer != nullptr)
        return lower_attributes_.size;
    return is_symlink() ? target_.view().size() : data_.size();
}

void RamNode::stat(KernelStat& stat) {
    Inode::stat(stat);
    if (is_directory())
        stat.blocks = 8;
    else if (is_regular() && lower_.layer == nullptr)
        stat.blocks = (data_.allocated() + 511) / 512;
    else if (!is_regular())
        stat.blocks = 0;
}

LinuxResult<std::size_t> RamNode::read_at(std::uint64_t offset, std::span<std::byte> to) {
    if (is_directory())
        return fail(Errno::EISDIR);
    if (!is_regular())
        return fail(Errno::EINVAL);
    // As with the relatime mount option: the time of the last read matters only if it is older than the last change.
    if (!earlier(modified_, accessed_))
        accessed_ = file_time_now();
    if (lower_.layer == nullptr)
        return data_.read(offset, to);
    if (offset >= lower_attributes_.size)
        return std::size_t{0};
    return lower_.layer->read(lower_.node, offset, to.first(std::min<std::uint64_t>(to.size(), lower_attributes_.size - offset)));
}

// Takes the first `bytes` of the layer's file into RAM; from then on the file is RAM's alone.
LinuxResult<void> RamNode::copy_up(std::uint64_t bytes) {
    if (lower_.layer == nullptr)
        return {};
    bytes = std::min(bytes, lower_attributes_.size);
    constexpr std::size_t chunk = 64 * 1024;
    std::unique_ptr<std::byte[]> buffer(new (std::nothrow) std::byte[chunk]);
    if (!buffer)
        return fail(Errno::ENOMEM);
    for (std::uint64_t offset = 0; offset < bytes;) {
        const std::size_t wanted = std::min<std::uint64_t>(chunk, bytes - offset);
        auto got = lower_.layer->read(lower_.node, offset, {buffer.get(), wanted});
        LinuxResult<void> written = got && *got == wanted ? data_.write(offset, {buffer.get(), wanted}) : LinuxResult<void>(fail(Errno::EIO));
        if (!written) {
            (void)data_.resize(0);
            return written;
        }
        offset += wanted;
    }
    lower_ = {};
    return {};
}

LinuxResult<std::size_t> RamNode::write_at(std::uint64_t offset, std::span<const std::byte> from) {
    if (!is_regular())
        return fail(is_directory() ? Errno::EISDIR : Errno::EINVAL);
    if ((seals_ & (seal::write | seal::future_write)) != 0 || ((seals_ & seal::grow) != 0 && offset + from.size() > data_.size()))
        return fail(Errno::EPERM);
    TRY(copy_up(UINT64_MAX));
    TRY(data_.write(offset, from));
    touch_modified();
    return from.size();
}

LinuxResult<void> RamNode::truncate(std::uint64_t size) {
    if (!is_regular())
        return fail(is_directory() ? Errno::EISDIR : Errno::EINVAL);
    if (((seals_ & seal::grow) != 0 && size > data_.size()) || ((seals_ & seal::shrink) != 0 && size < data_.size()))
        return fail(Errno::EPERM);
    TRY(copy_up(size));
    TRY(data_.resize(size));
    touch_modified();
    return {};
}

LinuxResult<void> RamNode::allocate(std::uint64_t offset, std::uint64_t length, bool keep_size, bool punch) {
    if (!is_regular())
        return fail(Errno::ENODEV);
    if ((punch && (seals_ & seal::write) != 0) || (!keep_size && (seals_ & seal::grow) != 0 && offset + length > data_.size()))
        return fail(Errno::EPERM);
    TRY(copy_up(UINT64_MAX));
    if (punch)
        TRY(data_.clear_range(offset, length));
    else if (!keep_size && offset + length > data_.size())
        TRY(data_.resize(offset + length));
    touch_modified();
    return {};
}

LinuxResult<BackingMemory> RamNode::backing(std::uint64_t offset, std::uint64_t, bool writable) {
    if (!is_regular())
        return fail(Errno::ENODEV);
    if (lower_.layer != nullptr && (writable || !lower_attributes_.contiguous))
        TRY(copy_up(UINT64_MAX));
    const std::uint64_t bytes = size();
    const std::uint64_t length = offset < bytes ? bytes - offset : 0;
    if (lower_.layer != nullptr)
        return BackingMemory{lower_.layer->memory(), lower_attributes_.data_offset + offset, length, false};
    const bool may_write = data_.writable() && (seals_ & (seal::write | seal::future_write)) == 0;
    return BackingMemory{TRY(data_.memory()), offset, length, may_write};
}

LinuxResult<std::uint32_t> RamNode::seals() {
    if (!is_regular())
        return fail(Errno::EINVAL);
    return sealable_ ? seals_ : seals_ | seal::seal;
}

LinuxResult<void> RamNode::add_seals(std::uint32_t added) {
    if (!is_regular() || (added & ~seal::all) != 0)
        return fail(Errno::EINVAL);
    if (!sealable_ || (seals_ & seal::seal) != 0)
        return fail(Errno::EPERM);
    seals_ |= added;
    return {};
}

LinuxResult<std::size_t> RamNode::read_link(std::span<char> to) {
    if (!is_symlink())
        return fail(Errno::EINVAL);
    if (lower_.layer != nullptr) {
        const std::size_t wanted = std::min<std::uint64_t>(to.size(), lower_attributes_.size);
        return lower_.layer->read(lower_.node, 0, std::as_writable_bytes(to.first(wanted)));
    }
    const auto target = target_.view();
    const std::size_t count = std::min(to.size(), target.size());
    std::memcpy(to.data(), target.data(), count);
    return count;
}

LinuxResult<base::Ref<File>> RamNode::open_special(const Location& location, std::uint32_t flags) {
    if (opener_ != nullptr)
        return opener_(location, flags);
    return base::Ref<File>();
}

LinuxResult<RamFileSystem*> RamFileSystem::make(std::uint32_t mode, std::string_view type_name) {
    std::unique_ptr<RamFileSystem> made(new (std::nothrow) RamFileSystem(type_name));
    if (!made)
        return fail(Errno::ENOMEM);
    auto* node = new (std::nothrow) RamNode(*made, mode::directory | (mode & mode::permissions));
    if (node == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<Inode>::adopt(*node);
    node->links_ = 2;
    auto* root = new (std::nothrow) RamEntry(nullptr, Name(), std::move(reference));
    if (root == nullptr)
        return fail(Errno::ENOMEM);
    made->root_ = base::Ref<Dentry>::adopt(*root);
    return made.release();
}

LinuxResult<RamFileSystem*> RamFileSystem::make_layered(std::span<const Layer* const> layers) {
    std::unique_ptr<RamFileSystem> made(TRY(make(0755, "overlay")));
    auto& root = static_cast<RamNode&>(*made->root_->inode());
    for (std::size_t i = layers.size(); i-- != 0;) {
        const LayerNode node = layers[i]->root();
        const LayerAttributes attributes = TRY(layers[i]->attributes(node));
        if ((attributes.mode & mode::type_mask) != mode::directory)
            return fail(Errno::EIO);
        if (i + 1 == layers.size()) {
            root.mode_ = attributes.mode;
            root.user_ = attributes.user;
            root.group_ = attributes.group;
        }
        TRY(root.origins_.add({layers[i], node}));
        root.populated_ = false;
    }
    return made.release();
}

RamNode* RamFileSystem::find_shared(LayerOrigin origin, std::uint64_t hash) const {
    for (RamNode* node = shared_[hash]; node != nullptr; node = node->next_shared_)
        if (node->lower_origin_.layer == origin.layer && node->lower_origin_.node == origin.node)
            return node;
    return nullptr;
}

// Children hold their parents and directories their children: undo that from the leaves up.
void RamFileSystem::tear_down(Dentry& directory) {
    auto& node = static_cast<RamNode&>(*directory.inode());
    for (RamEntry& entry : node.entries_.ordered())
        if (entry.inode() != nullptr && entry.inode()->is_directory())
            tear_down(entry);
    node.entries_.clear();
}

RamFileSystem::~RamFileSystem() {
    if (root_)
        tear_down(*root_);
    for (RamNode* head : shared_)
        while (head != nullptr) {
            RamNode* next = head->next_shared_;
            head->release();
            head = next;
        }
}

void RamFileSystem::statistics(FileSystemStat& stat) {
    stat.type = type_name_ == "overlay" ? 0x794c7630 : 0x01021994;
    const QuotaFigures figures = quota_figures();
    stat.blocks = figures.limit_pages;
    stat.free_blocks = figures.limit_pages - std::min(figures.limit_pages, figures.used_pages);
    stat.files = figures.limit_pages * 4;
    stat.free_files = stat.free_blocks * 4;
}

} // namespace personality
