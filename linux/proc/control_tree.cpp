// /proc/sys: the settings that programs look at, and /sys. None can be written.
#include "linux/fs/devices.hpp"
#include "linux/fs/quota.hpp"
#include "linux/proc/node.hpp"
#include "linux/proc/processor_list.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/sandbox/processors.hpp"
#include "linux/task/table.hpp"

#include <algorithm>

namespace personality::proc {

namespace {

constexpr std::uint32_t file = mode::regular | 0444, directory = mode::directory | 0555;

template <std::size_t size> struct Literal {
    char text[size];
    consteval Literal(const char (&from)[size]) { std::copy_n(from, size, text); }
};
template <Literal value> LinuxResult<void> fixed(Text& to, const Subject&) {
    to.add(value.text, '\n');
    return {};
}

LinuxResult<void> write_hostname(Text& to, const Subject&) {
    to.add(configuration().hostname, '\n');
    return {};
}

LinuxResult<void> write_domain_name(Text& to, const Subject&) {
    to.add(configuration().domain_name.empty() ? "(none)" : configuration().domain_name, '\n');
    return {};
}

void add_uuid(Text& to, std::span<std::byte> bytes) {
    bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40}; // RFC 4122, version 4
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        to.add(i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", base::Hex{static_cast<std::uint64_t>(bytes[i]), 2});
    to.put("\n");
}
LinuxResult<void> write_uuid(Text& to, const Subject&) {
    std::byte bytes[16];
    random_bytes(bytes);
    add_uuid(to, bytes);
    return {};
}
LinuxResult<void> write_boot_id(Text& to, const Subject&) {
    static constinit std::byte kept[16] = {};
    static constinit bool made = false;
    if (!made) {
        random_bytes(kept);
        made = true;
    }
    add_uuid(to, kept);
    return {};
}

LinuxResult<void> write_processors(Text& to, const Subject&) {
    add_processor_list(to, online_processors());
    to.put("\n");
    return {};
}
LinuxResult<void> write_group_processors(Text& to, const Subject&) {
    add_processor_list(to, processor_limits().processors);
    to.put("\n");
    return {};
}
LinuxResult<void> write_effective_processors(Text& to, const Subject&) {
    add_processor_list(to, sandbox_processors());
    to.put("\n");
    return {};
}

LinuxResult<void> write_processor_limit(Text& to, const Subject&) {
    const ProcessorLimits limits = processor_limits();
    if (limits.quota == 0)
        to.add("max ", limits.period, '\n');
    else
        to.add(limits.quota, ' ', limits.period, '\n');
    return {};
}
// Shares of 2 to 2^18 are weights of 1 to 10,000, as container runtimes on Linux make them.
LinuxResult<void> write_processor_weight(Text& to, const Subject&) {
    constexpr std::uint64_t usual_weight = 100, least = 2, most = 1 << 18;
    const std::uint64_t shares = processor_limits().shares;
    to.add(shares == 0 ? usual_weight : 1 + (std::clamp(shares, least, most) - least) * 9999 / (most - least), '\n');
    return {};
}

LinuxResult<void> write_memory_limit(Text& to, const Subject&) {
    if (!configuration().memory_limited) {
        to.put("max\n");
        return {};
    }
    to.add(quota_figures().limit_pages * abi::page_size, '\n');
    return {};
}
LinuxResult<void> write_memory_used(Text& to, const Subject&) {
    to.add(quota_figures().used_pages * abi::page_size, '\n');
    return {};
}

LinuxResult<void> write_task_limit(Text& to, const Subject&) {
    if (configuration().task_limit == SIZE_MAX)
        to.put("max\n");
    else
        to.add(configuration().task_limit, '\n');
    return {};
}
LinuxResult<void> write_task_count(Text& to, const Subject&) {
    to.add(task_count(), '\n');
    return {};
}

constexpr Entry random_entries[] = {{"boot_id", file, write_boot_id}, {"entropy_avail", file, fixed<"256">}, {"poolsize", file, fixed<"256">}, {"uuid", file, write_uuid}};
constexpr Directory random_directory{random_entries};

constexpr Entry kernel_entries[] = {
    {"cap_last_cap", file, fixed<"40">}, {"domainname", file, write_domain_name}, {"hostname", file, write_hostname}, {"ngroups_max", file, fixed<"65536">}, {"osrelease", file, fixed<"6.1.0-themelios">},
    {"ostype", file, fixed<"Linux">}, {"overflowgid", file, fixed<"65534">}, {"overflowuid", file, fixed<"65534">}, {"pid_max", file, fixed<"4194304">},
    {"random", directory, nullptr, &random_directory}, {"randomize_va_space", file, fixed<"0">}, {"threads-max", file, fixed<"4096">},
    {"version", file, fixed<"#1 SMP ThemeliOS " THEMELIOS_VERSION>},
};
constexpr Directory kernel_directory{kernel_entries};

constexpr Entry memory_entries[] = {{"max_map_count", file, fixed<"65530">}, {"mmap_min_addr", file, fixed<"65536">}, {"overcommit_memory", file, fixed<"1">},
                                    {"overcommit_ratio", file, fixed<"50">}, {"swappiness", file, fixed<"0">}};
constexpr Directory memory_directory{memory_entries};

constexpr Entry files_entries[] = {{"file-max", file, fixed<"1048576">}, {"nr_open", file, fixed<"1048576">}, {"pipe-max-size", file, fixed<"1048576">}};
constexpr Directory files_directory{files_entries};

constexpr Entry core_entries[] = {{"rmem_default", file, fixed<"212992">}, {"rmem_max", file, fixed<"212992">}, {"somaxconn", file, fixed<"4096">},
                                  {"wmem_default", file, fixed<"212992">}, {"wmem_max", file, fixed<"212992">}};
constexpr Directory core_directory{core_entries};
constexpr Entry ipv4_entries[] = {{"ip_forward", file, fixed<"0">}, {"ip_local_port_range", file, fixed<"32768\t60999">}, {"ip_unprivileged_port_start", file, fixed<"0">},
                                  {"tcp_keepalive_time", file, fixed<"7200">}, {"tcp_syncookies", file, fixed<"0">}};
constexpr Directory ipv4_directory{ipv4_entries};
constexpr Entry net_entries[] = {{"core", directory, nullptr, &core_directory}, {"ipv4", directory, nullptr, &ipv4_directory}};
constexpr Directory net_directory{net_entries};

constexpr Entry control_entries[] = {{"fs", directory, nullptr, &files_directory}, {"kernel", directory, nullptr, &kernel_directory},
                                     {"net", directory, nullptr, &net_directory}, {"vm", directory, nullptr, &memory_directory}};

// --- /sys

constexpr Entry cpu_entries[] = {{"online", file, write_processors}, {"possible", file, write_processors}, {"present", file, write_processors}};
constexpr Directory cpu_directory{cpu_entries};
constexpr Entry system_entries[] = {{"cpu", directory, nullptr, &cpu_directory}};
constexpr Directory system_directory{system_entries};
constexpr Entry devices_entries[] = {{"system", directory, nullptr, &system_directory}};
constexpr Directory devices_directory{devices_entries};

constexpr Entry huge_entries[] = {{"enabled", file, fixed<"always madvise [never]">}};
constexpr Directory huge_directory{huge_entries};
constexpr Entry mm_entries[] = {{"transparent_hugepage", directory, nullptr, &huge_directory}};
constexpr Directory mm_directory{mm_entries};
constexpr Entry sys_kernel_entries[] = {{"mm", directory, nullptr, &mm_directory}};
constexpr Directory sys_kernel_directory{sys_kernel_entries};

constexpr Entry group_entries[] = {{"cgroup.controllers", file, fixed<"cpuset cpu memory pids">}, {"cpu.max", file, write_processor_limit}, {"cpu.weight", file, write_processor_weight},
                                   {"cpuset.cpus", file, write_group_processors}, {"cpuset.cpus.effective", file, write_effective_processors},
                                   {"cpuset.mems", file, fixed<"">}, {"cpuset.mems.effective", file, fixed<"0">},
                                   {"memory.current", file, write_memory_used}, {"memory.max", file, write_memory_limit}, {"pids.current", file, write_task_count},
                                   {"pids.max", file, write_task_limit}};
constexpr Directory group_directory{group_entries};
constexpr Entry sys_fs_entries[] = {{"cgroup", directory, nullptr, &group_directory}};
constexpr Directory sys_fs_directory{sys_fs_entries};

constexpr Entry sys_entries[] = {{"devices", directory, nullptr, &devices_directory}, {"fs", directory, nullptr, &sys_fs_directory},
                                 {"kernel", directory, nullptr, &sys_kernel_directory}};

} // namespace

const Directory system_control_directory{control_entries};
const Directory sys_directory{sys_entries};

} // namespace personality::proc
