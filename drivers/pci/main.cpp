// The PCI server: owner of configuration space. Handles: `pci` (endpoint, receive), `config` (ports 0xcf8 to 0xcff), `device`, `irq`, `io_space`, `clock`, `log`.
// A client's badge names its device (inventory.hpp).
#include "abi/pci_server.hpp"
#include "drivers/pci/functions.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

namespace {

using namespace native::pci;

class Server final : public native::pci::Server {
public:
    explicit Server(pci::Functions& functions) : functions_(functions) {}

    base::Result<DescribeReply> describe(std::uint64_t badge, const DescribeRequest&) override {
        const pci::Function& function = functions_.inventory()[TRY(find(badge))];
        return DescribeReply{function.vendor, function.device, function.class_code, function.revision};
    }
    base::Result<BarReply> bar(std::uint64_t badge, const BarRequest& request) override {
        pci::Functions::Slice slice = TRY(functions_.bar(TRY(find(badge)), request.index));
        return BarReply{slice.device.release(), slice.size};
    }
    base::Result<CapabilityReply> capability(std::uint64_t badge, const CapabilityRequest& request) override {
        const pci::VirtioStructure structure = TRY(functions_.inventory().structure(functions_.inventory()[TRY(find(badge))], request.type));
        return CapabilityReply{structure.bar, structure.offset, structure.length, structure.notify_multiplier};
    }
    base::Result<InterruptReply> interrupt(std::uint64_t badge, const InterruptRequest& request) override {
        native::Owned irq = TRY(functions_.interrupt(TRY(find(badge)), request.index));
        return InterruptReply{irq.release()};
    }
    base::Result<BusMasterReply> bus_master(std::uint64_t badge, const BusMasterRequest& request) override {
        functions_.set_bus_master(TRY(find(badge)), request.enable);
        return BusMasterReply{};
    }
    base::Result<DmaSpaceReply> dma_space(std::uint64_t badge, const DmaSpaceRequest&) override {
        native::Owned io_space = TRY(functions_.dma_space(TRY(find(badge))));
        return DmaSpaceReply{io_space.release()};
    }
    void discard(abi::Handle handle) override { (void)native::call::handle_close(handle); }

private:
    base::Result<std::size_t> find(std::uint64_t badge) const { return functions_.inventory().find(badge); }

    pci::Functions& functions_;
};

base::Result<void> run() {
    const pci::PortConfiguration configuration(TRY(native::require("config")));
    pci::Functions functions(configuration, TRY(native::require("device")), TRY(native::require("irq")), TRY(native::require("io_space")));
    TRY(functions.scan());
    native::print(functions.inventory().count(), " functions", functions.inventory().count() == pci::Inventory::most_functions ? ", and those behind them left out" : "");
    Server server(functions);
    const abi::Handle endpoint = TRY(native::require("pci"));
    native::Message message;
    for (;;) {
        auto incoming = native::receive(endpoint, message);
        if (!incoming) {
            if (incoming.error() == abi::Error::canceled)
                continue;
            return base::fail(incoming.error());
        }
        serve(server, incoming->badge, message);
        (void)native::answer(incoming->reply, message);
        // The client has a slot of its own now.
        native::close_handles(message);
    }
}

} // namespace

int native_main() {
    if (auto ran = run(); !ran)
        native::print(native::error_name(ran.error()));
    return 1;
}
