// Teeth for the attack tests. A test that a protection holds proves something only if it fails without the protection, so each line that protects asks here whether it is
// to be left out. In every build but the twin (CMake option THEMELIOS_TWIN) the answer is a constant, and nothing of this is in the program.
#pragma once
#include <cstdint>
#include <string_view>

namespace base {

// One protection each; the comment says what is left out.
enum class Weakness : std::uint8_t {
    none,
    handle_generation,  // kernel: a handle's generation is compared with its slot's
    handle_rights,      // kernel: a call's rights are compared with the slot's
    badge_change,       // kernel: a badge that is set stays
    restricted_bit,     // kernel: the thread's bit, not the instruction pointer, tells guest from personality
    guest_execute,      // kernel: the guest half is not executable in the personality's root
    native_call_place,  // kernel: a native call from outside the personality half ends the process
    native_pointer,     // kernel: pointers of native calls lie in the personality half
    page_pin,           // kernel: a thread's page is the thread's until it is gone, whatever the process unmaps
    futex_space,        // kernel: a futex' word is told by its space too
    deferred_end,       // kernel: an object that another one's end releases ends after it, not within it
    fault_code,         // kernel: a fault outside the faulting code's halves does not tell what is mapped there
    reply_last,         // kernel: a server's process gets the Reply once the message is copied
    device_pin,         // kernel: memory that a device was given stays until its IoSpace is released
    alias_execute,      // kernel: no Memory is mapped to be written in one place and to be executed in another; private pages of it are executed as copies
    unbounded_step,     // kernel: work on a space's tables is done in steps
    move_cut,           // kernel: what takes pages from a mapping follows those that a call moves meanwhile, and leaves those that it put in their place
    lock_order,         // kernel: the lock of a port's source is taken before the port's
    lease_generation,   // kernel: a capability is dead once its lease was revoked
    revoke_mapping,     // kernel: a revocation removes what was mapped under the lease
    revoke_wait,        // kernel: a revocation ends the waits of calls under the lease
    revoke_interrupt,   // kernel: a revocation unbinds the interrupts bound under the lease
    revoke_grace,       // kernel: a revocation waits for calls that found the capability before it
    seal_grace,         // kernel: a seal waits for copies that found their page before it
    reply_disarm,       // kernel: a Reply answers the call that it came with and no later one
    page_shoot_down,    // kernel: what is unmapped is forgotten by all processors
    spin_serves,        // kernel: a processor that spins serves the others' shoot-downs
    frame_zero,         // kernel: anonymous memory is zeroed before it is given out
    thread_registers,   // kernel: a thread starts with no registers of the one that had its stack
    vector_registers,   // kernel: native code without a vector state has no vector registers
    processor_tables,   // kernel: user mode does not read the processor's tables' addresses
    guest_privilege,    // kernel: a guest has no flags but those of computing
    fetch_once,         // kernel: what was checked of a guest's state is what is used
    derive_rights,      // kernel: a derived capability has no right that its origin lacks
    slice_bounds,       // kernel: a part of a range of ports does not wrap round
    budget_charge,      // kernel: time that was used is taken from the budget's limit
    lender_charge,      // kernel: what a server does in its caller's turn is the caller's to pay
    turn_asleep,        // kernel: who waits for another's work on a range sleeps
    user_page_run,      // kernel: the kernel runs no code of user pages
    user_page_access,   // kernel: the kernel reads and writes user pages in its copy routines alone
    root_left,          // kernel: a thread that ends leaves its process' root before another one may free it
    root_returned,      // kernel: a thread that ends its process comes back from its pauses to no root of it
    last_thread,        // kernel: a process whose last thread leaves is given none from then on
    chain_depth,        // kernel: no chain of quotas or leases is longer than what may be walked at every use
    audit_wait,         // kernel: who makes records of the audit log waits until there is room for them
    ring_rights,        // rings: the peer of who made a ring neither resizes nor seals it
    ring_commit,        // rings: who touches a ring never has to wait for its payer's memory
    sandbox_processes,  // runtime: with a personality end the processes that it made
    stream_once,        // runtime: a sandbox is given each end of a stream once in a run
    guest_pointer,      // personality: pointers of Linux calls lie in the guest half
    system_sandbox,     // switch: sandboxes that are not peers reach each other not at all
    uplink_gateway,     // switch: the uplink's own servers are asked for names alone
    log_limit,          // kernel: of the lines that programs can bring about, the log takes so many a second
    log_writer,         // log: a line's writer is told by the badge, not by the text
    device_patience,    // drivers: a device that never ends its reset is given up
    device_version,     // drivers: a device without version 1 is refused
    device_features,    // drivers: a device that does not agree to the features is refused
    queue_shape,        // drivers: a queue has a power of two of buffers
    notify_place,       // drivers: a queue's notification lies in the structure for it
    config_place,       // drivers: the device's own configuration ends where it says
    structure_place,    // drivers: a device's structure lies in its BAR
    used_count,         // drivers: a device gives back no more buffers than it has
    used_id,            // drivers: what it gives back is a buffer of the queue
    used_outstanding,   // drivers: it gives back what it has, and once
    used_length,        // drivers: no more bytes come back than were given room for
    entropy_amount,     // virtio_rng: a device that gives no bytes is given up
    entropy_patience,   // virtio_rng: a device that does not answer in time is given up
    frame_length,       // virtio_net: a frame is neither shorter than its headers nor longer than the network allows
    capability_circle,  // pci: a list of capabilities that runs in a circle ends
    capability_place,   // pci: a capability lies in configuration space as a whole
    bar_wrap,           // pci: a BAR does not wrap round the end of the addresses
    bar_table,          // pci: a BAR with the table of interrupts is no driver's
    bar_alone,          // pci: a BAR that overlaps another one is nobody's
};

#ifdef THEMELIOS_TWIN

struct WeaknessName {
    Weakness weakness;
    std::string_view name;
};

inline constexpr WeaknessName weakness_names[] = {
    {Weakness::handle_generation, "handle_generation"},
    {Weakness::handle_rights, "handle_rights"},
    {Weakness::badge_change, "badge_change"},
    {Weakness::restricted_bit, "restricted_bit"},
    {Weakness::guest_execute, "guest_execute"},
    {Weakness::native_call_place, "native_call_place"},
    {Weakness::native_pointer, "native_pointer"},
    {Weakness::page_pin, "page_pin"},
    {Weakness::futex_space, "futex_space"},
    {Weakness::deferred_end, "deferred_end"},
    {Weakness::fault_code, "fault_code"},
    {Weakness::reply_last, "reply_last"},
    {Weakness::device_pin, "device_pin"},
    {Weakness::alias_execute, "alias_execute"},
    {Weakness::unbounded_step, "unbounded_step"},
    {Weakness::move_cut, "move_cut"},
    {Weakness::lock_order, "lock_order"},
    {Weakness::lease_generation, "lease_generation"},
    {Weakness::revoke_mapping, "revoke_mapping"},
    {Weakness::revoke_wait, "revoke_wait"},
    {Weakness::revoke_interrupt, "revoke_interrupt"},
    {Weakness::revoke_grace, "revoke_grace"},
    {Weakness::seal_grace, "seal_grace"},
    {Weakness::reply_disarm, "reply_disarm"},
    {Weakness::page_shoot_down, "page_shoot_down"},
    {Weakness::spin_serves, "spin_serves"},
    {Weakness::frame_zero, "frame_zero"},
    {Weakness::thread_registers, "thread_registers"},
    {Weakness::vector_registers, "vector_registers"},
    {Weakness::processor_tables, "processor_tables"},
    {Weakness::guest_privilege, "guest_privilege"},
    {Weakness::fetch_once, "fetch_once"},
    {Weakness::derive_rights, "derive_rights"},
    {Weakness::slice_bounds, "slice_bounds"},
    {Weakness::budget_charge, "budget_charge"},
    {Weakness::lender_charge, "lender_charge"},
    {Weakness::turn_asleep, "turn_asleep"},
    {Weakness::user_page_run, "user_page_run"},
    {Weakness::user_page_access, "user_page_access"},
    {Weakness::root_left, "root_left"},
    {Weakness::root_returned, "root_returned"},
    {Weakness::last_thread, "last_thread"},
    {Weakness::chain_depth, "chain_depth"},
    {Weakness::audit_wait, "audit_wait"},
    {Weakness::ring_rights, "ring_rights"},
    {Weakness::ring_commit, "ring_commit"},
    {Weakness::sandbox_processes, "sandbox_processes"},
    {Weakness::stream_once, "stream_once"},
    {Weakness::guest_pointer, "guest_pointer"},
    {Weakness::system_sandbox, "system_sandbox"},
    {Weakness::uplink_gateway, "uplink_gateway"},
    {Weakness::log_limit, "log_limit"},
    {Weakness::log_writer, "log_writer"},
    {Weakness::device_patience, "device_patience"},
    {Weakness::device_version, "device_version"},
    {Weakness::device_features, "device_features"},
    {Weakness::queue_shape, "queue_shape"},
    {Weakness::notify_place, "notify_place"},
    {Weakness::config_place, "config_place"},
    {Weakness::structure_place, "structure_place"},
    {Weakness::used_count, "used_count"},
    {Weakness::used_id, "used_id"},
    {Weakness::used_outstanding, "used_outstanding"},
    {Weakness::used_length, "used_length"},
    {Weakness::entropy_amount, "entropy_amount"},
    {Weakness::entropy_patience, "entropy_patience"},
    {Weakness::frame_length, "frame_length"},
    {Weakness::capability_circle, "capability_circle"},
    {Weakness::capability_place, "capability_place"},
    {Weakness::bar_wrap, "bar_wrap"},
    {Weakness::bar_table, "bar_table"},
    {Weakness::bar_alone, "bar_alone"},
};

// What a search of a built file finds where it was built as a twin.
[[gnu::used, gnu::retain, gnu::section(".rodata.twin")]] inline constexpr char twin_marker[] = "ThemeliOS twin: may be weakened";

// Written once, before anything that asks runs.
inline constinit Weakness chosen_weakness = Weakness::none;

inline bool weakened(Weakness weakness) { return chosen_weakness == weakness; }

// Empty for none.
constexpr std::string_view weakness_name(Weakness weakness) {
    for (const WeaknessName& known : weakness_names)
        if (known.weakness == weakness)
            return known.name;
    return {};
}

// Chooses by name (the value of `weaken=` on the kernel's command line). False where no weakness has this name.
inline bool choose_weakness(std::string_view name) {
    for (const WeaknessName& known : weakness_names)
        if (known.name == name) {
            chosen_weakness = known.weakness;
            return true;
        }
    return false;
}

#else

constexpr bool weakened(Weakness) { return false; }

#endif

} // namespace base
