// The test double of kernel_memory.hpp: Memory objects in the heap of the test program.
#include "linux/fs/kernel_memory.hpp"

#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace personality::kernel_memory {

namespace {
struct Memory {
    std::vector<std::byte> bytes;
    bool sealed = false;
};
std::map<abi::Handle, std::shared_ptr<Memory>>& table() {
    static std::map<abi::Handle, std::shared_ptr<Memory>> memories;
    return memories;
}
abi::Handle last = 0x1'0000'0000;
Memory* find(abi::Handle handle) {
    auto found = table().find(handle);
    return found == table().end() ? nullptr : found->second.get();
}
std::uint64_t round_up(std::uint64_t size) { return (size + abi::page_size - 1) & ~(abi::page_size - 1); }
constexpr std::uint64_t limit = 256ull << 20; // what the pretended quota allows
} // namespace

LinuxResult<abi::Handle> create(std::uint64_t size) {
    if (size > limit)
        return fail(Errno::ENOMEM);
    auto memory = std::make_shared<Memory>();
    memory->bytes.resize(round_up(size));
    table()[++last] = std::move(memory);
    return last;
}
LinuxResult<void> resize(abi::Handle handle, std::uint64_t size) {
    Memory* memory = find(handle);
    if (memory == nullptr)
        return fail(Errno::EBADF);
    if (memory->sealed)
        return fail(Errno::EPERM);
    if (size > limit)
        return fail(Errno::ENOMEM);
    memory->bytes.resize(round_up(size));
    return {};
}
LinuxResult<void> read(abi::Handle handle, std::uint64_t offset, std::span<std::byte> to) {
    Memory* memory = find(handle);
    if (memory == nullptr || offset > memory->bytes.size() || to.size() > memory->bytes.size() - offset)
        return fail(Errno::EIO);
    std::memcpy(to.data(), memory->bytes.data() + offset, to.size());
    return {};
}
LinuxResult<void> write(abi::Handle handle, std::uint64_t offset, std::span<const std::byte> from) {
    Memory* memory = find(handle);
    if (memory == nullptr || memory->sealed || offset > memory->bytes.size() || from.size() > memory->bytes.size() - offset)
        return fail(Errno::EIO);
    std::memcpy(memory->bytes.data() + offset, from.data(), from.size());
    return {};
}
LinuxResult<std::uint64_t> size(abi::Handle handle, std::uint64_t& frames) {
    Memory* memory = find(handle);
    if (memory == nullptr)
        return fail(Errno::EBADF);
    frames = memory->bytes.size() / abi::page_size;
    return memory->bytes.size();
}
LinuxResult<void> seal(abi::Handle handle) {
    Memory* memory = find(handle);
    if (memory == nullptr)
        return fail(Errno::EBADF);
    memory->sealed = true;
    return {};
}
LinuxResult<abi::Handle> duplicate(abi::Handle handle) {
    auto found = table().find(handle);
    if (found == table().end())
        return fail(Errno::EBADF);
    auto memory = found->second;
    table()[++last] = std::move(memory);
    return last;
}
void close(abi::Handle handle) { table().erase(handle); }

} // namespace personality::kernel_memory
