// The files of /proc that tell of the sandbox as a whole (proc(5)).
#include "linux/fs/mount.hpp"
#include "linux/fs/proc.hpp"
#include "linux/fs/quota.hpp"
#include "linux/fs/root.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/net/proc_text.hpp"
#include "linux/proc/node.hpp"
#include "linux/proc/process_files.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <cpuid.h>
#include <cstring>

namespace personality::proc {

namespace {

constexpr std::uint32_t file = mode::regular | 0444, directory = mode::directory | 0555, link = mode::symlink | 0777;
constexpr std::uint64_t second = 1'000'000'000, page_kilobytes = abi::page_size / 1024;

struct Right { // a number to the right of `width` columns
    std::uint64_t value;
    std::size_t width;
};
base::Formatter& operator<<(base::Formatter& to, Right field) {
    char text[24];
    const std::string_view digits = base::format(text, field.value);
    for (std::size_t i = digits.size(); i < field.width; ++i)
        to << ' ';
    return to << digits;
}

std::uint64_t processors() { return std::max<std::uint64_t>(quota_figures().cpus, 1); }

LinuxResult<void> write_memory(Text& to, const Subject&) {
    const QuotaFigures figures = quota_figures();
    const std::uint64_t total = figures.limit_pages * page_kilobytes, used = std::min(figures.used_pages * page_kilobytes, total);
    const auto row = [&](std::string_view name, std::uint64_t kilobytes) {
        char label[24];
        base::Formatter padded(label);
        padded << name << ':';
        while (padded.view().size() < 16)
            padded << ' ';
        to.add(padded.view(), Right{kilobytes, 8}, " kB\n");
    };
    row("MemTotal", total);
    row("MemFree", total - used);
    row("MemAvailable", total - used);
    for (const char* name : {"Buffers", "Cached", "SwapCached", "Active", "Inactive", "SwapTotal", "SwapFree", "Dirty", "Writeback"})
        row(name, 0);
    row("AnonPages", used);
    for (const char* name : {"Mapped", "Shmem", "Slab", "SReclaimable", "SUnreclaim"})
        row(name, 0);
    row("CommitLimit", total);
    row("Committed_AS", used);
    to.put("HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
    return {};
}

LinuxResult<void> write_processors(Text& to, const Subject&) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    char vendor[13] = {};
    __cpuid(0, a, b, c, d);
    std::memcpy(vendor, &b, 4);
    std::memcpy(vendor + 4, &d, 4);
    std::memcpy(vendor + 8, &c, 4);
    char model[49] = {};
    for (unsigned leaf = 0; leaf < 3; ++leaf) {
        unsigned words[4];
        __cpuid(0x80000002 + leaf, words[0], words[1], words[2], words[3]);
        std::memcpy(model + 16 * leaf, words, 16);
    }
    __cpuid(1, a, b, c, d);
    constexpr struct {
        unsigned bit;
        bool in_c;
        const char* name;
    } features[] = {{0, false, "fpu"}, {4, false, "tsc"}, {8, false, "cx8"}, {15, false, "cmov"}, {23, false, "mmx"}, {24, false, "fxsr"}, {25, false, "sse"},
                    {26, false, "sse2"}, {0, true, "pni"}, {1, true, "pclmulqdq"}, {9, true, "ssse3"}, {12, true, "fma"}, {13, true, "cx16"}, {19, true, "sse4_1"},
                    {20, true, "sse4_2"}, {22, true, "movbe"}, {23, true, "popcnt"}, {25, true, "aes"}, {26, true, "xsave"}, {28, true, "avx"}, {30, true, "rdrand"}};
    const unsigned family = (a >> 8 & 15) + ((a >> 8 & 15) == 15 ? a >> 20 & 255 : 0), number = (a >> 4 & 15) | (a >> 12 & 0xf0);
    const std::uint64_t count = processors();
    for (std::uint64_t i = 0; i < count; ++i) {
        to.add("processor\t: ", i, "\nvendor_id\t: ", vendor, "\ncpu family\t: ", family, "\nmodel\t\t: ", number, "\nmodel name\t: ", model, "\nstepping\t: ", a & 15);
        to.add("\nphysical id\t: 0\nsiblings\t: ", count, "\ncore id\t\t: ", i, "\ncpu cores\t: ", count, "\nfpu\t\t: yes\nflags\t\t: lm syscall nx constant_tsc");
        for (const auto& feature : features)
            if (((feature.in_c ? c : d) >> feature.bit & 1) != 0)
                to.add(' ', feature.name);
        to.put("\nclflush size\t: 64\ncache_alignment\t: 64\n\n");
    }
    return {};
}

LinuxResult<void> write_statistics(Text& to, const Subject&) {
    std::uint64_t ticks = 0, running = 0;
    for (Process& process : all_processes()) {
        const Times times = process.times();
        ticks += (times.user + times.system) / (second / 100);
        running += !process.zombie;
    }
    const std::uint64_t count = processors();
    const std::uint64_t up = monotonic_now() / (second / 100);
    const std::uint64_t idle = up * count > ticks ? up * count - ticks : 0;
    to.add("cpu  ", ticks, " 0 0 ", idle, " 0 0 0 0 0 0\n");
    for (std::uint64_t i = 0; i < count; ++i)
        to.add("cpu", i, ' ', ticks / count, " 0 0 ", idle / count, " 0 0 0 0 0 0\n");
    to.add("intr 0\nctxt 0\nbtime ", static_cast<std::uint64_t>(realtime_offset()) / second, "\nprocesses ", process_count(), "\nprocs_running ", running,
           "\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
    return {};
}

LinuxResult<void> write_uptime(Text& to, const Subject&) {
    const std::uint64_t now = monotonic_now();
    const std::uint64_t hundredths = now % second / (second / 100);
    to.add(now / second, '.', hundredths / 10, hundredths % 10, " 0.00\n");
    return {};
}

LinuxResult<void> write_load(Text& to, const Subject&) {
    to.add("0.00 0.00 0.00 1/", task_count(), ' ', process_count(), '\n');
    return {};
}

LinuxResult<void> write_version(Text& to, const Subject&) {
    to.put("Linux version 6.1.0-themelios (ThemeliOS " THEMELIOS_VERSION ") #1 SMP ThemeliOS " THEMELIOS_VERSION "\n");
    return {};
}

LinuxResult<void> write_file_systems(Text& to, const Subject&) {
    to.put("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tmqueue\nnodev\tpipefs\nnodev\tsockfs\n\terofs\n");
    return {};
}

// The next of a name's digits, as large as they may be: `name` is a number without a sign and without leading zeros.
LinuxResult<Found> find_process_entry(const Subject&, std::string_view name) {
    const auto number = base::parse_decimal(name);
    if (!number || name.front() == '0' || *number > pid_limit)
        return Found{};
    Task* const task = find_task(static_cast<std::int32_t>(*number));
    Process* const process = task != nullptr ? &task->process() : find_process(static_cast<std::int32_t>(*number));
    if (process == nullptr)
        return Found{};
    return Found{&process_entry, {process->pid, process->pid, 0}};
}

LinuxResult<Found> next_process(const Subject&, std::int64_t& number) {
    const Process* best = nullptr;
    for (const Process& each : all_processes())
        if (each.pid >= number && (best == nullptr || each.pid < best->pid))
            best = &each;
    if (best == nullptr)
        return Found{};
    number = best->pid;
    return Found{&process_entry, {best->pid, best->pid, 0}};
}

LinuxResult<void> write_self(Text& to, const Subject&) {
    to.add(current().process().pid);
    return {};
}
LinuxResult<void> write_thread_self(Text& to, const Subject&) {
    to.add(current().process().pid, "/task/", current().tid);
    return {};
}
LinuxResult<void> write_self_mounts(Text& to, const Subject&) {
    to.put("self/mounts");
    return {};
}
LinuxResult<void> write_self_net(Text& to, const Subject&) {
    to.put("self/net");
    return {};
}
LinuxResult<void> write_nothing(Text&, const Subject&) { return {}; }

constexpr Entry root_entries[] = {
    {"cmdline", file, [](Text& to, const Subject&) -> LinuxResult<void> { return to.put("\n"), LinuxResult<void>(); }},
    {"cpuinfo", file, write_processors},
    {"filesystems", file, write_file_systems},
    {"loadavg", file, write_load},
    {"meminfo", file, write_memory},
    {"modules", file, write_nothing},
    {"mounts", link, write_self_mounts},
    {"net", link, write_self_net},
    {"self", link, write_self},
    {"stat", file, write_statistics},
    {"swaps", file, [](Text& to, const Subject&) -> LinuxResult<void> { return to.put("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"), LinuxResult<void>(); }},
    {"sys", directory, nullptr, &system_control_directory},
    {"thread-self", link, write_thread_self},
    {"uptime", file, write_uptime},
    {"version", file, write_version},
};

} // namespace

const Directory root_directory{root_entries, find_process_entry, next_process};

} // namespace personality::proc

namespace personality {

LinuxResult<FileSystem*> make_proc() { return proc::make_file_system(proc::root_directory, "proc", 0x9fa0); }
LinuxResult<FileSystem*> make_sys() { return proc::make_file_system(proc::sys_directory, "sysfs", 0x62656572); }

} // namespace personality
