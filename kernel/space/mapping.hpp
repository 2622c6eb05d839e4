// Mapping: one range of a space behind which a Memory or a Device stands. What faults, seal, shrink and revocation look for.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/object/lease.hpp"
#include "lib/base/list.hpp"
#include "lib/base/tree.hpp"

namespace kernel {

class Memory;
class Space;
struct InMemory;
struct InSpace;

// A shared mapping always has one, so that pages without a frame are entered at their first use. A private mapping or one of a Device has one only where it was made
// under a lease. Lives in its space's tree, by address, and in two lists: a shared one's Memory's; its lease's. Its range changes under the lock of its space only; whoever found it
// elsewhere keeps it by a reference and asks the space.
class Mapping final : public LeaseUse, public base::ListNodeOf<InMemory>, public base::TreeNodeOf<InSpace> {
public:
    enum class Kind : std::uint8_t { shared, private_copy, device };

    // Charged to the space's quota; one reference, the space's. Null where there is no memory.
    static Mapping* create(Space& space);
    void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
    void release();

    Space& space;
    Kind kind = Kind::shared;
    bool closing = false; // its pages are being taken out: nothing is entered through it any more
    bool live = false; // in its space's tree; under the space's lock
    base::Ref<Memory> memory;
    LeaseHold hold;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t offset = 0; // in the Memory, of `begin`
    abi::Protection protection = 0;
    abi::Protection allowed = 0; // the most that space_protect may give
    abi::Protection counted = 0; // write or execute: what its Memory counts it for; under the Memory's lock

private:
    explicit Mapping(Space& space) : space(space) {}
    bool begin_end() override;
    void end_use() override;

    std::atomic<std::uint32_t> references_{1};
};

// The order in the space: by the end, so that the lower bound of an address + 1 is the mapping that has it or the first one above it. Mappings do not overlap.
struct MappingEnd {
    std::uint64_t operator()(const Mapping& mapping) const { return mapping.end; }
};

} // namespace kernel
