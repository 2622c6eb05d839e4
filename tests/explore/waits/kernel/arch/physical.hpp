// Physical addresses are addresses.
#pragma once
#include <cstdint>

namespace kernel {
template <class T = void> T* direct(std::uint64_t physical) { return reinterpret_cast<T*>(physical); }
inline std::uint64_t physical_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }
} // namespace kernel
