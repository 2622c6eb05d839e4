#pragma once
#include <cstdint>

namespace kernel::arch {
inline std::uint64_t fs_base() { return 0; }
inline std::uint64_t user_gs_base() { return 0; }
inline void set_fs_base(std::uint64_t) {}
inline void set_user_gs_base(std::uint64_t) {}
} // namespace kernel::arch
