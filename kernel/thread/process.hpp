// Process: a handle table, a personality half and threads, charged to one quota.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/info.hpp"
#include "abi/kernel_calls.hpp"
#include "kernel/audit/audit.hpp"
#include "kernel/core/tlb_state.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/object/handle_table.hpp"
#include "kernel/object/object.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/object/signal_target.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/thread/thread_queue.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/list.hpp"
#include "lib/base/tree.hpp"

namespace kernel {

class Space;
class Budget;

// Of the list of all processes.
extern constinit SpinLock process_list_lock;

class Process final : public Object, public base::TreeNodeOf<Process> {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::process;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::start |
                                          abi::right::stop | abi::right::control;

    // `sandbox`: any process of the sandbox that it belongs to: one audit account, one domain; with null it begins one. Errors: no_memory.
    static base::Result<base::Ref<Process>> create(Quota& quota, base::Ref<Budget> budget, base::Ref<Process> sandbox);

    Process(Quota& quota, base::Ref<Budget> budget, base::Ref<Process> sandbox);
    ~Process() override;

    // That it was made is in the audit log, so that its end is to be, too.
    void note_recorded();
    // Whether it is the first time that this is asked for `call`, which is log_read or audit_read.
    bool is_first_read(abi::KernelCall call) { return (call == abi::KernelCall::audit_read ? has_read_audit_ : has_read_log_).exchange(true, std::memory_order_relaxed) == false; }

    // In which all were made.
    std::uint64_t order() const { return order_; }
    AuditAccount& audit_account() { return sandbox_ ? sandbox_->audit_account_ : audit_account_; }
    // What it is to the processor's memory of branches (arch::enter_domain), the same number for all of a sandbox. The first process of one is trusted, 0, until it has run a guest, whose
    // work may since then be in any of its threads; those that it makes are not, whenever it makes them.
    std::uint64_t domain() const { return domain_.load(std::memory_order_relaxed); }
    void take_domain() {
        if (domain() == 0) domain_.store(number(), std::memory_order_relaxed);
    }
    Quota& quota() const { return *quota_; }
    HandleTable& handles() { return handles_; }
    // The personality half. Empty once the process has ended. Errors: bad_state.
    base::Result<base::Ref<Space>> space();
    // The same for a thread of it that runs.
    Space& running_space() const {
        lock_.assume_held(); // it stays until the last thread has ended
        return *space_;
    }

    // What a thread without a guest half runs in.
    const RootPair& roots() const { return *roots_; }

    // --- threads
    // Errors: bad_state where the process has ended.
    base::Result<void> add_thread(Thread& thread);
    // Whether a long end may let others run in between: only where the caller holds no lock, which the destructors do not know.
    enum class Pauses : bool { no, yes };
    // By a thread's end; the last one ends the process.
    void thread_ended(Thread& thread, Pauses pauses);
    // By one that nobody knew yet: a process that never ran goes on waiting for its first thread. Without locks.
    void forget_thread(Thread& thread);
    void thread_started();

    // --- the end
    // Records why, once, and stops all threads, also those that another call of this has not come to yet. What the process had is freed by its last thread, or here where it has none.
    // Any thread may call, its own too. Whether it is this that ends it.
    bool end(abi::EndReason reason, std::uint64_t status, std::uint64_t fault_address = 0, std::uint64_t fault_instruction = 0);
    // It ends or has ended: it is given no thread, and those that it has are being stopped.
    bool ending() const { return ending_.load(std::memory_order_acquire); }
    bool ended() const { return state_.load(std::memory_order_acquire) == abi::ProcessState::ended; }
    // Signals once at the end, at once where it is over. `owner` is the object that `target` is part of; `payer` is charged until then, for who may only look at a process must not
    // use up what it has. Nothing is signalled where one of the leases was revoked by then. Errors: no_memory, exists.
    struct Holds {
        LeaseHold process;
        LeaseHold target;
        bool valid() const { return process.valid() && target.valid(); }
    };
    base::Result<void> watch(Quota& payer, base::Ref<Object> owner, SignalTarget& target, std::uint64_t bits, Holds holds);
    void inspect(abi::ProcessInfo& info);

    // The range of code that may fault on guest addresses, and where it goes on then.
    struct Fixup {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::uint64_t landing = 0;
    };
    void set_fixup(const Fixup& fixup);
    Fixup fixup();

    // Closes the quota, so that nothing is charged to it or a descendant, and ends every process that is; returns when they are gone. What other processes still hold
    // (a ring whose server has not let go) stays charged until they do. The caller must not be charged to it. Without locks. Errors: bad_state (the root).
    static base::Result<void> end_quota(Quota& quota);

private:
    class Cursor;
    static void end_all_within(const QuotaNode& quota);
    struct Watch : base::TreeNodeOf<Watch> {
        base::Ref<Object> owner;
        SignalTarget* target = nullptr;
        std::uint64_t bits = 0;
        Holds holds;
    };
    struct WatchTarget {
        std::uintptr_t operator()(const Watch& watch) const { return reinterpret_cast<std::uintptr_t>(watch.target); }
    };
    // Whether it was the last one and the process ends by this, which the caller then tears down. `was_known`: others than its maker could have started it.
    bool remove_thread(Thread& thread, bool was_known);
    // From here on the process is given no thread.
    void begin_end(abi::EndReason reason, std::uint64_t status, std::uint64_t fault_address = 0, std::uint64_t fault_instruction = 0) BASE_REQUIRES(lock_);
    void expect_no_threads() const BASE_REQUIRES(lock_);
    static Watch* new_watch(Quota& payer, base::Ref<Object> owner, SignalTarget& target, std::uint64_t bits);
    static void delete_watch(Watch& watch);
    bool ends_long() const override {
        lock_.assume_held(); // nobody refers to it
        return !torn_down_ || !sandbox_; // what the account has not told is told where there is no lock
    }
    void end_in_steps() override;
    // Frees what the process had, when no thread is left. Once.
    void tear_down(Pauses pauses);
    void record_end(const abi::ProcessInfo& record);

    base::Ref<Quota> quota_;
    base::Ref<Budget> budget_;
    std::uint64_t order_; // in the list of all
    AuditAccount audit_account_;
    const base::Ref<Process> sandbox_; // its first process; null for that one
    std::atomic<std::uint64_t> domain_; // 0 or fixed
    HandleTable handles_;
    SpinLock lock_{LockRank::process};
    base::Ref<Space> space_ BASE_GUARDED_BY(lock_);
    const RootPair* roots_ = nullptr;
    base::List<Thread, InProcess> threads_ BASE_GUARDED_BY(lock_);
    std::uint32_t thread_count_ BASE_GUARDED_BY(lock_) = 0;
    std::atomic<abi::ProcessState> state_{abi::ProcessState::created};
    std::atomic<bool> ending_{false}; // written under the lock
    bool torn_down_ BASE_GUARDED_BY(lock_) = false;
    bool recorded_ BASE_GUARDED_BY(lock_) = false;
    std::atomic<bool> has_read_log_{false}, has_read_audit_{false};
    abi::ProcessInfo record_ BASE_GUARDED_BY(lock_){};
    Fixup fixup_ BASE_GUARDED_BY(lock_);
    base::Tree<Watch, WatchTarget, Watch> watches_ BASE_GUARDED_BY(lock_);
    bool left_ BASE_GUARDED_BY(process_list_lock) = false; // the list
    ThreadQueue waiters_ BASE_GUARDED_BY(process_list_lock); // for it to leave
};

} // namespace kernel
