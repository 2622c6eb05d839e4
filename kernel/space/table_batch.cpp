#include "kernel/space/table_batch.hpp"

#include <cstring>

#include "kernel/memory/frames.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/memory/tlb.hpp"
#include "kernel/space/space.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

std::uint64_t* TableBatch::table(std::uint64_t physical) { return direct<std::uint64_t>(physical); }

std::uint64_t TableBatch::allocate_table() {
    if (!space_.quota().charge_table()) return 0;
    const std::uint64_t physical = frames::allocate_zeroed();
    if (!physical) space_.quota().release_table();
    space_.count_tables(physical ? 1 : 0);
    return physical;
}

void TableBatch::drop_table(std::uint64_t physical) {
    if (table_count_ == max_dropped_tables) finish();
    tables_[table_count_++] = physical;
    // The processor caches upper entries as well: a page's own invalidation is not enough.
    changed_count_ = max_changed + 1;
}

std::uint64_t allocate_page(Quota& quota) { return allocate_charged(quota, base::weakened(base::Weakness::frame_zero) ? Content::undefined : Content::zeroed); }

std::uint64_t TableBatch::allocate_frame() { return allocate_page(space_.quota()); }

std::uint64_t TableBatch::allocate_copy(std::uint64_t physical) {
    const std::uint64_t copy = allocate_charged(space_.quota(), Content::undefined);
    if (copy) std::memcpy(direct(copy), direct(physical), abi::page_size);
    return copy;
}

void TableBatch::retain(std::uint64_t physical) { frames::retain(physical); }

bool TableBatch::alone(std::uint64_t physical) { return frames::of(physical).references.load(std::memory_order_acquire) == 1; }

void TableBatch::drop(std::uint64_t physical) {
    if (frame_count_ == max_dropped_frames) finish();
    frames_[frame_count_++] = physical;
}

void TableBatch::changed(std::uint64_t address) {
    if (changed_count_ < max_changed) changed_[changed_count_] = address;
    if (changed_count_ <= max_changed) ++changed_count_;
}

void TableBatch::top_changed(unsigned index, std::uint64_t entry) { space_.top_changed(index, entry); }

void TableBatch::flush() {
    if (changed_count_ == 0) return;
    if (table_count_ != 0)
        tlb::forget_tables(space_.translated());
    else if (changed_count_ > max_changed)
        tlb::forget(space_.translated());
    else
        tlb::forget_pages(space_.translated(), changed_, changed_count_);
    changed_count_ = 0;
}

void TableBatch::finish() {
    flush();
    if (frame_count_ != 0) frames::release_all({frames_, frame_count_});
    frame_count_ = 0;
    for (std::size_t i = 0; i < table_count_; ++i) {
        frames::release(tables_[i]);
        space_.count_tables(-1);
        space_.quota().release_table();
    }
    table_count_ = 0;
}

} // namespace kernel
