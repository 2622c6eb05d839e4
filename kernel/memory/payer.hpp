// What the kernel's memory asks of the quotas that pay for it, which lie in a layer above.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kernel {

class Quota;

// `undefined`: what another program left there, for who writes all of the frame before anybody else sees it.
enum class Content : std::uint8_t { zeroed, undefined };
// A frame with one reference, charged to `quota` for its whole life; the last frames::release takes the charge off again. 0 where the quota or the machine has none left.
std::uint64_t allocate_charged(Quota& quota, Content content = Content::zeroed);
// The same of `count` frames in a row, zeroed: all are charged and there, or none.
std::uint64_t allocate_charged_run(Quota& quota, std::size_t count);

// Takes so many pages off the quota's charge, for frames that it paid for and that are free again. No lock of the allocator held.
void release_frame_charges(Quota& quota, std::uint32_t count);

} // namespace kernel
