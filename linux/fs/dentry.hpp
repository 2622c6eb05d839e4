// A name in a directory and what it refers to. The tree of a RAM file system consists of these; file systems that make their contents up (procfs) create them
// for each look-up.
#pragma once
#include "lib/base/ref.hpp"
#include "linux/fs/inode.hpp"
#include "linux/fs/name.hpp"

namespace personality {

class Mount;

// Sandbox lock. A child holds its parent, so a path can always be told.
class Dentry : public base::RefCounted<Dentry> {
public:
    Dentry(base::Ref<Dentry> parent, Name name, base::Ref<Inode> inode);
    virtual ~Dentry();

    const base::Ref<Dentry>& parent() const { return parent_; } // null at the root of a file system
    std::string_view name() const { return name_.view(); }
    Inode* inode() const { return inode_.get(); }
    bool unlinked() const { return unlinked_; }
    bool is_root() const { return parent_ == nullptr; }
    // A rename moved it.
    void move(base::Ref<Dentry> parent, Name name);
    void set_inode(base::Ref<Inode> inode) { inode_ = std::move(inode); }
    void set_unlinked(bool unlinked) { unlinked_ = unlinked; }
    void drop_parent() { parent_ = nullptr; }

    // Mounts that cover this entry; 0 almost everywhere, so that a walk need not look.
    std::uint32_t mounts = 0;

private:
    base::Ref<Dentry> parent_;
    Name name_;
    base::Ref<Inode> inode_;
    bool unlinked_ = false;
};

// A place in the tree of names: what a path leads to.
struct Location {
    Location();
    Location(base::Ref<Mount> mount, base::Ref<Dentry> dentry);
    Location(const Location& other);
    Location(Location&& other) noexcept;
    Location& operator=(Location other) noexcept;
    ~Location();

    base::Ref<Mount> mount;
    base::Ref<Dentry> dentry;

    Inode* inode() const { return dentry ? dentry->inode() : nullptr; }
    explicit operator bool() const { return static_cast<bool>(dentry); }
    bool operator==(const Location& other) const { return mount == other.mount && dentry == other.dentry; }
};

} // namespace personality
