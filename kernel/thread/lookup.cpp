#include "kernel/thread/lookup.hpp"

namespace kernel {

base::Result<Held<Object>> lookup_any(Thread& caller, abi::Handle handle, abi::Rights rights) {
    Capability capability = TRY(caller.process().handles().find_any(handle));
    if ((capability.rights & rights) != rights && !base::weakened(base::Weakness::handle_rights)) return std::unexpected(abi::Error::missing_right);
    return Held<Object>{std::move(capability.object), capability.badge, std::move(capability.hold), capability.rights};
}

} // namespace kernel
