// What all kernel objects have in common: a kind, a count of references, a quota that pays, and a count of the slots that name them.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "abi/types.hpp"
#include "kernel/arch/instructions.hpp"
#include "lib/base/ref.hpp"
#include "lib/base/result.hpp"

namespace kernel {

struct Dying;

class Quota;

// Two counts, because they mean different things. References keep the memory alive: slots, mappings, queues, calls in progress. Slots are what
// programs hold: when the last one goes, nobody can reach the object by name any more and it may end what it stands for (a Reply answers
// peer_closed). Both may reach zero on any CPU, under no lock of the object.
class Object {
public:
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    abi::ObjectKind kind() const { return kind_; }
    // Of all objects that programs can have; never used again. 0 for what the kernel made at boot.
    std::uint64_t number() const { return number_; }

    void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
    }
    void release_several(std::uint32_t count) {
        if (references_.fetch_sub(count, std::memory_order_acq_rel) == count) destroy();
    }
    // One of several references, of which another one stays.
    void release_shared() { references_.fetch_sub(1, std::memory_order_release); }
    // For a weak list under a lock: false where the object is already being destroyed.
    bool try_retain();
    bool has_one_reference() const { return arch::holds(references_, 1u); }
    // For checks: false where it is about to end.
    bool is_referenced() const { return references_.load(std::memory_order_relaxed) != 0; }

    void slot_added(abi::Rights rights);
    // `pauses`: others may run where this is long; the caller holds no lock then.
    void slot_removed(abi::Rights rights, bool pauses);
    // How many slots carry the receive right: an Endpoint without any has lost its server.
    std::uint32_t receivers() const { return receivers_.load(std::memory_order_acquire); }

    // The quota that pays for this object; null for the root quota and for what the kernel made at boot.
    Quota* payer() const { return payer_; }

protected:
    explicit Object(abi::ObjectKind kind) : kind_(kind) {}
    virtual ~Object() = default;
    // No slot names this object any more. Called without locks held, by whoever closed the last slot. A slot may come again (a kernel object may be granted
    // later), so only kinds that are passed from slot to slot alone act on it.
    virtual void on_slots_gone() {}
    // No slot with the receive right is left. Does a part of what is due; true where there is more.
    virtual bool on_receivers_gone() { return false; }
    // An object whose end may be long is not destroyed where its last reference goes, which may be under locks, but by the same thread where it holds none, at the latest
    // before it returns to user mode or sleeps. The destructor comes after end_in_steps, which has preemption points and leaves little to it.
    virtual bool ends_long() const { return false; }
    virtual void end_in_steps() {}

private:
    friend void end_the_dying();
    friend void end_some_of_the_dying();
    template <class T, class... Arguments>
    friend base::Result<base::Ref<T>> make_object(Quota& payer, Arguments&&... arguments);
    void begin_charge(Quota& payer, std::size_t bytes);
    // What is released by the end of another object waits for that end: a chain of objects, however long, goes in a loop and not on the stack. What is over some dozens
    // waits for end_the_dying.
    void destroy();
    void destroy_alone();
    // Some dozens of those in front of `before`, without a preemption point.
    static void end_down_to(Dying& list, const Object* before);

    std::atomic<std::uint32_t> references_{1};
    std::atomic<std::uint32_t> slots_{0};
    std::atomic<std::uint32_t> receivers_{0};
    abi::ObjectKind kind_;
    std::uint32_t bytes_ = 0;
    std::uint64_t number_ = 0;
    Quota* payer_ = nullptr; // counted
    Object* next_dying_ = nullptr;
};

// Ends what the current thread, or the idle CPU, has still to destroy. No locks held; in steps.
void end_the_dying();
// Some dozens of it, but for those whose ends are long. No locks held; without a preemption point.
void end_some_of_the_dying();

// While it lives, what loses its last reference waits for one of the two: for a step that lets go of many things under a lock, each of which may be the last thing that held others.
class DeferredEnds {
public:
    DeferredEnds();
    ~DeferredEnds();
    DeferredEnds(const DeferredEnds&) = delete;
    DeferredEnds& operator=(const DeferredEnds&) = delete;

private:
    Dying& list_; // the thread's, on whichever CPU
    const bool at_work_;
};

// Zeroed memory out of pages that `payer` is charged for and that hold its objects alone (memory/heap.hpp); null where the quota or the machine has none left, or the quota was
// destroyed. It keeps the payer until it is given back. No lock of a rank below the heap's held.
void* allocate_object(Quota& payer, std::size_t bytes);
// The payer's last reference may go with it. `bytes` as at the allocation.
void release_object(void* memory, std::size_t bytes);

// An object of kind T, charged to `payer`. Errors: no_memory.
template <class T, class... Arguments>
base::Result<base::Ref<T>> make_object(Quota& payer, Arguments&&... arguments) {
    void* memory = allocate_object(payer, sizeof(T));
    if (!memory) return std::unexpected(abi::Error::no_memory);
    T* object = new (memory) T(std::forward<Arguments>(arguments)...);
    object->begin_charge(payer, sizeof(T));
    return base::Ref<T>::adopt(*object);
}

} // namespace kernel
