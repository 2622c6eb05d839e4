#include "lib/native/thread.hpp"

#include <atomic>
#include <new>

#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

namespace native {

extern "C" void native_thread_entry();
extern "C" [[noreturn]] void native_thread_leave(std::uint32_t* word, std::uint32_t value);

namespace {

// Stack slot i is the i-th 64 KiB from stack_base. Slot 0 is the first thread's, which the creator mapped.
enum SlotState : std::uint32_t { unmapped = 0, in_use = 1, idle = 2 /* mapped, free */ };
constexpr std::size_t slots = 16 * 1024;
constexpr std::uint32_t idle_limit = 16; // more free stacks than this are unmapped

constinit std::uint32_t slot_state[slots] = {};
constinit std::atomic<std::size_t> hint{1};
constinit std::atomic<std::uint32_t> mapped{1};

std::uint64_t stack_of(std::size_t slot) { return abi::stack_base + slot * abi::stack_size; }

bool claim(std::size_t slot, std::uint32_t from) {
    return __atomic_compare_exchange_n(&slot_state[slot], &from, in_use, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// Everything but the guard page.
base::Result<void> map_stack(std::size_t slot) {
    return call::space_map(self().space, abi::no_handle, stack_of(slot) + abi::page_size, 0, abi::stack_size - abi::page_size,
                             abi::protection::read | abi::protection::write);
}

base::Result<std::size_t> take_stack() {
    const std::size_t start = hint.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < slots; ++i) {
        const std::size_t slot = (start + i) % slots;
        if (slot == 0)
            continue;
        if (claim(slot, idle)) {
            hint.store(slot, std::memory_order_relaxed);
            return slot;
        }
        if (!claim(slot, unmapped))
            continue;
        if (auto result = map_stack(slot); !result) {
            __atomic_store_n(&slot_state[slot], unmapped, __ATOMIC_RELEASE);
            return std::unexpected(result.error());
        }
        mapped.fetch_add(1, std::memory_order_relaxed);
        hint.store(slot, std::memory_order_relaxed);
        return slot;
    }
    return std::unexpected(abi::Error::no_slots);
}

void drop_stack(std::size_t slot) {
    (void)call::space_unmap(self().space, stack_of(slot), abi::stack_size);
    mapped.fetch_sub(1, std::memory_order_relaxed);
    __atomic_store_n(&slot_state[slot], unmapped, __ATOMIC_RELEASE);
}

// The leaving thread cannot unmap what it stands on: stacks that others left are looked after here, by those who come and go.
void trim_stacks() {
    std::uint32_t kept = 0;
    for (std::size_t slot = 1; slot < slots && mapped.load(std::memory_order_relaxed) > idle_limit; ++slot) {
        if (__atomic_load_n(&slot_state[slot], __ATOMIC_RELAXED) == unmapped && slot > hint.load(std::memory_order_relaxed) + idle_limit)
            break;
        if (__atomic_load_n(&slot_state[slot], __ATOMIC_RELAXED) != idle || ++kept <= idle_limit)
            continue;
        if (claim(slot, idle))
            drop_stack(slot);
    }
}

std::size_t own_slot() { return (reinterpret_cast<std::uint64_t>(&current_thread()) - abi::stack_base) / abi::stack_size; }

} // namespace

extern "C" [[noreturn]] void native_thread_main(ThreadBlock* block) {
    block->entry(block->argument);
    leave_thread();
}

base::Result<abi::Handle> start_thread(void (*entry)(void*), void* argument, const ThreadOptions& options) {
    const std::size_t slot = TRY(take_stack());
    auto* block = reinterpret_cast<ThreadBlock*>(stack_of(slot) + abi::stack_size - sizeof(ThreadBlock));
    auto thread = call::thread_create(self().process, options.budget != abi::no_handle ? options.budget : self().budget);
    if (!thread) {
        __atomic_store_n(&slot_state[slot], idle, __ATOMIC_RELEASE);
        return std::unexpected(thread.error());
    }
    *block = {nullptr, *thread, options.user, entry, argument, {}};
    const auto address = reinterpret_cast<std::uint64_t>(block);
    const auto begin = reinterpret_cast<std::uint64_t>(&native_thread_entry);
    if (auto started = call::thread_start(*thread, begin, address, address); !started) {
        (void)call::handle_close(*thread);
        __atomic_store_n(&slot_state[slot], idle, __ATOMIC_RELEASE);
        return std::unexpected(started.error());
    }
    return *thread;
}

void leave_thread() {
    trim_stacks();
    ThreadBlock& block = current_thread();
    const std::size_t slot = own_slot();
    if (block.handle != abi::no_handle)
        (void)call::handle_close(block.handle);
    native_thread_leave(&slot_state[slot], idle);
}

base::Result<Thread*> Thread::create(void (*entry)(void*), void* argument, const ThreadOptions& options) {
    auto* thread = new (std::nothrow) Thread();
    if (thread == nullptr)
        return std::unexpected(abi::Error::no_memory);
    thread->entry_ = entry;
    thread->argument_ = argument;
    auto started = start_thread(&Thread::run, thread, options);
    if (!started) {
        delete thread;
        return std::unexpected(started.error());
    }
    thread->handle_ = *started;
    return thread;
}

void Thread::run(void* self) {
    auto* thread = static_cast<Thread*>(self);
    thread->entry_(thread->argument_);
    std::uint32_t* done = &thread->done_;
    __atomic_store_n(done, 1, __ATOMIC_RELEASE);
    // A joiner may have freed the object meanwhile: the wake-up names an address only.
    futex_wake(done, UINT32_MAX);
}

void Thread::join() {
    while (__atomic_load_n(&done_, __ATOMIC_ACQUIRE) == 0)
        (void)futex_wait(&done_, 0, abi::never);
    delete this;
}

std::uint32_t mapped_stacks() { return mapped.load(std::memory_order_relaxed); }

} // namespace native
