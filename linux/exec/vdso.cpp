#include "linux/exec/vdso.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"

#include <new>

extern "C" const std::byte vdso_image[], vdso_image_end[];

namespace personality {

namespace {

// What the areas map. It has no name in the file system.
class MemoryWindow final : public File {
public:
    MemoryWindow(abi::Handle memory, std::uint64_t length) : memory_(memory), length_(length) {}
    LinuxResult<BackingMemory> backing(std::uint64_t offset, std::uint64_t) override {
        return BackingMemory{memory_, offset, offset < length_ ? length_ - offset : 0, false};
    }

private:
    abi::Handle memory_; // kept as long as the sandbox lives
    std::uint64_t length_;
};

struct Windows {
    base::Ref<File> clock, object;
    std::uint64_t object_length = 0;
};
[[clang::no_destroy]] constinit Windows windows;

LinuxResult<base::Ref<File>> make_window(abi::Handle memory, std::uint64_t length) {
    auto* window = new (std::nothrow) MemoryWindow(memory, length);
    if (window == nullptr)
        return fail(Errno::ENOMEM);
    return base::Ref<File>(base::Ref<MemoryWindow>::adopt(*window));
}

// Sealed, so that not even the personality can change what guests run.
LinuxResult<base::Ref<File>> make_object(std::uint64_t length) {
    auto memory = native::own(native::call::memory_create(native::self().quota, length, 0));
    if (!memory)
        return fail(Errno::ENOMEM);
    const auto bytes = std::span(vdso_image, static_cast<std::size_t>(vdso_image_end - vdso_image));
    if (!native::call::memory_write(memory->get(), 0, bytes) || !native::call::memory_seal(memory->get()))
        return fail(Errno::ENOMEM);
    auto window = TRY(make_window(memory->get(), length));
    (void)memory->release();
    return window;
}

LinuxResult<void> prepare() {
    windows.object_length = native::page_round(static_cast<std::uint64_t>(vdso_image_end - vdso_image));
    auto object = TRY(make_object(windows.object_length));
    windows.clock = TRY(make_window(native::granted("clock"), abi::page_size));
    windows.object = std::move(object);
    return {};
}

} // namespace

LinuxResult<void> map_vdso(MemoryMap& memory) {
    if (native::granted("clock") == abi::no_handle)
        return {};
    if (!windows.object)
        TRY(prepare());
    // Where there is room for both, the one behind the other.
    MapRequest request;
    request.length = abi::page_size + windows.object_length;
    request.address = TRY(memory.map(request));
    request.fixed = request.replace = true;
    request.length = abi::page_size;
    request.protection = abi::protection::read;
    request.flags = area_flag::may_not_write | area_flag::vvar;
    request.file = windows.clock;
    TRY(memory.map(request));
    request.address += abi::page_size;
    request.length = windows.object_length;
    request.protection = abi::protection::read | abi::protection::execute;
    request.flags = area_flag::may_not_write | area_flag::vdso;
    request.file = windows.object;
    TRY(memory.map(request));
    memory.vdso = request.address;
    return {};
}

} // namespace personality
