#include "linux/sandbox/configuration.hpp"

#include "abi/runtime.hpp"
#include "abi/tlv.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

namespace personality {

namespace {

constinit Configuration configured;

} // namespace

const Configuration& configuration() { return configured; }

base::Result<void> read_configuration() {
    using abi::runtime::Tag;
    configured.quota = native::self().quota;
    configured.budget = native::self().budget;
    std::uint64_t guest_pages = 0;
    abi::TlvReader reader(native::argument_bytes());
    abi::TlvRecord record;
    while (reader.next(record))
        switch (static_cast<Tag>(record.tag)) {
        case Tag::memory_pages: guest_pages = record.number(); break;
        case Tag::fused: configured.fused = record.number() != 0; break;
        case Tag::network: configured.network = record.number() != 0; break;
        case Tag::address: configured.address = static_cast<std::uint32_t>(record.number()); break;
        case Tag::gateway: configured.gateway = static_cast<std::uint32_t>(record.number()); break;
        case Tag::name_server: configured.name_server = static_cast<std::uint32_t>(record.number()); break;
        case Tag::mac: configured.mac = record.number(); break;
        case Tag::hostname: configured.hostname = record.text(); break;
        default: break;
        }
    if (!reader.ok())
        return base::fail(abi::Error::bad_argument);
    if (guest_pages != 0)
        configured.quota = TRY(native::call::quota_create(native::self().quota, guest_pages));
    return {};
}

} // namespace personality
