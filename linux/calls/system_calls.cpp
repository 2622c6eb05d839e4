// What programs ask about the system: its name, its memory, its randomness.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/fs/devices.hpp"
#include "linux/fs/quota.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <string_view>

namespace personality {

namespace {

// struct new_utsname.
struct SystemName {
    static constexpr std::size_t field = 65;
    char system[field] = "Linux";
    char node[field] = {};
    char release[field] = "6.1.0-themelios"; // programs look for features by it: the interface is that of this version
    char version[field] = "#1 SMP ThemeliOS " THEMELIOS_VERSION;
    char machine[field] = "x86_64";
    char domain[field] = "(none)";
};

struct SystemInformation { // struct sysinfo
    std::int64_t uptime;
    std::uint64_t loads[3];
    std::uint64_t total_memory, free_memory, shared_memory, buffer_memory, total_swap, free_swap;
    std::uint16_t processes, padding;
    std::uint32_t padding2;
    std::uint64_t total_high, free_high;
    std::uint32_t unit, padding3;
};
static_assert(sizeof(SystemInformation) == 112);

} // namespace

CallResult sys_getrandom(Task&, const CallArguments& arguments) {
    constexpr std::uint32_t nonblock = 1, random = 2, insecure = 4;
    const std::uint32_t flags = arguments.u32(2);
    if ((flags & ~(nonblock | random | insecure)) != 0 || (flags & (random | insecure)) == (random | insecure))
        return fail(Errno::EINVAL);
    const std::uint64_t wanted = std::min<std::uint64_t>(arguments[1], INT32_MAX);
    std::uint64_t done = 0;
    while (done < wanted) {
        std::byte bytes[256];
        const auto part = std::span(bytes).first(std::min<std::uint64_t>(wanted - done, sizeof bytes));
        {
            SandboxLock lock;
            random_bytes(part);
        }
        if (auto copied = copy_out(arguments[0] + done, part); !copied) {
            if (done != 0)
                break;
            return fail(copied.error());
        }
        done += part.size();
    }
    return done;
}

CallResult sys_uname(Task&, const CallArguments& arguments) {
    SystemName name;
    const std::string_view host = configuration().hostname;
    host.copy(name.node, SystemName::field - 1);
    if (const std::string_view domain = configuration().domain_name; !domain.empty())
        name.domain[domain.copy(name.domain, SystemName::field - 1)] = 0;
    TRY(arguments.pointer<SystemName>(0).write(name));
    return std::uint64_t{0};
}

CallResult sys_sysinfo(Task&, const CallArguments& arguments) {
    SystemInformation information{};
    {
        SandboxLock lock;
        const QuotaFigures figures = quota_figures();
        information.uptime = static_cast<std::int64_t>(monotonic_now() / 1'000'000'000);
        information.total_memory = figures.limit_pages * abi::page_size;
        information.free_memory = (figures.limit_pages - std::min(figures.limit_pages, figures.used_pages)) * abi::page_size;
        information.processes = static_cast<std::uint16_t>(task_count());
        information.unit = 1;
    }
    TRY(arguments.pointer<SystemInformation>(0).write(information));
    return std::uint64_t{0};
}

} // namespace personality
