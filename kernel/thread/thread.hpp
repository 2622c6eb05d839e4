// Thread: what runs native code of its process, or a guest in restricted mode.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/info.hpp"
#include "abi/thread_page.hpp"
#include "kernel/arch/registers.hpp"
#include "kernel/thread/futex.hpp"
#include "kernel/thread/message.hpp"
#include "kernel/thread/reply.hpp"
#include "kernel/core/audit_payment.hpp"
#include "kernel/core/wait_state.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/object/handle_table.hpp"
#include "kernel/object/object.hpp"
#include "kernel/thread/task.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/list.hpp"

namespace kernel {

using UserRegisters = arch::Registers;

class Budget;
class Process;
class Space;
class ThreadQueue;

// The call that a thread has outstanding: what a server needs to take it.
struct CallState {
    std::uint64_t badge = 0;
    base::Ref<Reply> reply;
    MessageCapabilities capabilities;

    // Decodes the message in the caller's registers and page. Errors: bad_argument, bad_handle, missing_right, revoked, no_memory.
    base::Result<void> prepare(Thread& caller, std::uint64_t badge);
    // Drops what the call held. The Reply is kept for the next call where nobody else has it.
    void finish();
};

struct InProcess;

// A wait for a message or an answer that nothing on the thread's kernel stack belongs to: who ends it may send the thread straight to user mode, with the registers that
// its last entry saved. Written by the thread itself before it is in a queue, and by whoever claimed the wait.
struct Exchange {
    enum class Kind : std::uint32_t { none, call, receive, reply_receive };
    Kind kind = Kind::none;
    // What a message comes with: the thread's own Reply, or a slot.
    bool takes_current_reply = false;
    // An Endpoint that the thread found with the right to send, or to receive, when it last did so. As long as the slot has the same handle, the same is in it.
    struct Known {
        const CapabilitySlot* slot = &no_slot;
        base::Ref<Object> endpoint;
        std::uint64_t badge = 0;
        LeaseHold hold;
    };
    // A wait of the kind call is at the Endpoint of the first, the others are at that of the second, which stay so long.
    Known sends;
    Known receives;
};

class Thread final : public Object, public base::ListNodeOf<ThreadQueue>, public base::ListNodeOf<InProcess>, public FutexNode {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::thread;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::start |
                                          abi::right::stop | abi::right::suspend | abi::right::resume;

    // A stopped thread of `process`, with its kernel stack and its ThreadPage in place. Charged to the process' quota. Errors: no_memory, bad_state.
    static base::Result<base::Ref<Thread>> create(Process& process, base::Ref<Budget> budget);

    explicit Thread(Process& process, base::Ref<Budget> budget);
    ~Thread() override;

    Process& process() const { return *process_; }
    Task& task() { return task_; }
    // The thread whose task this is. As task.thread(), without a look at memory.
    static Thread& of(Task& task) {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winvalid-offsetof"
        return *reinterpret_cast<Thread*>(reinterpret_cast<char*>(&task) - offsetof(Thread, task_));
#pragma clang diagnostic pop
    }

    // The page shared with user mode, through the kernel's direct map. Its content may change at any time: each field is read once.
    abi::ThreadPage& page() const { return *page_; }
    std::uint64_t page_address() const { return page_address_; }

    // The registers of user mode, saved at the entry to the kernel. For the thread itself, or for whoever claimed its wait.
    UserRegisters& registers() { return task_.user_registers(); }

    // --- waiting
    WaitState& wait_state() { return wait_; }
    // Waits for the announced wait's end. Gives 0 or the outcome set by who ended it: a peer, or timed_out, canceled, revoked. `hold`: the wait ends with this lease.
    // Called without locks.
    std::int32_t wait(abi::Deadline deadline, const LeaseHold& hold) {
        if (hold.lease) wait_under(hold);
        return wait(deadline);
    }
    // The two halves of it. The thread stays linked to the lease between its waits: most are under the same one.
    void wait_under(const LeaseHold& hold);
    std::int32_t wait(abi::Deadline deadline);
    bool waits_under_lease() const { return waits_under_lease_.load(std::memory_order_relaxed); }
    // What the thread's last wait under a lease was under.
    const LeaseHold& wait_hold() const { return wait_hold_; }
    // The short forms, for waits without deadline: whether the thread is linked to that lease, and an announced wait under the one that it is linked to; false where that was revoked.
    bool is_linked_to(const LeaseHold& hold) const { return wait_hold_.lease.get() == hold.lease.get() && wait_hold_.generation == hold.generation; }
    bool wait_under_linked() {
        waits_under_lease_.store(true, std::memory_order_seq_cst);
        return wait_hold_.valid();
    }
    // By whoever claimed the wait and sends the thread on.
    void wait_is_over() { waits_under_lease_.store(false, std::memory_order_relaxed); }
    // By the claimer: fixes the outcome and makes the thread runnable.
    void finish_wait(std::int32_t outcome);
    // By the thread itself: takes an announced wait back before wait() was called.
    void abandon_wait();

    CallState& call() { return call_; }
    Exchange& exchange() { return exchange_; }
    // The Reply that abi::current_reply names, for the thread itself.
    base::Ref<Reply>& current_reply() { return current_reply_; }
    // The same for one that waits and has none, and for one whose caller has it too and waits for this.
    void take_reply(Reply& reply) {
        reply.retain();
        current_reply_.place(&reply);
    }
    void give_reply_up(Reply& reply) {
        current_reply_.place(nullptr);
        reply.release_shared();
    }
    // Its caller gets peer_closed. Without locks. Errors: bad_handle (there is none).
    base::Result<void> drop_current_reply();

    // --- control
    // Errors: bad_state, bad_pointer.
    base::Result<void> start(std::uint64_t entry, std::uint64_t stack, std::uint64_t argument);
    // Ends the thread: at once where it waits, else before it returns to user mode.
    // Whether it is this that stops it.
    bool stop();
    // Ends a new thread that nobody knows yet; its process goes on. Without locks.
    void discard();
    void suspend();
    void resume();
    void kick();
    // The CPUs that it runs on, of its budget's; 0: all. No locks held. Errors: bad_argument.
    base::Result<void> choose(std::uint64_t cpus);
    bool stopping() const { return attention() & attention_stop; }
    bool kicked() const { return attention() & attention_kick; }
    // A kick that ended a wait which it was not meant for is there for the next one.
    void keep_kick() { task_.attention.fetch_or(attention_kick, std::memory_order_seq_cst); }
    // True where there was a kick, which is used up by this.
    bool take_kick() { return kicked() && task_.attention.fetch_and(~attention_kick, std::memory_order_seq_cst) & attention_kick; }
    // By the thread itself, in the fair band, before what is recorded in the audit log: it has paid for a record then. Errors: canceled, it ends. May wait; no locks held.
    base::Result<void> pay_for_record() {
        if (records_paid_ != 0 || task_.priority() > 0) return {};
        return pay_for_records();
    }
    // For the audit log, when it is done: what was paid for is used up by this.
    AuditPayment take_payment() {
        if (records_paid_ == 0) return task_.priority() > 0 ? AuditPayment::none_due : AuditPayment::due;
        --records_paid_;
        return AuditPayment::made;
    }
    // For one that looks through what others may put back as fast as it is taken out, each time before it looks again. Uses up a kick. Errors: canceled, revoked, timed_out, but not of a poll.
    base::Result<void> may_look_again(const LeaseHold& hold, abi::Deadline deadline);
    static constexpr std::uint32_t attention_stop = 1, attention_suspend = 2, attention_kick = 4;
    static_assert((Dying::attention_bit & (attention_stop | attention_suspend | attention_kick)) == 0);
    // Not 0: before_user() or take_kick() has something to do before the return to user mode.
    std::uint32_t attention() const { return task_.attention.load(std::memory_order_seq_cst); }
    // What is to be done before every return to user mode, with interrupts off: end or suspension. Ends the thread where it must not return.
    void before_user();
    [[noreturn]] void exit();

    void inspect(abi::ThreadInfo& info);

    // --- restricted mode
    // Whether a guest runs. The dispatcher of this thread's system calls and faults.
    bool restricted() const { return task_.restricted(); }
    Space* guest() const { return guest_.get(); }
    void attach(base::Ref<Space> space);
    std::byte* vector_area = nullptr; // see restricted/vector_state.hpp
    std::uint32_t vector_cpu = 0;

    static constexpr std::uint32_t futex_buckets = 256;
    std::atomic<std::uint32_t> futex_bucket = 0; // where it waits at a futex; written under that bucket's lock, and that of the one it comes from
    std::uint64_t futex_frame = 0; // the frame that the key of a shared word names, with a reference while the thread waits; under its bucket's lock
    ThreadQueue* queue = nullptr; // the one it is linked to, under its owner's lock

private:
    bool ends_long() const override;
    void end_in_steps() override;
    void remove_page();

    // Ends an announced wait, unless something else did.
    void end_wait(abi::Error error);

    struct WaitUse final : LeaseUse {
        explicit WaitUse(Thread& thread) : thread(thread) {}
        bool begin_end() override;
        Thread& thread;
    };

    base::Ref<Process> process_;
    base::Ref<Budget> budget_;
    Task task_;
    std::uint64_t page_frame_ = 0;
    abi::ThreadPage* page_ = nullptr;
    std::uint64_t page_address_ = 0;
    WaitState wait_;
    WaitUse wait_use_;
    LeaseHold wait_hold_; // what wait_use_ is linked to
    std::atomic<bool> waits_under_lease_{false};
    CallState call_;
    Exchange exchange_;
    base::Ref<Reply> current_reply_;
    std::atomic<bool> started_{false};
    base::Ref<Space> guest_;
    std::uint32_t records_paid_ = 0;
    base::Result<void> pay_for_records();
};

} // namespace kernel
