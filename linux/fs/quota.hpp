// The sandbox' memory quota in pages, for statfs, /proc/meminfo and sysinfo.
#pragma once
#include <cstdint>

namespace personality {

struct QuotaFigures {
    std::uint64_t limit_pages;
    std::uint64_t used_pages;
    std::uint64_t cpus;
};
QuotaFigures quota_figures();

} // namespace personality
