// The Linux personality of one sandbox: reads what it was launched with, makes the tree of files and the network, and serves runtime's commands.
#include "lib/native/log.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"
#include "linux/core/lock.hpp"
#include "linux/fs/devices.hpp"
#include "linux/fs/erofs_layer.hpp"
#include "linux/fs/root.hpp"
#include "linux/memory/user_word.hpp"
#include "linux/net/link.hpp"
#include "linux/sandbox/bells.hpp"
#include "linux/sandbox/channels.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/sandbox/control.hpp"
#include "linux/sandbox/entropy.hpp"
#include "linux/tty/terminal.hpp"

#include <array>

namespace personality {

namespace {

constexpr unsigned most_layers = 128;

[[noreturn]] void give_up(std::string_view what, unsigned error) {
    native::print(what, ": error ", error);
    native::panic("the sandbox cannot start");
}

ring::Handles ring_handles(std::string_view memory, std::string_view wait, std::string_view signal) {
    return {native::granted(memory), native::granted(wait), native::granted(signal)};
}

// `layer.N`, the lowest first. They are mapped for good.
LinuxResult<unsigned> open_layers(std::array<const Layer*, most_layers>& layers) {
    unsigned count = 0;
    for (; count < most_layers; ++count) {
        char name[16];
        const abi::Handle memory = native::granted(base::format(name, "layer.", count));
        if (memory == abi::no_handle)
            break;
        const auto size = native::memory_size(memory);
        if (!size)
            return fail(Errno::EIO);
        auto mapping = native::Mapping::of(memory, 0, *size, abi::protection::read);
        if (!mapping)
            return fail(Errno::ENOMEM);
        auto* kept = new (std::nothrow) native::Mapping(std::move(*mapping));
        if (kept == nullptr)
            return fail(Errno::ENOMEM);
        layers[count] = TRY(ErofsLayer::make({kept->data(), static_cast<std::size_t>(*size)}, memory));
    }
    return count;
}

LinuxResult<void> make_tree() {
    static constinit std::array<const Layer*, most_layers> layers{};
    const unsigned count = TRY(open_layers(layers));
    char hosts[512], resolver[64];
    const auto& configured = configuration();
    const auto part = [](std::uint32_t address, unsigned index) { return address >> 8 * index & 0xff; };
    RootOptions options;
    options.hostname = configured.hostname;
    if (configured.network)
        options.hosts = base::format(hosts, part(configured.address, 0), ".", part(configured.address, 1), ".", part(configured.address, 2), ".",
                                     part(configured.address, 3), "\t", configured.hostname, configured.domain_name.empty() ? "" : ".", configured.domain_name,
                                     configured.domain_name.empty() ? "" : "\t", configured.domain_name.empty() ? "" : configured.hostname, "\n");
    if (configured.name_server != 0)
        options.resolver = base::format(resolver, "nameserver ", part(configured.name_server, 0), ".", part(configured.name_server, 1), ".",
                                        part(configured.name_server, 2), ".", part(configured.name_server, 3), "\n");
    const SandboxLock lock;
    return make_root({layers.data(), count}, options);
}

base::Result<void> start_network() {
    std::array<std::byte, 32> secret;
    random_bytes(secret);
    const auto& configured = configuration();
    if (!configured.network)
        return net::start(secret, nullptr, {});
    const net::InterfaceSettings settings{.address = configured.address, .gateway = configured.gateway, .mac = configured.mac};
    return net::start(secret, &settings, ring_handles("net.ring", "net.wait", "net.signal"));
}

} // namespace

} // namespace personality

int native_main() {
    using namespace personality;
    if (auto read = read_configuration(); !read)
        give_up("launch record", static_cast<unsigned>(read.error()));
    prepare_user_memory();
    if (const abi::Handle entropy = native::granted("entropy"); entropy != abi::no_handle)
        if (auto seeded = seed_randomness(entropy); !seeded)
            give_up("entropy", static_cast<unsigned>(seeded.error()));
    set_terminal_finder(open_controlling_terminal);
    if (auto started = start_bells(); !started)
        give_up("doorbells", static_cast<unsigned>(started.error()));
    if (auto made = make_tree(); !made)
        give_up("root file system", static_cast<unsigned>(made.error()));
    if (auto started = start_network(); !started)
        give_up("network", static_cast<unsigned>(started.error()));
    if (auto started = start_channels(); !started)
        give_up("channels", static_cast<unsigned>(started.error()));
    auto control = ring::Pair::attach(ring_handles("control.ring", "control.wait", "control.signal"), abi::RingUse::records, ring::Side::b);
    if (!control)
        give_up("control", static_cast<unsigned>(control.error()));
    serve_control(std::move(*control));
    return 0;
}
