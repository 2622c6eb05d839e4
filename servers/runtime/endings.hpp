// Ends of sandboxes' quotas, by threads of their own: the call returns only when every process that was charged to the quota is gone, and the server waits for nobody.
#pragma once
#include "abi/types.hpp"
#include "lib/base/result.hpp"
#include "lib/native/mutex.hpp"

#include <atomic>

namespace runtime {

// Of one quota; once begun it stays where it is until it is over.
class Ending {
public:
    bool begun() const { return begun_; }
    // No process that was charged to the quota is left.
    bool over() const { return over_.load(std::memory_order_acquire); }

private:
    friend class Endings;
    abi::Handle quota_ = abi::no_handle;
    bool begun_ = false;
    std::atomic<bool> over_{false};
    Ending* next_ = nullptr;
};

class Endings {
public:
    // Starts the threads. `bell`, a notification that outlives this, is signalled after each ending that is over. Errors: no_memory, no_slots.
    base::Result<void> prepare(abi::Handle bell);
    // Ends every process that was or is charged to the quota or one below it; nothing is charged to them any more. The handle stays the caller's, and open until the ending is over.
    // Once begun it is not begun again. Neither allocates nor waits.
    void begin(Ending& ending, abi::Handle quota);
    // Returns when one that was begun is over.
    void wait_for(const Ending& ending);

private:
    // One quota fewer with much to end than there are of these holds up no others.
    static constexpr unsigned workers = 4;
    static void work(void* self);
    [[noreturn]] void work();

    native::Mutex mutex_;
    native::Condition begun_, over_;
    Ending* first_ = nullptr; // those that no thread has taken yet, in their order
    Ending** last_ = &first_;
    abi::Handle bell_ = abi::no_handle;
};

} // namespace runtime
