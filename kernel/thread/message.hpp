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
    // Nothing is kept where it fails; canceled too, where the sender ends while it waits for its account of the audit log. There is room in that as after wait_for_room(); without locks.
    base::Result<void> collect(Thread& sender, std::uint64_t tag);
    // One of them: the `index`th of the sender's page, with the rights that it is to have, into an empty one, which stays so where the place is. Errors: as collect().
    static base::Result<void> take(Thread& sender, std::size_t index, Capability& taken);

    // Puts the capabilities into the receiver's table; the handles come back in `handles`. Errors: no_slots, no_memory, revoked, bad_state; the caller then takes
    // back what is in `handles`, once it holds no lock (closing a slot may end an object that needs the lock).
    // What another sandbox than `sender`'s gets is recorded, where there is room; as is what of that is to be taken back.
    base::Result<void> install(Process& sender, Thread& receiver, abi::Handle (&handles)[abi::message_handles]) const;

    // The same where what is in `handles` is to be taken back for another reason.
    void record_taken_back(Process& sender, Thread& receiver, const abi::Handle (&handles)[abi::message_handles]) const;

    // So many records may be made of each of a message's capabilities: got, and taken back.
    static constexpr std::uint32_t records_of_each = 2;
    std::uint32_t most_records() const { return static_cast<std::uint32_t>(count_) * records_of_each; }
    // Waits until there is room for the records of a message of `sender`, which is the caller's process: on this CPU, and until the next preemption point. Without locks.
    void wait_for_room(Process& sender) const {
        if (count_ != 0) wait_for_room(sender, count_);
    }

    void clear();
    bool empty() const { return count_ == 0; }

private:
    static void wait_for_room(Process& sender, std::size_t count);

    Capability capabilities_[abi::message_handles];
    std::size_t count_ = 0;
    bool metered_ = false; // what is recorded is taken from the sender's account
};

// Checks a tag from user mode. Errors: bad_argument.
base::Result<void> check_tag(std::uint64_t tag);

// Copies the tag and the words into the receiver's registers and page, and the handles behind them. Neither thread runs meanwhile, or it is the current one.
void copy_message(Thread& sender, Thread& receiver, const abi::Handle (&handles)[abi::message_handles]);

// Closes handles that were installed for a message that then was not delivered. Without locks.
void take_back(HandleTable& table, const abi::Handle (&handles)[abi::message_handles]);

} // namespace kernel
