#include "boot/direct/platform.hpp"

#include <cstring>
#include <initializer_list>

namespace loader {

namespace {

void out(std::uint16_t port, std::uint8_t value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }

template <class T> T* at(std::uint64_t address) { return reinterpret_cast<T*>(address); }

void add_range(Platform& platform, std::uint64_t base, std::uint64_t length, std::uint32_t type) {
    if (length == 0 || base + length < base)
        return;
    if (platform.range_count == max_ranges)
        fatal("the memory map has too many entries");
    platform.ranges[platform.range_count++] = {base, base + length, type};
}

// xen/include/public/arch-x86/hvm/start_info.h, version 1
struct StartInfo {
    std::uint32_t magic, version, flags, module_count;
    std::uint64_t modules, command_line, rsdp, memory_map;
    std::uint32_t memory_map_entries, reserved;
};
struct StartModule {
    std::uint64_t address, size, command_line, reserved;
};
struct StartMemory {
    std::uint64_t base, length;
    std::uint32_t type, reserved;
};

void read_pvh(const StartInfo& info, Platform& platform) {
    if (info.magic != 0x336ec578 || info.version < 1)
        fatal("no PVH start information of version 1");
    if (info.module_count == 0)
        fatal("no root image: give it as -initrd");
    const auto& module = *at<const StartModule>(info.modules);
    platform.root = {module.address, module.address + module.size, 0};
    platform.rsdp = info.rsdp;
    if (info.command_line != 0)
        platform.command_line = at<const char>(info.command_line);
    for (std::uint32_t i = 0; i < info.memory_map_entries; ++i) {
        const auto& entry = at<const StartMemory>(info.memory_map)[i];
        add_range(platform, entry.base, entry.length, entry.type);
    }
    // QEMU puts all of it into the first MiB, which the loader does not use.
    platform.information = {0, 0x100000, 0};
}

// Multiboot2 specification, 3.6: boot information
struct Tag {
    std::uint32_t type, size;
};

void read_framebuffer(const unsigned char* tag, Platform& platform) {
    if (tag[29] != 1) // direct RGB
        return;
    Display& display = platform.display;
    std::memcpy(&display.address, tag + 8, 8);
    std::memcpy(&display.pitch, tag + 16, 4);
    std::memcpy(&display.width, tag + 20, 4);
    std::memcpy(&display.height, tag + 24, 4);
    display.bits = tag[28];
    display.red_position = tag[32], display.red_size = tag[33];
    display.green_position = tag[34], display.green_size = tag[35];
    display.blue_position = tag[36], display.blue_size = tag[37];
}

void read_multiboot2(const unsigned char* info, Platform& platform) {
    std::uint32_t total;
    std::memcpy(&total, info, 4);
    const auto address = reinterpret_cast<std::uint64_t>(info);
    platform.information = {address & ~0xfffull, (address + total + 0xfff) & ~0xfffull, 0};
    for (std::uint32_t offset = 8; offset + sizeof(Tag) <= total;) {
        const unsigned char* raw = info + offset;
        Tag tag;
        std::memcpy(&tag, raw, sizeof tag);
        if (tag.type == 0 || tag.size < sizeof tag)
            break;
        switch (tag.type) {
        case 1:
            platform.command_line = reinterpret_cast<const char*>(raw + 8);
            break;
        case 3: {
            std::uint32_t bounds[2];
            std::memcpy(bounds, raw + 8, sizeof bounds);
            platform.root = {bounds[0], bounds[1], 0};
            break;
        }
        case 6: {
            std::uint32_t entry_size;
            std::memcpy(&entry_size, raw + 8, 4);
            for (std::uint32_t entry = 16; entry_size >= 20 && entry + entry_size <= tag.size; entry += entry_size) {
                std::uint64_t base, length;
                std::uint32_t type;
                std::memcpy(&base, raw + entry, 8);
                std::memcpy(&length, raw + entry + 8, 8);
                std::memcpy(&type, raw + entry + 16, 4);
                add_range(platform, base, length, type);
            }
            break;
        }
        case 8:
            read_framebuffer(raw, platform);
            break;
        case 14:
            if (platform.rsdp == 0)
                platform.rsdp = reinterpret_cast<std::uint64_t>(raw + 8);
            break;
        case 15: // a copy of the newer pointer wins
            platform.rsdp = reinterpret_cast<std::uint64_t>(raw + 8);
            break;
        default:
            break;
        }
        offset += (tag.size + 7) & ~7u;
    }
    if (platform.root.end == 0)
        fatal("no root image: give it as module2");
}

} // namespace

void print(const char* message) {
    for (const char* text : {"ThemeliOS loader: ", message, "\r\n"})
        for (; *text != 0; ++text)
            out(0x3f8, static_cast<std::uint8_t>(*text));
}

void fatal(const char* message) {
    print(message);
    for (;;)
        asm volatile("cli; hlt");
}

void read_platform(std::uint32_t kind, const void* information, Platform& platform) {
    if (kind == kind_pvh)
        read_pvh(*static_cast<const StartInfo*>(information), platform);
    else
        read_multiboot2(static_cast<const unsigned char*>(information), platform);
    // Ordered by address: what follows walks it once.
    for (std::size_t i = 1; i < platform.range_count; ++i)
        for (std::size_t k = i; k > 0 && platform.ranges[k].begin < platform.ranges[k - 1].begin; --k) {
            const Range swap = platform.ranges[k];
            platform.ranges[k] = platform.ranges[k - 1];
            platform.ranges[k - 1] = swap;
        }
}

} // namespace loader
