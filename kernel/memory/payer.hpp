// How the frame allocator tells a quota that a frame it paid for is free again.
#pragma once

namespace kernel {

class Quota;
// Takes one page off the quota's charge. No lock held.
void release_frame_charge(Quota& quota);

} // namespace kernel
