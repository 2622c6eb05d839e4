#include "linux/sandbox/configuration.hpp"

#include "abi/runtime.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

#include <algorithm>

namespace personality {

namespace {

constinit Configuration configured;
constinit ProcessorLimits limits;

// Of the personality's own memory: a kernel stack of four pages, the ThreadPage, what a call touches of the native stack, vector registers, objects and table entries.
constexpr std::uint64_t pages_per_task = 16;

} // namespace

const Configuration& configuration() { return configured; }
ProcessorLimits processor_limits() { return limits; }

base::Result<void> read_processor_limits(abi::TlvReader records) {
    using abi::runtime::Tag;
    ProcessorLimits read = limits;
    abi::TlvRecord record;
    while (records.next(record))
        switch (static_cast<Tag>(record.tag)) {
        case Tag::cpu_quota: read.quota = record.number(); break;
        case Tag::cpu_period: read.period = record.number(); break;
        case Tag::cpu_shares: read.shares = record.number(); break;
        case Tag::cpu_mask: read.processors = record.number(); break;
        default: break;
        }
    if (!records.ok())
        return base::fail(abi::Error::bad_argument);
    limits = read;
    return {};
}

base::Result<void> read_configuration() {
    using abi::runtime::Tag;
    configured.quota = native::self().quota;
    configured.budget = native::self().budget;
    std::uint64_t guest_pages = 0, task_limit = 0;
    abi::TlvReader reader(native::argument_bytes());
    abi::TlvRecord record;
    while (reader.next(record))
        switch (static_cast<Tag>(record.tag)) {
        case Tag::memory_pages: guest_pages = record.number(); break;
        case Tag::memory_limited: configured.memory_limited = record.number() != 0; break;
        case Tag::task_limit: task_limit = record.number(); break;
        case Tag::fused: configured.fused = record.number() != 0; break;
        case Tag::network: configured.network = record.number() != 0; break;
        case Tag::address: configured.address = static_cast<std::uint32_t>(record.number()); break;
        case Tag::gateway: configured.gateway = static_cast<std::uint32_t>(record.number()); break;
        case Tag::name_server: configured.name_server = static_cast<std::uint32_t>(record.number()); break;
        case Tag::mac: configured.mac = record.number(); break;
        case Tag::hostname: configured.hostname = record.text(); break;
        case Tag::domain_name: configured.domain_name = record.text(); break;
        default: break;
        }
    if (!reader.ok())
        return base::fail(abi::Error::bad_argument);
    TRY(read_processor_limits(abi::TlvReader(native::argument_bytes())));
    if (guest_pages != 0) {
        configured.quota = TRY(native::call::quota_create(native::self().quota, guest_pages));
        abi::QuotaInfo info{};
        TRY(native::call::quota_inspect(native::self().quota, info));
        configured.task_limit = (info.limit_pages - std::min(info.limit_pages, guest_pages)) / pages_per_task;
    }
    if (task_limit != 0)
        configured.task_limit = std::min<std::uint64_t>(configured.task_limit, task_limit);
    return {};
}

} // namespace personality
