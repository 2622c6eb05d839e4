// The log server: the only program beside init that writes to the kernel's log, in the name of those who call it; and the one that keeps the kernel's audit records. Handles:
// `log` (the kernel's log: write; receive), `programs` and `sandboxes` (endpoints, receive), `clock`, and `audit_store` (the Memory for the records, as a predecessor left it:
// read, write, map, duplicate, transfer; without it records are taken and not kept). Arguments: `writer=BADGE:NAME` for each program that may write, `reader=BADGE` for the one that may read what is kept.
#include <algorithm>
#include <memory>
#include <new>

#include "lib/base/format.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/event_loop.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"
#include "servers/log/audit_keeper.hpp"
#include "servers/log/service.hpp"

namespace {

using namespace logging;

constexpr std::size_t kept_bytes = 64 * 1024;

class KernelLog final : public Console {
public:
    explicit KernelLog(abi::Handle log) : log_(log) {}
    void show(std::string_view line) override { (void)native::call::log_write(log_, std::as_bytes(std::span(line))); }

private:
    abi::Handle log_;
};

// Takes audit records some time after there are some, so that many fill a batch, and at once where the kernel's room for more is short. Where there are none nothing is done.
class AuditDesk final : public native::EventHandler, native::EventLoop::Timer {
public:
    AuditDesk(Journal& journal, native::EventLoop& loop) : journal_(journal), loop_(loop) {}

    // Errors: those of the kernel's calls.
    base::Result<void> open(abi::Handle log) {
        bell_ = TRY(native::Notification::create());
        TRY(loop_.add(bell_.handle(), *this));
        keeper_.open(log, bell_.handle());
        // What a node does before its log runs is recorded, too.
        loop_.set_timer(*this, native::monotonic_nanoseconds());
        return {};
    }
    // Errors: those of the kernel's calls and of AuditKeeper::keep.
    base::Result<void> keep(abi::Handle memory) {
        mapping_ = TRY(native::Mapping::of(memory, 0, TRY(native::memory_size(memory)), abi::protection::read | abi::protection::write));
        return keeper_.keep(memory, mapping_.bytes());
    }
    AuditKeeper& keeper() { return keeper_; }

    void on_event(std::uint64_t bits) override {
        if ((bits & abi::audit_signal::many) != 0)
            on_time();
        else if ((bits & abi::audit_signal::some) != 0 && !is_set())
            wait();
    }
    // To be called after whatever may have used the keeper.
    void look() {
        char text[most_text_bytes];
        if (const auto failure = keeper_.failure()) {
            const std::string_view happened = keeper_.refusal() ? "the kernel gives no audit records: " : "the audit log that is kept begins anew: ";
            journal_.say(base::format(text, happened, native::error_name(*failure)), native::monotonic_nanoseconds());
        }
        if (keeper_.behind())
            loop_.set_timer(*this, native::monotonic_nanoseconds());
        else if (keeper_.must_try_again() && !is_set())
            wait();
    }

private:
    // So old a record is at most before it is sealed and kept. A batch takes its place in the store however few records are in it, so a node with little to record keeps its log for long.
    static constexpr std::uint64_t patience_milliseconds = 5'000;
    void wait() { loop_.set_timer(*this, native::after_milliseconds(patience_milliseconds)); }
    void on_time() override {
        loop_.set_timer(*this, abi::never);
        keeper_.take();
        look();
    }

    Journal& journal_;
    native::EventLoop& loop_;
    native::Mapping mapping_;
    native::Notification bell_;
    AuditKeeper keeper_;
};

// One of the two endpoints. Few calls at a time, so that whoever floods one does not keep the other waiting.
class Desk final : public native::EventHandler {
public:
    Desk(abi::Handle endpoint, native::log::Server& server, Journal& journal, AuditDesk& audit, native::EventLoop& loop, native::EventLoop::Timer& timer)
        : endpoint_(endpoint), server_(server), journal_(journal), audit_(audit), loop_(loop), timer_(timer) {}

    void on_event(std::uint64_t) override {
        native::Message message;
        for (unsigned count = 0; count < native::messages_at_once; ++count) {
            const auto incoming = native::receive(endpoint_, message, abi::poll);
            if (!incoming)
                break;
            serve(server_, incoming->badge, message);
            (void)native::answer(incoming->reply, message);
        }
        audit_.look();
        // The loop looks at its timer only where it has nothing else to do.
        journal_.tell_dropped(native::monotonic_nanoseconds());
        loop_.set_timer(timer_, journal_.telling_time());
    }

private:
    abi::Handle endpoint_;
    native::log::Server& server_;
    Journal& journal_;
    AuditDesk& audit_;
    native::EventLoop& loop_;
    native::EventLoop::Timer& timer_;
};

class Teller final : public native::EventLoop::Timer {
public:
    Teller(Journal& journal, native::EventLoop& loop) : journal_(journal), loop_(loop) {}
    void on_time() override {
        journal_.tell_dropped(native::monotonic_nanoseconds());
        loop_.set_timer(*this, journal_.telling_time());
    }

private:
    Journal& journal_;
    native::EventLoop& loop_;
};
static_assert(abi::never == UINT64_MAX, "a telling that is never due is a timer that is never due");

// `writer=BADGE:NAME`, as often as it is there. Errors: bad_argument for one that is written differently; those of add_program.
base::Result<void> add_writers(Journal& journal) {
    constexpr std::string_view key = "writer=";
    const auto bytes = native::argument_bytes();
    std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!rest.empty()) {
        std::string_view one = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
        if (!one.starts_with(key))
            continue;
        one.remove_prefix(key.size());
        const std::size_t colon = one.find(':');
        if (colon == std::string_view::npos)
            return base::fail(abi::Error::bad_argument);
        TRY(journal.add_program(TRY(base::parse_decimal(one.substr(0, colon))), one.substr(colon + 1)));
    }
    return {};
}

base::Result<void> run() {
    static constinit std::byte storage[kept_bytes] = {};
    // What it has for lines is there before it takes the first record, and not when the node's memory is full: servers wait while it does not run.
    for (std::size_t at = 0; at < sizeof storage; at += abi::page_size)
        *const_cast<volatile std::byte*>(storage + at) = std::byte{0};
    const abi::Handle log = TRY(native::require("log"));
    KernelLog console(log);
    const std::unique_ptr<Journal> made(new (std::nothrow) Journal(storage, console));
    if (!made)
        return base::fail(abi::Error::no_memory);
    Journal& journal = *made;
    TRY(add_writers(journal));
    native::EventLoop loop = TRY(native::EventLoop::create());
    const std::unique_ptr<AuditDesk> audit(new (std::nothrow) AuditDesk(journal, loop));
    if (!audit)
        return base::fail(abi::Error::no_memory);
    Programs programs(journal, audit->keeper(), native::monotonic_nanoseconds, TRY(base::parse_decimal(native::argument("reader", "0"))));
    Sandboxes sandboxes(journal, native::monotonic_nanoseconds);
    Teller teller(journal, loop);
    const abi::Handle programs_endpoint = TRY(native::require("programs")), sandboxes_endpoint = TRY(native::require("sandboxes"));
    Desk program_desk(programs_endpoint, programs, journal, *audit, loop, teller);
    Desk sandbox_desk(sandboxes_endpoint, sandboxes, journal, *audit, loop, teller);
    TRY(loop.add(programs_endpoint, program_desk));
    TRY(loop.add(sandboxes_endpoint, sandbox_desk));
    // A node whose records cannot be kept still has its log, and nobody waits until they are taken.
    const abi::Handle memory = native::granted("audit_store");
    auto kept = memory == abi::no_handle ? base::fail(abi::Error::not_found) : audit->keep(memory);
    if (const auto opened = audit->open(log); !opened)
        kept = opened;
    if (!kept) {
        char text[most_text_bytes];
        journal.say(base::format(text, "no audit records are kept: ", native::error_name(kept.error())), native::monotonic_nanoseconds());
    }
    return loop.run();
}

} // namespace

int native_main() {
    if (auto ran = run(); !ran)
        native::print("log: ", native::error_name(ran.error()));
    return 1;
}
