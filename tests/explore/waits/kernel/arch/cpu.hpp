// A processor for each fiber; the model's own level has one too.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/arch/registers.hpp"

namespace kernel {
class Task;
struct RunQueue;
} // namespace kernel

namespace kernel::arch {

inline constexpr std::size_t max_cpus = 1;

struct Cpu {
    std::uint64_t kernel_stack = 0;
    Task* current = nullptr;
    std::uint32_t index = 0;
    std::uint32_t apic_id = 0;
    bool reschedule = false;
    RunQueue* queue = nullptr;
    // All objects have one number: how many were made before must not tell two states apart.
    struct {
        std::uint64_t operator++() { return 1; }
    } objects_made;
    struct {
        std::uint64_t stack[3];
    } task_state{};
};

Cpu& this_cpu();
inline Cpu* here() { return &this_cpu(); }
inline void set_kernel_stack(std::uint64_t) {}

} // namespace kernel::arch
