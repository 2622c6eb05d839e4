#include "kernel/init/boot_information.hpp"

#include "kernel/core/panic.hpp"

namespace {

#define REQUEST [[gnu::used, gnu::section(".requests")]] alignas(8)

[[gnu::used, gnu::section(".requests_start")]] alignas(8) volatile std::uint64_t start_marker[4] = {limine::requests_start[0], limine::requests_start[1],
                                                                                                     limine::requests_start[2], limine::requests_start[3]};
[[gnu::used, gnu::section(".requests_end")]] alignas(8) volatile std::uint64_t end_marker[2] = {limine::requests_end[0], limine::requests_end[1]};

REQUEST volatile std::uint64_t base_revision[3] = {limine::base_revision_magic[0], limine::base_revision_magic[1], 2};
REQUEST limine::Request memory_map = limine::request(limine::memory_map);
REQUEST limine::Request hhdm = limine::request(limine::hhdm);
REQUEST limine::Request executable_address = limine::request(limine::executable_address);
REQUEST limine::Request executable_file = limine::request(limine::executable_file);
REQUEST limine::Request modules = limine::request(limine::modules);
REQUEST limine::Request rsdp = limine::request(limine::rsdp);
REQUEST limine::Request framebuffer = limine::request(limine::framebuffer);

constinit kernel::BootInformation information;

// The loader writes the answers behind the compiler's back.
template <class Response> const Response* response(const limine::Request& request) {
    return static_cast<const Response*>(*const_cast<void* const volatile*>(&request.response));
}

bool equal(const char* text, std::string_view expected) { return text != nullptr && std::string_view(text) == expected; }

} // namespace

namespace kernel {

std::string_view BootInformation::option(std::string_view key) const {
    std::string_view rest = command();
    while (!rest.empty()) {
        const std::size_t end = rest.find(' ');
        const std::string_view word = rest.substr(0, end);
        if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
            return word.substr(key.size() + 1);
        if (end == std::string_view::npos)
            break;
        rest.remove_prefix(end + 1);
    }
    return {};
}

const BootInformation& read_boot_information() {
    if (base_revision[2] != 0)
        panic("the loader does not know the Limine protocol's base revision 2");
    const auto* map = response<limine::MemoryMapResponse>(memory_map);
    const auto* direct = response<limine::HhdmResponse>(hhdm);
    const auto* address = response<limine::ExecutableAddressResponse>(executable_address);
    const auto* files = response<limine::ModulesResponse>(modules);
    if (map == nullptr || direct == nullptr || address == nullptr || files == nullptr)
        panic("the loader gave no memory map, direct map, kernel address or modules");
    information.direct_map = direct->offset;
    information.kernel_physical = address->physical_base;
    for (std::uint64_t i = 0; i < map->count && i < sizeof information.memory / sizeof information.memory[0]; ++i)
        information.memory[information.memory_count++] = *map->entries[i];
    for (std::uint64_t i = 0; i < files->count; ++i) {
        const limine::File& file = *files->files[i];
        const BootModule module{reinterpret_cast<std::uint64_t>(file.address) - direct->offset, file.size};
        if (equal(file.string, "init"))
            information.init = module;
        else if (equal(file.string, "root"))
            information.root = module;
    }
    if (const auto* pointer = response<limine::RsdpResponse>(rsdp))
        information.rsdp = pointer->address >= direct->offset ? pointer->address - direct->offset : pointer->address;
    if (const auto* list = response<limine::FramebufferResponse>(framebuffer); list != nullptr && list->count > 0) {
        information.framebuffer = *list->framebuffers[0];
        information.framebuffer_physical = information.framebuffer.address - direct->offset;
    }
    if (const auto* file = response<limine::ExecutableFileResponse>(executable_file); file != nullptr && file->file->string != nullptr) {
        const std::string_view text = file->file->string;
        text.copy(information.command_line, sizeof information.command_line - 1);
    }
    return information;
}

} // namespace kernel
