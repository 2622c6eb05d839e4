// What a thread has still to destroy.
#pragma once
#include <atomic>
#include <cstdint>

namespace kernel {

class Object;

// Objects without references. Of that thread alone.
struct Dying {
    static constexpr std::uint32_t attention_bit = 8;

    bool at_work = false;   // within destructors
    bool in_steps = false;  // within end_the_dying
    Object* first = nullptr; // whose turn comes when the thread is done with the one it is at work on
    Object* late = nullptr;  // whose end is long: for where the thread holds no lock
    std::atomic<std::uint32_t>* attention = nullptr; // the thread's, which has it come there before it returns to user mode

    bool empty() const { return !first && !late; }
};

// The current thread's, or the idle CPU's own. An upcall to the scheduler.
Dying& current_dying();

} // namespace kernel
