// The direct loader: places the kernel, makes the tables and the answers that the Limine protocol asks for, and jumps. Everything is reached one to one; the kernel is
// given addresses in its higher-half direct map.
#include "boot/direct/platform.hpp"
#include "boot/limine.hpp"
#include "lib/base/processor_random.hpp"

#include <cstring>

extern "C" {
extern const unsigned char kernel_image_begin[], kernel_image_end[], init_image_begin[], init_image_end[];
extern unsigned char loader_begin[], loader_end[];
[[noreturn]] void enter_kernel(std::uint64_t entry, std::uint64_t root, std::uint64_t stack);
[[noreturn]] void loader_main(std::uint32_t kind, const void* information);
}

namespace loader {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t big_page = 2 << 20;
constexpr std::uint64_t direct_map = 0xffff'8000'0000'0000;
constexpr std::uint64_t four_gib = 4ull << 30;
constexpr std::uint64_t stack_bytes = 64 * 1024;

constexpr std::uint64_t present = 1, writable = 2, large = 0x80, no_execute = 1ull << 63;

std::uint64_t up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) & ~(to - 1); }
template <class T> T* direct(T* object) { return reinterpret_cast<T*>(reinterpret_cast<std::uint64_t>(object) + direct_map); }

Platform platform;

// --- the loader's own memory: the largest usable gap below 4 GiB, from its start upwards
Range arena;
std::uint64_t arena_used;

void choose_arena() {
    const Range taken[] = {{0, 0x100000, 0},
                           {reinterpret_cast<std::uint64_t>(loader_begin), reinterpret_cast<std::uint64_t>(loader_end), 0},
                           {platform.root.begin & ~(page - 1), up(platform.root.end, page), 0},
                           platform.information};
    for (std::size_t i = 0; i < platform.range_count; ++i) {
        const Range& range = platform.ranges[i];
        if (range.type != 1)
            continue;
        const std::uint64_t limit = range.end < four_gib ? range.end : four_gib;
        std::uint64_t begin = up(range.begin, page);
        while (begin < limit) {
            std::uint64_t end = limit, next = limit;
            for (const Range& used : taken)
                if (used.begin < end && used.end > begin) {
                    if (used.begin <= begin) {
                        end = begin;
                        next = used.end;
                        break;
                    }
                    end = used.begin;
                    next = used.end;
                }
            if (end > begin && end - begin > arena.end - arena.begin)
                arena = {begin, end & ~(page - 1), 0};
            begin = up(next > begin ? next : limit, page);
        }
    }
    arena_used = arena.begin;
    if (arena.end - arena.begin < (8 << 20))
        fatal("no 8 MiB of free memory below 4 GiB");
}

void* allocate(std::uint64_t bytes) {
    const std::uint64_t begin = arena_used;
    if (bytes > arena.end - begin)
        fatal("out of memory");
    arena_used = up(begin + bytes, page);
    std::memset(reinterpret_cast<void*>(begin), 0, arena_used - begin);
    return reinterpret_cast<void*>(begin);
}
template <class T> T* make(std::size_t count = 1) { return static_cast<T*>(allocate(count * sizeof(T))); }

// --- page tables
std::uint64_t* root_table;

std::uint64_t* entry_of(std::uint64_t address, unsigned level) {
    std::uint64_t* table = root_table;
    for (unsigned at = 3; at > level; --at) {
        std::uint64_t& entry = table[(address >> (12 + 9 * at)) & 511];
        if ((entry & present) == 0)
            entry = reinterpret_cast<std::uint64_t>(allocate(page)) | present | writable;
        table = reinterpret_cast<std::uint64_t*>(entry & 0x000f'ffff'ffff'f000);
    }
    return &table[(address >> (12 + 9 * level)) & 511];
}

// --- the kernel's file
struct ElfHeader {
    unsigned char identity[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_headers, section_headers;
    std::uint32_t flags;
    std::uint16_t header_size, program_size, program_count, section_size, section_count, names;
};
struct ProgramHeader {
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_size, memory_size, alignment;
};
struct Dynamic {
    std::uint64_t tag, value;
};
struct Relocation {
    std::uint64_t offset, info;
    std::int64_t addend;
};

struct Kernel {
    std::uint64_t base = 0;  // linked address of the first page
    std::uint64_t slide = 0; // what is added to every linked address
    unsigned char* image = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t entry = 0;
};

// True where `word` stands on the command line.
bool asked(const char* word) {
    const std::size_t length = std::strlen(word);
    const char* at = platform.command_line;
    for (const char* begin = at;; begin = ++at) {
        while (*at != 0 && *at != ' ')
            ++at;
        if (static_cast<std::size_t>(at - begin) == length && std::memcmp(begin, word, length) == 0)
            return true;
        if (*at == 0)
            return false;
    }
}

// Whole pages, so that the image ends below the last 2 MiB of the address space.
std::uint64_t choose_slide(std::uint64_t base, std::uint64_t bytes) {
    if (asked("nokaslr"))
        return 0;
    const std::uint64_t room = (0 - base) - big_page;
    if (bytes >= room)
        return 0;
    const auto [random, strong] = base::processor_random();
    if (!strong)
        print("the processor has no random numbers: the kernel's place is from the time-stamp counter alone");
    return random % ((room - bytes) / page + 1) * page;
}

void relocate(const Kernel& kernel, const ProgramHeader& dynamic) {
    const auto* item = reinterpret_cast<const Dynamic*>(kernel.image + (dynamic.address - kernel.base));
    std::uint64_t table = 0, bytes = 0;
    for (; item->tag != 0; ++item) {
        if (item->tag == 7)
            table = item->value;
        else if (item->tag == 8)
            bytes = item->value;
    }
    for (std::uint64_t done = 0; done < bytes; done += sizeof(Relocation)) {
        const auto& relocation = *reinterpret_cast<const Relocation*>(kernel.image + (table - kernel.base) + done);
        if ((relocation.info & 0xffffffff) != 8) // R_X86_64_RELATIVE
            fatal("the kernel has a relocation that is not RELATIVE");
        *reinterpret_cast<std::uint64_t*>(kernel.image + (relocation.offset - kernel.base)) = static_cast<std::uint64_t>(relocation.addend) + kernel.slide;
    }
}

Kernel load_kernel() {
    const auto& header = *reinterpret_cast<const ElfHeader*>(kernel_image_begin);
    const auto* segments = reinterpret_cast<const ProgramHeader*>(kernel_image_begin + header.program_headers);
    Kernel kernel;
    kernel.base = ~0ull;
    std::uint64_t end = 0;
    for (unsigned i = 0; i < header.program_count; ++i)
        if (segments[i].type == 1) {
            const std::uint64_t begin = segments[i].address & ~(page - 1);
            kernel.base = begin < kernel.base ? begin : kernel.base;
            end = segments[i].address + segments[i].memory_size > end ? segments[i].address + segments[i].memory_size : end;
        }
    kernel.bytes = up(end - kernel.base, page);
    kernel.image = static_cast<unsigned char*>(allocate(kernel.bytes));
    kernel.slide = choose_slide(kernel.base, kernel.bytes);
    kernel.entry = header.entry + kernel.slide;
    const ProgramHeader* dynamic = nullptr;
    for (unsigned i = 0; i < header.program_count; ++i) {
        const ProgramHeader& segment = segments[i];
        if (segment.type == 2)
            dynamic = &segment;
        if (segment.type != 1)
            continue;
        std::memcpy(kernel.image + (segment.address - kernel.base), kernel_image_begin + segment.offset, segment.file_size);
        for (std::uint64_t at = segment.address & ~(page - 1); at < segment.address + segment.memory_size; at += page)
            *entry_of(at + kernel.slide, 0) = (reinterpret_cast<std::uint64_t>(kernel.image) + (at - kernel.base)) | present | ((segment.flags & 2) != 0 ? writable : 0) |
                               ((segment.flags & 1) != 0 ? 0 : no_execute);
    }
    if (dynamic != nullptr)
        relocate(kernel, *dynamic);
    return kernel;
}

void map_memory() {
    std::uint64_t top = four_gib;
    for (std::size_t i = 0; i < platform.range_count; ++i)
        if (platform.ranges[i].type == 1 && platform.ranges[i].end > top)
            top = platform.ranges[i].end;
    for (std::uint64_t at = 0; at < top; at += big_page)
        *entry_of(direct_map + at, 1) = at | present | writable | large | no_execute;
    // One to one, for the jump alone.
    for (std::uint64_t at = 0; at < four_gib; at += big_page)
        *entry_of(at, 1) = at | present | writable | large;
}

// --- answers
limine::File* file(const void* address, std::uint64_t size, const char* string) {
    auto* result = make<limine::File>();
    const std::size_t length = std::strlen(string) + 1;
    char* copy = make<char>(length);
    std::memcpy(copy, string, length);
    char* path = make<char>(1);
    result->address = direct(const_cast<void*>(address));
    result->size = size;
    result->path = direct(path);
    result->string = direct(copy);
    return direct(result);
}

limine::MemoryMapResponse* memory_map(const Kernel& kernel) {
    auto* entries = make<limine::MemoryEntry>(max_ranges * 4);
    std::size_t count = 0;
    const auto add = [&](std::uint64_t begin, std::uint64_t end, limine::MemoryType type) {
        if (begin < end && count < max_ranges * 4)
            entries[count++] = {begin, end - begin, type};
    };
    // Marked places inside usable memory, by address.
    struct Mark {
        std::uint64_t begin, end;
        limine::MemoryType type;
    };
    const auto kernel_begin = reinterpret_cast<std::uint64_t>(kernel.image);
    const auto init = reinterpret_cast<std::uint64_t>(init_image_begin);
    Mark marks[] = {
        {0, 0x1000, limine::MemoryType::reserved},
        {reinterpret_cast<std::uint64_t>(loader_begin), init, limine::MemoryType::loader_reclaimable},
        {init, up(reinterpret_cast<std::uint64_t>(init_image_end), page), limine::MemoryType::executable_and_modules},
        {up(reinterpret_cast<std::uint64_t>(init_image_end), page), reinterpret_cast<std::uint64_t>(loader_end), limine::MemoryType::loader_reclaimable},
        {platform.root.begin & ~(page - 1), up(platform.root.end, page), limine::MemoryType::executable_and_modules},
        {arena.begin, kernel_begin, limine::MemoryType::loader_reclaimable},
        {kernel_begin, kernel_begin + kernel.bytes, limine::MemoryType::executable_and_modules},
        // The arena's end is fixed here: what is allocated from now on lies in this last part, which has room for it.
        {kernel_begin + kernel.bytes, up(arena_used, page) + (1 << 20), limine::MemoryType::loader_reclaimable},
        {platform.information.begin >= 0x100000 ? platform.information.begin : 0, platform.information.begin >= 0x100000 ? platform.information.end : 0,
         limine::MemoryType::loader_reclaimable},
    };
    for (std::size_t i = 1; i < sizeof marks / sizeof marks[0]; ++i)
        for (std::size_t k = i; k > 0 && marks[k].begin < marks[k - 1].begin; --k) {
            const Mark swap = marks[k];
            marks[k] = marks[k - 1];
            marks[k - 1] = swap;
        }
    for (std::size_t i = 0; i < platform.range_count; ++i) {
        const Range& range = platform.ranges[i];
        if (range.type != 1) {
            add(range.begin, range.end,
                range.type == 3 ? limine::MemoryType::acpi_reclaimable : range.type == 4 ? limine::MemoryType::acpi_nvs : range.type == 5 ? limine::MemoryType::bad : limine::MemoryType::reserved);
            continue;
        }
        std::uint64_t at = up(range.begin, page);
        const std::uint64_t end = range.end & ~(page - 1);
        for (const Mark& mark : marks) {
            if (mark.end <= at || mark.begin >= end || mark.begin == mark.end)
                continue;
            add(at, mark.begin, limine::MemoryType::usable);
            const std::uint64_t begin = mark.begin > at ? mark.begin : at;
            const std::uint64_t stop = mark.end < end ? mark.end : end;
            add(begin, stop, mark.type);
            at = stop;
        }
        add(at, end, limine::MemoryType::usable);
    }
    auto** list = make<limine::MemoryEntry*>(count);
    for (std::size_t i = 0; i < count; ++i)
        list[i] = direct(&entries[i]);
    auto* response = make<limine::MemoryMapResponse>();
    response->count = count;
    response->entries = direct(list);
    return direct(response);
}

limine::ModulesResponse* modules() {
    auto** files = make<limine::File*>(2);
    files[0] = file(init_image_begin, static_cast<std::uint64_t>(init_image_end - init_image_begin), "init");
    files[1] = file(reinterpret_cast<const void*>(platform.root.begin), platform.root.end - platform.root.begin, "root");
    auto* response = make<limine::ModulesResponse>();
    response->count = 2;
    response->files = direct(files);
    return direct(response);
}

limine::FramebufferResponse* framebuffer() {
    const Display& display = platform.display;
    auto* result = make<limine::Framebuffer>();
    *result = {};
    result->address = display.address + direct_map;
    result->width = display.width;
    result->height = display.height;
    result->pitch = display.pitch;
    result->bits_per_pixel = display.bits;
    result->memory_model = 1;
    result->red_mask_size = display.red_size, result->red_mask_shift = display.red_position;
    result->green_mask_size = display.green_size, result->green_mask_shift = display.green_position;
    result->blue_mask_size = display.blue_size, result->blue_mask_shift = display.blue_position;
    auto** list = make<limine::Framebuffer*>(1);
    list[0] = direct(result);
    auto* response = make<limine::FramebufferResponse>();
    response->revision = 0;
    response->count = 1;
    response->framebuffers = direct(list);
    return direct(response);
}

void* answer(const limine::Identity& identity, const Kernel& kernel) {
    if (identity == limine::hhdm) {
        auto* response = make<limine::HhdmResponse>();
        response->offset = direct_map;
        return direct(response);
    }
    if (identity == limine::executable_address) {
        auto* response = make<limine::ExecutableAddressResponse>();
        response->physical_base = reinterpret_cast<std::uint64_t>(kernel.image);
        response->virtual_base = kernel.base + kernel.slide;
        return direct(response);
    }
    if (identity == limine::executable_file) {
        auto* response = make<limine::ExecutableFileResponse>();
        response->file = file(kernel_image_begin, static_cast<std::uint64_t>(kernel_image_end - kernel_image_begin), platform.command_line);
        return direct(response);
    }
    if (identity == limine::rsdp && platform.rsdp != 0) {
        auto* response = make<limine::RsdpResponse>();
        response->address = platform.rsdp + direct_map;
        return direct(response);
    }
    if (identity == limine::memory_map)
        return memory_map(kernel);
    if (identity == limine::modules)
        return modules();
    if (identity == limine::framebuffer && platform.display.address != 0)
        return framebuffer();
    return nullptr;
}

// Requests lie on 8-byte boundaries between the two markers.
void answer_requests(const Kernel& kernel) {
    auto* word = reinterpret_cast<std::uint64_t*>(kernel.image);
    auto* const end = reinterpret_cast<std::uint64_t*>(kernel.image + kernel.bytes) - 8;
    while (word < end && std::memcmp(word, limine::requests_start, sizeof limine::requests_start) != 0)
        ++word;
    if (word >= end)
        fatal("the kernel has no request section");
    for (word += 4; word < end && std::memcmp(word, limine::requests_end, sizeof limine::requests_end) != 0; ++word) {
        if (std::memcmp(word, limine::base_revision_magic, sizeof limine::base_revision_magic) == 0) {
            if (word[2] <= 2)
                word[2] = 0; // accepted
        } else if (std::memcmp(word, limine::common_magic, sizeof limine::common_magic) == 0) {
            auto* request = reinterpret_cast<limine::Request*>(word);
            request->response = answer(request->identity, kernel);
            word += sizeof(limine::Request) / 8 - 1;
        }
    }
}

} // namespace
} // namespace loader

extern "C" void loader_main(std::uint32_t kind, const void* information) {
    using namespace loader;
    read_platform(kind, information, platform);
    choose_arena();
    root_table = make<std::uint64_t>(512);
    map_memory();
    const Kernel kernel = load_kernel();
    auto* stack = make<unsigned char>(stack_bytes);
    answer_requests(kernel);
    enter_kernel(kernel.entry, reinterpret_cast<std::uint64_t>(root_table), reinterpret_cast<std::uint64_t>(direct(stack)) + stack_bytes);
}
