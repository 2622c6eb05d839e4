#include "kernel/thread/message.hpp"

#include "kernel/core/preempt.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel {

namespace {

void record_transfer(abi::AuditOperation operation, const Process& sender, const Process& receiver, const Capability& capability) {
    Audit::record_now(event_of(operation, sender.number(), capability, receiver.number()));
}

} // namespace

base::Result<void> check_tag(std::uint64_t tag) {
    if (abi::tag_words(tag) > abi::message_words || abi::tag_handles(tag) > abi::message_handles) {
        return std::unexpected(abi::Error::bad_argument);
    }
    return {};
}

base::Result<void> MessageCapabilities::collect(Thread& sender, std::uint64_t tag) {
    TRY(check_tag(tag));
    const std::size_t count = abi::tag_handles(tag);
    if (count == 0) return {};
    // Taken ahead: it may be that all are recorded, at a time at which nobody can wait.
    metered_ = !caller_goes_first();
    if (metered_) TRY(Audit::take_for_later(sender.process().audit_account(), static_cast<std::uint32_t>(count)));
    wait_for_room(sender.process(), count);
    for (std::size_t i = 0; i < count; ++i) {
        count_ = i + 1;
        if (auto taken = take(sender, i, capabilities_[i]); !taken) {
            clear();
            return taken;
        }
    }
    return {};
}

void MessageCapabilities::wait_for_room(Process& sender, std::size_t count) { Audit::wait_for_room(sender.audit_account(), static_cast<std::uint32_t>(count) * records_of_each); }

base::Result<void> MessageCapabilities::take(Thread& sender, std::size_t index, Capability& taken) {
    // The page belongs to the sender, who may write it at any time from another thread: each field is read once.
    const abi::MessageArea& area = sender.page().message;
    const abi::Handle handle = __atomic_load_n(&area.handles[index], __ATOMIC_RELAXED);
    const abi::Rights wanted = __atomic_load_n(&area.handle_rights[index], __ATOMIC_RELAXED);
    // A place for an optional capability stays empty.
    if (handle == abi::no_handle) return {};
    return sender.process().handles().with(handle, [&](const Capability& held) -> base::Result<void> {
        if (!held.hold.valid()) return std::unexpected(abi::Error::revoked);
        if (!(held.rights & abi::right::transfer)) return std::unexpected(abi::Error::missing_right);
        const abi::Rights rights = TRY(shrink_rights(held.rights, wanted));
        taken = held;
        taken.rights = rights;
        return {};
    });
}

base::Result<void> MessageCapabilities::install(Process& sender, Thread& receiver, abi::Handle (&handles)[abi::message_handles]) const {
    for (abi::Handle& handle : handles) handle = abi::no_handle;
    HandleTable& table = receiver.process().handles();
    const bool leaves = &sender.audit_account() != &receiver.process().audit_account();
    for (std::size_t i = 0; i < count_; ++i) {
        if (!capabilities_[i]) continue;
        base::Result<abi::Handle> handle = std::unexpected(abi::Error::revoked);
        if (capabilities_[i].hold.valid()) handle = table.insert(Capability(capabilities_[i]));
        if (!handle) {
            record_taken_back(sender, receiver, handles);
            return std::unexpected(handle.error());
        }
        handles[i] = *handle;
        if (!leaves) continue;
        record_transfer(abi::AuditOperation::transfer, sender, receiver.process(), capabilities_[i]);
    }
    if (metered_ && !leaves) Audit::give_back(sender.audit_account(), static_cast<std::uint32_t>(count_));
    return {};
}

void MessageCapabilities::record_taken_back(Process& sender, Thread& receiver, const abi::Handle (&handles)[abi::message_handles]) const {
    if (&sender.audit_account() == &receiver.process().audit_account()) return;
    for (std::size_t i = 0; i < count_; ++i) {
        if (handles[i] == abi::no_handle) continue;
        record_transfer(abi::AuditOperation::take_back, sender, receiver.process(), capabilities_[i]);
        if (metered_) Audit::charge(sender.audit_account(), 1);
    }
}

void MessageCapabilities::clear() {
    for (std::size_t i = 0; i < count_; ++i) capabilities_[i] = Capability{};
    count_ = 0;
}

void take_back(HandleTable& table, const abi::Handle (&handles)[abi::message_handles]) {
    for (const abi::Handle handle : handles) {
        if (handle != abi::no_handle) (void)table.close(handle);
    }
}

void copy_message(Thread& sender, Thread& receiver, const abi::Handle (&handles)[abi::message_handles]) {
    const UserRegisters& from = sender.registers();
    UserRegisters& to = receiver.registers();
    const std::uint64_t tag = from.rsi;
    to.rsi = tag;
    to.rdx = from.rdx;
    to.r10 = from.r10;
    to.r8 = from.r8;
    to.r9 = from.r9;
    to.r12 = from.r12;
    to.r13 = from.r13;
    to.r14 = from.r14;
    to.r15 = from.r15;
    const std::size_t words = abi::tag_words(tag);
    abi::MessageArea& source = sender.page().message;
    abi::MessageArea& target = receiver.page().message;
    for (std::size_t i = abi::message_register_words; i < words && i < abi::message_words; ++i) {
        target.words[i - abi::message_register_words] = source.words[i - abi::message_register_words];
    }
    const std::size_t count = abi::tag_handles(tag);
    for (std::size_t i = 0; i < count && i < abi::message_handles; ++i) target.handles[i] = handles[i];
}

} // namespace kernel
