// A ring pair with its doorbells, as one side has it.
#pragma once
#include "lib/base/weaken.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"
#include "lib/ring/ring.hpp"

namespace ring {

enum class Side { a, b }; // A produces into ring 0 and consumes ring 1

// The three capabilities of one side, in the order in which they travel.
struct Handles {
    abi::Handle memory = abi::no_handle; // read, write, map
    abi::Handle wait = abi::no_handle;   // notification to wait on: receive, bind
    abi::Handle signal = abi::no_handle; // notification to signal: send
};

// Owns mapping and capabilities. Not for several threads at once on the same direction.
class Pair {
public:
    Pair() = default;
    // Makes ring pair, notifications and mapping: Memory and Notifications are charged to `quota`, all of the Memory at once: neither side faults where the payer has nothing left. `size` is of each direction. Errors: no_memory, bad_argument.
    static base::Result<Pair> create(abi::Handle quota, abi::RingUse use, std::uint64_t size, Side side);
    // Takes over the handles, whatever the outcome, and maps and checks the Memory. Errors: broken, and those of the mapping.
    static base::Result<Pair> attach(const Handles& handles, abi::RingUse use, Side side);

    explicit operator bool() const { return static_cast<bool>(mapping_); }
    Producer& out() { return producer_; }
    Consumer& in() { return consumer_; }

    // Rings the peer's bell where it waits for what was just written, closed, consumed or abandoned.
    void wake_after_write() {
        if (producer_.take_wakeup())
            ring_bell();
    }
    void wake_after_read() {
        if (consumer_.take_wakeup())
            ring_bell();
    }
    void ring_bell() const { (void)native::call::notification_signal(signal_.get(), abi::doorbell_bit); }
    // For a side whose `wait` may be signalled too, as its maker's, where it leaves something in its ring: it is told of it again, behind what others told it meanwhile.
    void ring_own_bell() const { (void)native::call::notification_signal(wait_.get(), abi::doorbell_bit); }
    // To bind to a port, or to wait on. Its bit says only that something may have changed.
    abi::Handle bell() const { return wait_.get(); }

    // For the side that made the pair: the peer's three capabilities, still this side's slots. Rights for the transfer: `memory_rights`, `wait_rights`, `signal_rights`.
    Handles peer_handles() const { return {memory_.get(), signal_.get(), wait_.get()}; }
    // Without `control`: who shrinks or seals what the other side has mapped ends it at its next look.
    static abi::Rights memory_rights() {
        const abi::Rights rights = abi::right::read | abi::right::write | abi::right::map | abi::right::transfer | abi::right::inspect;
        return base::weakened(base::Weakness::ring_rights) ? rights | abi::right::control : rights;
    }
    static constexpr abi::Rights wait_rights = abi::right::receive | abi::right::bind | abi::right::transfer | abi::right::inspect;
    static constexpr abi::Rights signal_rights = abi::right::send | abi::right::transfer | abi::right::inspect;

    // No more will be written; nobody reads any more. Wakes the peer.
    void hang_up() {
        if (!mapping_)
            return;
        producer_.close();
        consumer_.abandon();
        ring_bell();
    }

private:
    native::Owned memory_, wait_, signal_;
    native::Mapping mapping_;
    Producer producer_;
    Consumer consumer_;
};

} // namespace ring
