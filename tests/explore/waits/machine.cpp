#include "tests/explore/waits/machine.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>

extern "C" void explore_switch(std::uint64_t* save, std::uint64_t load);
asm(R"(
.text
.globl explore_switch
explore_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.globl explore_fiber_begins
explore_fiber_begins:
    mov %r12, %rdi
    call *%r13
    ud2
)");
extern "C" void explore_fiber_begins();

namespace explore {
namespace {

constexpr std::size_t stack_bytes = 8 * 1024, arena_bytes = 256 * 1024, page_bytes = 4096, pages = 32;

Machine the_machine;
alignas(64) std::byte arena[arena_bytes];
alignas(64) std::byte stacks[max_fibers][stack_bytes];
alignas(4096) std::byte page_memory[pages][page_bytes];
std::size_t pages_allocated = 0;
int current = -1;
std::uint64_t model_stack = 0;

std::byte* top(unsigned index) { return stacks[index] + stack_bytes; }

void leave() {
    const int self = current;
    current = -1;
    explore_switch(&the_machine.fibers[self].saved_stack, model_stack);
}

// A list that was broken, or an object that is gone, often shows as a fault: a difference like others, which ends the walk.
alignas(64) std::byte fault_stack[64 * 1024];
void on_fault(int) {
    if (current < 0) std::abort();
    require(false, "a fault, by what is linked or gone");
    leave();
}
void catch_faults() {
    stack_t stack{};
    stack.ss_sp = fault_stack;
    stack.ss_size = sizeof fault_stack;
    struct sigaction action {};
    action.sa_handler = on_fault;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    (void)sigaltstack(&stack, nullptr);
    (void)sigaction(SIGSEGV, &action, nullptr);
    (void)sigaction(SIGBUS, &action, nullptr);
}

} // namespace

Machine& machine() { return the_machine; }
int current_fiber() { return current; }

void reset_machine() {
    static const bool catching = (catch_faults(), true);
    (void)catching;
    std::memset(arena, 0, (the_machine.allocated + 63) & ~63u);
    std::memset(stacks, 0, sizeof stacks);
    for (std::size_t i = 0; i < pages_allocated; ++i) std::memset(page_memory[i], 0, page_bytes);
    pages_allocated = 0;
    the_machine = {};
}

void* arena_allocate(std::size_t bytes) {
    the_machine.allocated = (the_machine.allocated + 63) & ~63u;
    if (the_machine.allocated + bytes > arena_bytes) std::abort();
    void* const place = arena + the_machine.allocated;
    the_machine.allocated += static_cast<std::uint32_t>(bytes);
    return place;
}

void* page_allocate() {
    if (pages_allocated == pages) std::abort();
    return page_memory[pages_allocated++];
}

void start_fiber(unsigned index, void (*function)(unsigned)) {
    auto* frame = reinterpret_cast<std::uint64_t*>(top(index)) - 9;
    frame[2] = reinterpret_cast<std::uint64_t>(function); // r13
    frame[3] = index;                                     // r12
    frame[6] = reinterpret_cast<std::uint64_t>(&explore_fiber_begins);
    the_machine.fibers[index] = {Place::ready, nullptr, reinterpret_cast<std::uint64_t>(frame)};
}

bool may_run(unsigned index) {
    const Fiber& fiber = the_machine.fibers[index];
    return fiber.place == Place::ready || (fiber.place == Place::at_lock && !is_locked(fiber.lock));
}

void run_fiber(unsigned index) {
    for (unsigned other = 0; other < max_fibers; ++other)
        if (other != index && the_machine.fibers[other].place == Place::spinning) the_machine.fibers[other].place = Place::ready;
    the_machine.fibers[index].place = Place::ready;
    the_machine.fibers[index].lock = nullptr;
    current = static_cast<int>(index);
    explore_switch(&model_stack, the_machine.fibers[index].saved_stack);
    // What is below the stack pointer is nobody's, and must not tell two states apart.
    const std::uint64_t live = the_machine.fibers[index].saved_stack;
    if (the_machine.broken) return;
    std::memset(stacks[index], 0, live - reinterpret_cast<std::uint64_t>(stacks[index]));
}

void stop() {
    if (current >= 0) leave();
}

void stop_spinning() {
    if (current < 0) std::abort();
    the_machine.fibers[current].place = Place::spinning;
    leave();
}

bool is_locked(const void* lock) {
    for (std::uint32_t i = 0; i < the_machine.held_count; ++i)
        if (the_machine.held[i] == lock) return true;
    return false;
}

bool try_lock(const void* lock) {
    stop();
    if (is_locked(lock)) return false;
    the_machine.held[the_machine.held_count++] = lock;
    return true;
}

void lock(const void* lock) {
    if (current >= 0) {
        the_machine.fibers[current].place = Place::at_lock;
        the_machine.fibers[current].lock = lock;
        leave();
    }
    if (is_locked(lock)) std::abort();
    the_machine.held[the_machine.held_count++] = lock;
}

void unlock(const void* lock) {
    for (std::uint32_t i = 0; i < the_machine.held_count; ++i)
        if (the_machine.held[i] == lock) {
            the_machine.held[i] = the_machine.held[--the_machine.held_count];
            the_machine.held[the_machine.held_count] = nullptr;
            return;
        }
    require(false, "a lock is given back that nobody has");
}

void block_fiber() {
    the_machine.fibers[current].place = Place::blocked;
    leave();
}

void ready_fiber(unsigned index) {
    require(the_machine.fibers[index].place == Place::blocked, "a thread is made runnable that did not sleep");
    the_machine.fibers[index].place = Place::ready;
}

void end_fiber() {
    the_machine.fibers[current].place = Place::ended;
    leave();
    std::abort();
}

std::string state_key() {
    std::uint64_t low = 0x243f6a8885a308d3, high = 0x13198a2e03707344;
    const auto add = [&](const void* from, std::size_t bytes) {
        for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
            std::uint64_t word;
            std::memcpy(&word, static_cast<const std::byte*>(from) + at, 8);
            low = (low ^ word) * 0x9e3779b97f4a7c15;
            low ^= low >> 29;
            high = (high + word) * 0xbf58476d1ce4e5b9 + low;
            high ^= high >> 32;
        }
    };
    add(&the_machine, sizeof the_machine & ~std::size_t(7));
    add(arena, (the_machine.allocated + 7) & ~7u);
    for (std::size_t i = 0; i < pages_allocated; ++i) add(page_memory[i], 1024);
    for (unsigned i = 0; i < max_fibers; ++i) {
        const Fiber& fiber = the_machine.fibers[i];
        if (fiber.place == Place::unused || fiber.place == Place::ended) continue;
        add(reinterpret_cast<const void*>(fiber.saved_stack), reinterpret_cast<std::uint64_t>(top(i)) - fiber.saved_stack);
    }
    std::string key(16, 0);
    std::memcpy(key.data(), &low, 8);
    std::memcpy(key.data() + 8, &high, 8);
    return key;
}

} // namespace explore
