// How the frame allocator tells a quota that frames it paid for are free again.
#pragma once
#include <cstdint>

namespace kernel {

class Quota;
// Takes so many pages off the quota's charge. No lock of the allocator held.
void release_frame_charges(Quota& quota, std::uint32_t count);

} // namespace kernel
