#include "kernel/space/mapping.hpp"

#include <new>

#include "kernel/space/space.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

Mapping* Mapping::create(Space& space) {
    void* memory = allocate_object(space.quota(), sizeof(Mapping));
    return memory ? new (memory) Mapping(space) : nullptr;
}

void Mapping::release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    this->~Mapping();
    release_object(this, sizeof(Mapping));
}

bool Mapping::begin_end() {
    // A space in destruction drops its mappings by itself.
    if (base::weakened(base::Weakness::revoke_mapping) || !space.try_retain()) return false;
    retain();
    return true;
}

void Mapping::end_use() {
    base::Ref<Space> keep = base::Ref<Space>::adopt(space);
    space.drop(*this);
    release();
}

} // namespace kernel
