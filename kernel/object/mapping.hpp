// Mapping: one range of a space that shares a Memory. What seal, shrink and revocation walk.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/object/lease.hpp"
#include "lib/base/list.hpp"

namespace kernel {

class Memory;
class Space;
struct InMemory;
struct InSpace;

// Lives in three lists: its space's (by address), its Memory's and, made under a lease, its lease's. Its fields change under the lock of its space only; so whoever
// found it elsewhere goes through the space.
class Mapping final : public LeaseUse, public base::ListNodeOf<InMemory>, public base::ListNodeOf<InSpace> {
public:
    Space* space = nullptr; // alive while the mapping is in a list
    base::Ref<Memory> memory;
    base::Ref<Lease> lease;
    std::uint64_t lease_generation = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t offset = 0;       // in the Memory, of `begin`
    abi::Protection allowed = 0;    // the most that space_protect may give

private:
    bool begin_end() override;
    void end_use() override;
};

} // namespace kernel
