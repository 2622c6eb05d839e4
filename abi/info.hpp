// Structs that the inspecting and configuring kernel calls read and write.
#pragma once
#include "abi/types.hpp"

namespace abi {

struct HandleInfo {
    std::uint32_t kind; // ObjectKind
    Rights rights;
    std::uint64_t badge;
    std::uint32_t revoked; // 1: the lease is dead
    std::uint32_t leased;  // 1: lies under a lease
};

struct QuotaInfo {
    std::uint64_t limit_pages;
    std::uint64_t used_pages;  // frames, page tables and kernel objects, children included
    std::uint64_t free_pages;  // of the node
    std::uint64_t total_pages; // of the node
    std::uint64_t table_pages; // page tables of this quota and its children
    std::uint64_t object_count[32]; // by ObjectKind; the root quota counts the node
    std::uint32_t cpu_count;
    std::uint32_t reserved;
    std::uint64_t context_switches; // of the node
    std::uint64_t root_loads;       // writes of the page-table root register, of the node
    std::uint64_t page_faults;      // of user mode, those that brought a page in or gave it a right; of the node
    std::uint64_t idle_wakeups[64]; // by processor: how often an interrupt ended its halt; of the node
};

struct BudgetParameters {
    std::uint32_t weight;
    std::uint32_t priority;
    std::uint64_t limit_microseconds;
    std::uint64_t period_microseconds;
    std::uint64_t cpus;
};

enum class ProcessState : std::uint32_t { created = 0, running = 1, ended = 2 };
enum class EndReason : std::uint32_t { none = 0, exit = 1, kill = 2, fault = 3, quota = 4, bad_entry = 5 };

struct ProcessInfo {
    ProcessState state;
    EndReason reason;
    std::uint64_t status;        // of process_exit or process_kill; the vector of a fault
    std::uint64_t fault_address; // of a fault
    std::uint64_t fault_instruction;
    std::uint32_t threads;
    std::uint32_t handles;
};

struct ThreadInfo {
    std::uint64_t thread_page; // address in the owner's personality half
    std::uint64_t cpu_nanoseconds;
    std::uint32_t state;
    std::uint32_t cpu;
};

struct MemoryInfo {
    std::uint64_t size;   // bytes
    std::uint64_t frames; // allocated
    std::uint32_t sealed;
    std::uint32_t contiguous;
};

struct IrqInfo {
    std::uint64_t message_address;
    std::uint32_t message_data;
    std::uint32_t vector;
    std::uint64_t count;
};

struct PortEvent {
    std::uint64_t key;
    std::uint64_t bits; // of a notification; 1 for an endpoint
};

} // namespace abi
