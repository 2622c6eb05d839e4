// Moving a message from one thread to another: words, and capabilities from table to table.
#pragma once
#include <cstdint>

#include "abi/thread_page.hpp"
#include "kernel/object/capability.hpp"

namespace kernel {

class HandleTable;
class Process;
class Thread;

// The capabilities of a message between two tables. Collected from the sender before anything happens, installed at the receiver as the last step that can fail.
class MessageCapabilities {
public:
    // Takes copies of what the sender's message names. Errors: bad_argument (tag), bad_handle, missing_right (transfer, or more rights than held), revoked.
    // Nothing is kept where it fails. May wait for room in the audit log; without locks.
    base::Result<void> collect(Thread& sender, std::uint64_t tag);
    // One of them: the `index`th of the sender's page, with the rights that it is to have, into an empty one, which stays so where the place is. Errors: as collect().
    static base::Result<void> take(Thread& sender, std::size_t index, Capability& taken);

    // Puts the capabilities into the receiver's table; the handles come back in `handles`. Errors: no_slots, no_memory, revoked, bad_state; the caller then takes
    // back what is in `handles`, once it holds no lock (closing a slot may end an object that needs the lock).
    // What another sandbox than `sender`'s gets is recorded.
    base::Result<void> install(Process& sender, Thread& receiver, abi::Handle (&handles)[abi::message_handles]) const;

    void clear();
    bool empty() const { return count_ == 0; }

private:
    Capability capabilities_[abi::message_handles];
    std::size_t count_ = 0;
};

// Checks a tag from user mode. Errors: bad_argument.
base::Result<void> check_tag(std::uint64_t tag);

// Copies the tag and the words into the receiver's registers and page, and the handles behind them. Neither thread runs meanwhile, or it is the current one.
void copy_message(Thread& sender, Thread& receiver, const abi::Handle (&handles)[abi::message_handles]);

// Closes handles that were installed for a message that then was not delivered. Without locks.
void take_back(HandleTable& table, const abi::Handle (&handles)[abi::message_handles]);

} // namespace kernel
