#include "kernel/space/table_batch.hpp"

#include <atomic>
#include <cstring>

#include "kernel/arch/cpu.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
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
    return physical;
}

void TableBatch::drop_table(std::uint64_t physical) {
    if (table_count_ == max_dropped) finish();
    tables_[table_count_++] = physical;
    // The processor caches upper entries as well: a page's own invalidation is not enough.
    changed_count_ = max_changed + 1;
}

std::uint64_t TableBatch::allocate_frame() { return allocate_charged(space_.quota(), base::weakened(base::Weakness::frame_zero) ? Content::undefined : Content::zeroed); }

std::uint64_t TableBatch::allocate_copy(std::uint64_t physical) {
    const std::uint64_t copy = allocate_charged(space_.quota(), Content::undefined);
    if (copy) std::memcpy(direct(copy), direct(physical), abi::page_size);
    return copy;
}

void TableBatch::retain(std::uint64_t physical) { frames::retain(physical); }

bool TableBatch::alone(std::uint64_t physical) { return frames::of(physical).references.load(std::memory_order_acquire) == 1; }

void TableBatch::drop(std::uint64_t physical) {
    if (frame_count_ == max_dropped) finish();
    frames_[frame_count_++] = physical;
}

void TableBatch::changed(std::uint64_t address) {
    if (changed_count_ < max_changed) changed_[changed_count_] = address;
    if (changed_count_ <= max_changed) ++changed_count_;
}

void TableBatch::top_changed(unsigned index, std::uint64_t entry) { space_.top_changed(index, entry); }

bool TableBatch::loaded_elsewhere() const {
    // The change must be visible before the roots are looked at: a CPU that loads one after that walks the changed tables.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const arch::Cpu& self = arch::this_cpu();
    const std::size_t limit = arch::cpu_limit.load(std::memory_order_seq_cst);
    for (std::size_t i = 0; i < limit; ++i) {
        const arch::Cpu& cpu = arch::cpu(i);
        if (&cpu == &self || !cpu.online.load(std::memory_order_acquire)) continue;
        const std::uint64_t root = __atomic_load_n(&cpu.loaded_root, __ATOMIC_SEQ_CST);
        if (root == kernel_root()) continue;
        // The personality half is in the roots of all guest halves of its process, which are not known here.
        if (!space_.is_guest() || root == space_.guest_root() || root == space_.native_root()) return true;
    }
    return false;
}

void TableBatch::flush() {
    if (changed_count_ == 0) return;
    if (loaded_elsewhere()) {
        tlb::flush_everywhere();
    } else {
        const std::uint64_t root = arch::this_cpu().loaded_root;
        const bool loaded_here = !space_.is_guest() || root == space_.guest_root() || root == space_.native_root();
        if (loaded_here && changed_count_ > max_changed) {
            tlb::flush_local();
        } else if (loaded_here) {
            for (std::size_t i = 0; i < changed_count_; ++i) tlb::flush_page_local(changed_[i]);
        }
    }
    changed_count_ = 0;
}

void TableBatch::finish() {
    flush();
    for (std::size_t i = 0; i < frame_count_; ++i) frames::release(frames_[i]);
    frame_count_ = 0;
    for (std::size_t i = 0; i < table_count_; ++i) {
        frames::release(tables_[i]);
        space_.quota().release_table();
    }
    table_count_ = 0;
}

} // namespace kernel
