// One native thread that waits for the doorbells of all rings of the sandbox, and turns them into wake-ups.
#pragma once
#include "abi/types.hpp"
#include "linux/core/errno.hpp"

#include <cstdint>

namespace personality {

class BellListener {
public:
    // The bell rang since the last call. Sandbox lock held. Must not remove itself.
    virtual void on_bell() = 0;

protected:
    ~BellListener() = default;
};

// Starts the thread. Once. ENOMEM.
LinuxResult<void> start_bells();
// From now on `bell` (a notification with `bind`) is listened to; returns the number to remove it by. Sandbox lock held. ENOMEM.
LinuxResult<std::uint64_t> add_bell(abi::Handle bell, BellListener& listener);
// Before the bell is closed. No call of the listener comes any more. Sandbox lock held.
void remove_bell(std::uint64_t number, abi::Handle bell);

} // namespace personality
