#include "linux/fs/memory_file.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/fs/mount.hpp"

#include <new>

namespace personality {

namespace {

RamFileSystem* file_system = nullptr; // made with the first file, kept for good

LinuxResult<RamFileSystem*> the_file_system() {
    if (file_system == nullptr)
        file_system = TRY(RamFileSystem::make(0777, "tmpfs"));
    return file_system;
}

LinuxResult<base::Ref<File>> make(std::string_view name, RamNode*& node, std::uint32_t flags) {
    RamFileSystem* files = TRY(the_file_system());
    base::Ref<Inode> inode = TRY(files->root()->inode()->make_unnamed({mode::regular | 0777, 0, 0}));
    node = static_cast<RamNode*>(inode.get());
    auto* entry = new (std::nothrow) Dentry(files->root(), TRY(Name::make(name)), std::move(inode));
    if (entry == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<Dentry>::adopt(*entry);
    reference->set_unlinked(true);
    return open_location({nullptr, std::move(reference)}, flags | open_flag::large_file);
}

} // namespace

LinuxResult<base::Ref<File>> make_memory_file(std::string_view name, bool sealable) {
    RamNode* node = nullptr;
    base::Ref<File> file = TRY(make(name, node, open_flag::read_write));
    if (sealable)
        node->allow_seals();
    return file;
}

LinuxResult<base::Ref<File>> adopt_memory_file(std::string_view name, abi::Handle memory, std::uint64_t size, bool writable) {
    RamNode* node = nullptr;
    base::Ref<File> file = TRY(make(name, node, writable ? open_flag::read_write : open_flag::read_only));
    node->data().adopt(memory, size, writable);
    return file;
}

LinuxResult<abi::Handle> memory_of_file(File& file) {
    if (file_system == nullptr || file.inode() == nullptr || &file.inode()->file_system() != file_system || !file.inode()->is_regular())
        return fail(Errno::EINVAL);
    return static_cast<RamNode&>(*file.inode()).data().memory();
}

} // namespace personality
