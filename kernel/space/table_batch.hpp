// One operation on a space's page tables: where their memory comes from, and what must not be free before every TLB has forgotten it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernel/core/page_table.hpp"

namespace kernel {

class Quota;
class Space;

// The frame of a new anonymous page, charged; 0 where memory ends.
std::uint64_t allocate_page(Quota& quota);

// The environment of PageTable. Made after the space's lock was taken, so that it ends before the lock is given up: pages that changed are then forgotten by the TLBs
// of all CPUs that have the space loaded, and only after that frames and tables are given back. Its arrays are larger than what a fault does otherwise: where one is made, it is
// [[clang::uninitialized]], which leaves alone what the counts do not cover.
class TableBatch {
public:
    explicit TableBatch(Space& space) : space_(space) {}
    TableBatch(const TableBatch&) = delete;
    TableBatch& operator=(const TableBatch&) = delete;
    ~TableBatch() { finish(); }

    std::uint64_t* table(std::uint64_t physical);
    std::uint64_t allocate_table();
    void drop_table(std::uint64_t physical);
    std::uint64_t allocate_frame();
    std::uint64_t allocate_copy(std::uint64_t physical);
    void retain(std::uint64_t physical);
    bool alone(std::uint64_t physical);
    void drop(std::uint64_t physical);
    void changed(std::uint64_t address);
    void top_changed(unsigned index, std::uint64_t entry);

private:
    static constexpr std::size_t max_changed = 32;
    static constexpr std::size_t max_dropped_frames = 128; // more than a step gives back, so that it interrupts others once
    static constexpr std::size_t max_dropped_tables = 32;

    void finish();
    void flush();

    Space& space_;
    std::uint64_t changed_[max_changed];
    std::size_t changed_count_ = 0; // above max_changed: all
    std::uint64_t frames_[max_dropped_frames];
    std::size_t frame_count_ = 0;
    std::uint64_t tables_[max_dropped_tables];
    std::size_t table_count_ = 0;
};

} // namespace kernel
