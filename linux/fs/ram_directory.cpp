// Directories of the RAM file system.
#include "linux/fs/ram_file_system.hpp"

#include "lib/base/result.hpp"

#include <new>
#include <optional>

namespace personality {

namespace {

constexpr std::string_view opaque_marker = ".wh..wh..opq";

// Adds the entries of one layer's directory to a table that holds those of the layers above.
class MergeSink final : public LayerSink {
public:
    MergeSink(Dentry& directory, EntryTable& table, const Layer& layer) : directory_(directory), table_(table), layer_(layer) {}

    bool entry(std::string_view name, LayerNode node, std::uint32_t type) override {
        if (name == opaque_marker) {
            opaque = true;
            return true;
        }
        auto added = add(name, node, type);
        if (!added)
            error = added.error();
        return added.has_value();
    }

    bool opaque = false;
    std::optional<Errno> error;

private:
    LinuxResult<void> add(std::string_view name, LayerNode node, std::uint32_t type) {
        bool whiteout = false;
        if (type == mode::character) {
            auto attributes = layer_.attributes(node);
            if (!attributes)
                return fail(attributes.error());
            whiteout = attributes->special_device == 0;
        }
        if (RamEntry* above = table_.find(name)) {
            // A directory over a directory shows both; anything else hides what lies below it.
            const bool same_layer = !above->origins.view().empty() && above->origins.view().back().layer == &layer_;
            if (above->closed || same_layer)
                return {};
            if (type == mode::directory)
                return above->origins.add({&layer_, node});
            above->closed = true;
            return {};
        }
        auto text = Name::make(name);
        if (!text)
            return fail(text.error());
        auto* created = new (std::nothrow) RamEntry(base::Ref<Dentry>(directory_), std::move(*text), nullptr);
        if (created == nullptr)
            return fail(Errno::ENOMEM);
        auto reference = base::Ref<RamEntry>::adopt(*created);
        created->type = type;
        created->hidden = whiteout;
        created->closed = whiteout || type != mode::directory;
        if (auto recorded = created->origins.add({&layer_, node}); !recorded)
            return recorded;
        return table_.insert(std::move(reference));
    }

    Dentry& directory_;
    EntryTable& table_;
    const Layer& layer_;
};

} // namespace

LinuxResult<void> RamNode::merge(Dentry& self) {
    for (const LayerOrigin& origin : origins_.view()) {
        MergeSink sink(self, entries_, *origin.layer);
        auto listed = origin.layer->list(origin.node, sink);
        if (sink.error)
            return fail(*sink.error);
        if (!listed)
            return listed;
        if (sink.opaque)
            break;
    }
    for (auto next = entries_.ordered().begin(); next != entries_.ordered().end();) {
        RamEntry& entry = *next;
        ++next;
        if (entry.hidden)
            entries_.remove(entry);
    }
    return {};
}

LinuxResult<void> RamNode::populate(Dentry& self) {
    if (populated_)
        return {};
    auto merged = merge(self);
    if (!merged) {
        entries_.clear();
        return merged;
    }
    origins_ = LayerOrigins();
    populated_ = true;
    return {};
}

LinuxResult<void> RamNode::materialise(RamEntry& entry) {
    const LayerOrigin origin = entry.origins.view().front();
    auto attributes = origin.layer->attributes(origin.node);
    if (!attributes)
        return fail(attributes.error());
    const std::uint64_t hash = (origin.node ^ (origin.node >> 8) ^ (origin.node >> 16)) & 255;
    const bool directory = (attributes->mode & mode::type_mask) == mode::directory;
    const bool shared = attributes->links > 1 && !directory;
    if (shared) {
        if (RamNode* known = ram().find_shared(origin, hash)) {
            entry.set_inode(base::Ref<Inode>(*known));
            return {};
        }
    }
    auto* made = new (std::nothrow) RamNode(ram(), attributes->mode);
    if (made == nullptr)
        return fail(Errno::ENOMEM);
    auto node = base::Ref<RamNode>::adopt(*made);
    node->user_ = attributes->user;
    node->group_ = attributes->group;
    node->links_ = attributes->links == 0 ? 1 : attributes->links;
    node->device_ = attributes->special_device;
    node->accessed_ = node->modified_ = node->changed_ = node->created_ = attributes->modified;
    node->lower_attributes_ = *attributes;
    if (directory) {
        node->origins_ = std::move(entry.origins);
        node->populated_ = false;
    } else {
        node->lower_ = origin;
    }
    if (shared) {
        node->lower_origin_ = origin;
        node->retain();
        node->next_shared_ = ram().shared_[hash];
        ram().shared_[hash] = node.get();
    }
    entry.origins = LayerOrigins();
    entry.set_inode(std::move(node));
    return {};
}

LinuxResult<base::Ref<Dentry>> RamNode::lookup(Dentry& directory, std::string_view name) {
    if (!is_directory())
        return fail(Errno::ENOTDIR);
    if (auto ready = populate(directory); !ready)
        return fail(ready.error());
    RamEntry* entry = entries_.find(name);
    if (entry == nullptr)
        return fail(Errno::ENOENT);
    if (entry->inode() == nullptr) {
        if (auto made = materialise(*entry); !made)
            return fail(made.error());
    }
    return base::Ref<Dentry>(*entry);
}

LinuxResult<base::Ref<RamNode>> RamNode::new_node(const NewNode& node) {
    auto* made = new (std::nothrow) RamNode(ram(), node.mode);
    if (made == nullptr)
        return fail(Errno::ENOSPC);
    auto created = base::Ref<RamNode>::adopt(*made);
    created->user_ = node.user;
    created->group_ = node.group;
    if ((mode_ & mode::set_group) != 0) {
        created->group_ = group_;
        if (created->is_directory())
            created->mode_ |= mode::set_group;
    }
    created->device_ = node.device;
    if (created->is_directory())
        created->links_ = 2;
    if (created->is_symlink())
        created->target_ = TRY(Name::make(node.target));
    return created;
}

LinuxResult<base::Ref<Inode>> RamNode::make_unnamed(const NewNode& node) {
    base::Ref<RamNode> created = TRY(new_node(node));
    created->links_ = 0;
    return base::Ref<Inode>(std::move(created));
}

LinuxResult<base::Ref<Dentry>> RamNode::make(Dentry& directory, std::string_view name, const NewNode& node) {
    if (directory.unlinked())
        return fail(Errno::ENOENT);
    TRY(populate(directory));
    if (entries_.find(name) != nullptr)
        return fail(Errno::EEXIST);
    Name text = TRY(Name::make(name));
    base::Ref<RamNode> created = TRY(new_node(node));
    auto* entry = new (std::nothrow) RamEntry(base::Ref<Dentry>(directory), std::move(text), created);
    if (entry == nullptr)
        return fail(Errno::ENOSPC);
    entry->type = created->type();
    auto reference = base::Ref<RamEntry>::adopt(*entry);
    TRY(entries_.insert(reference));
    if (created->is_directory())
        ++links_;
    touch_modified();
    return base::Ref<Dentry>(std::move(reference));
}

LinuxResult<void> RamNode::link(Dentry& directory, std::string_view name, Inode& target) {
    if (directory.unlinked())
        return fail(Errno::ENOENT);
    TRY(populate(directory));
    if (entries_.find(name) != nullptr)
        return fail(Errno::EEXIST);
    auto& node = static_cast<RamNode&>(target);
    if (node.nameless)
        return fail(Errno::ENOENT);
    Name text = TRY(Name::make(name));
    auto* entry = new (std::nothrow) RamEntry(base::Ref<Dentry>(directory), std::move(text), base::Ref<Inode>(target));
    if (entry == nullptr)
        return fail(Errno::ENOSPC);
    entry->type = target.type();
    TRY(entries_.insert(base::Ref<RamEntry>::adopt(*entry)));
    ++node.links_;
    node.touch_changed();
    touch_modified();
    return {};
}

// The entry goes out of this directory for good.
void RamNode::forget_child(RamEntry& entry, bool directory) {
    base::Ref<RamEntry> removed = entries_.remove(entry);
    removed->set_unlinked(true);
    auto& node = static_cast<RamNode&>(*removed->inode());
    if (directory) {
        node.links_ = 0;
        --links_;
    } else if (node.links_ != 0) {
        --node.links_;
    }
    node.touch_changed();
    touch_modified();
}

LinuxResult<void> RamNode::unlink(Dentry&, Dentry& child) {
    forget_child(static_cast<RamEntry&>(child), false);
    return {};
}

bool RamNode::empty_directory() { return entries_.count() == 0; }

LinuxResult<void> RamNode::remove_directory(Dentry&, Dentry& child) {
    auto& node = static_cast<RamNode&>(*child.inode());
    TRY(node.populate(child));
    if (!node.empty_directory())
        return fail(Errno::ENOTEMPTY);
    forget_child(static_cast<RamEntry&>(child), true);
    return {};
}

LinuxResult<void> RamNode::rename(Dentry& directory, Dentry& child, Dentry& to, std::string_view name, Dentry* replaced, bool exchange) {
    auto& target = static_cast<RamNode&>(*to.inode());
    if (to.unlinked())
        return fail(Errno::ENOENT);
    TRY(target.populate(to));
    auto& entry = static_cast<RamEntry&>(child);
    const bool moves_directory = child.inode()->is_directory();
    Name text = TRY(Name::make(name));
    if (exchange) {
        auto& other = static_cast<RamEntry&>(*replaced);
        Name other_text = TRY(Name::make(child.name()));
        const bool other_directory = other.inode()->is_directory();
        auto first = entries_.remove(entry);
        auto second = target.entries_.remove(other);
        first->move(base::Ref<Dentry>(to), std::move(text));
        second->move(base::Ref<Dentry>(directory), std::move(other_text));
        // Neither insertion can fail: each table has just given up an entry and keeps its buckets.
        (void)target.entries_.insert(std::move(first));
        (void)entries_.insert(std::move(second));
        if (moves_directory != other_directory && &target != this) {
            links_ += other_directory ? 1u : -1u;
            target.links_ += moves_directory ? 1u : -1u;
        }
        touch_modified();
        target.touch_modified();
        return {};
    }
    if (replaced != nullptr) {
        auto& old = static_cast<RamNode&>(*replaced->inode());
        if (old.is_directory()) {
            TRY(old.populate(*replaced));
            if (!old.empty_directory())
                return fail(Errno::ENOTEMPTY);
        }
        target.forget_child(static_cast<RamEntry&>(*replaced), old.is_directory());
    }
    auto moved = entries_.remove(entry);
    auto inserted = target.entries_.insert(moved);
    if (!inserted) {
        (void)entries_.insert(std::move(moved));
        return inserted;
    }
    // The table hashes by name: take it out under the old one, put it in under the new one.
    auto again = target.entries_.remove(entry);
    again->move(base::Ref<Dentry>(to), std::move(text));
    (void)target.entries_.insert(std::move(again));
    if (moves_directory && &target != this) {
        --links_;
        ++target.links_;
    }
    static_cast<RamNode&>(*child.inode()).touch_changed();
    touch_modified();
    target.touch_modified();
    return {};
}

LinuxResult<void> RamNode::list(Dentry& directory, std::uint64_t position, DirectorySink& sink) {
    if (!is_directory())
        return fail(Errno::ENOTDIR);
    TRY(populate(directory));
    for (RamEntry& entry : entries_.ordered()) {
        if (entry.position <= position)
            continue;
        if (entry.inode() == nullptr)
            TRY(materialise(entry));
        const auto name = entry.name();
        if (!sink.entry(entry.inode()->number(), entry.position, directory_entry_type(entry.type), {name.data(), name.size()}))
            break;
    }
    return {};
}

} // namespace personality
