// One sandbox: a personality process, and what processes that makes, with its quota, budget, layers, network port and control ring.
#pragma once
#include "abi/runtime.hpp"
#include "abi/sandbox.hpp"
#include "abi/tlv.hpp"
#include "lib/base/vector.hpp"
#include "lib/native/channel_server.hpp"
#include "lib/native/event_loop.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/launch.hpp"
#include "servers/runtime/endings.hpp"
#include "servers/runtime/missing_calls.hpp"
#include "servers/runtime/streams.hpp"

namespace runtime {

class Sandbox;

// What a sandbox tells its server.
class SandboxObserver {
public:
    virtual void on_started(Sandbox& sandbox, std::uint64_t linux_error) = 0;
    virtual void on_exited(Sandbox& sandbox, std::uint32_t status) = 0;
    virtual void on_crashed(Sandbox& sandbox) = 0;
    // The personality did not say in time whether it started the program. It is being ended: on_crashed follows.
    virtual void on_start_late(Sandbox& sandbox) = 0;
    // It did not tell its figures in time.
    virtual void on_stats_late(Sandbox& sandbox) = 0;
    // At most once in a run: what a sandbox may add to the node's events is bounded.
    virtual void on_no_memory(Sandbox& sandbox) = 0;
    virtual void on_stats(Sandbox& sandbox, abi::TlvReader records) = 0;
    virtual void on_missing_calls(Sandbox& sandbox, abi::TlvReader records) = 0;

protected:
    ~SandboxObserver() = default;
};

// As abi::runtime::Tag has them.
struct ProcessorLimits {
    std::uint64_t quota = 0; // microseconds in each period; 0: no limit
    std::uint64_t period = usual_period;
    std::uint64_t shares = 0; // 0: none were given
    std::uint64_t processors = 0; // a mask; 0: all
    static constexpr std::uint64_t usual_period = 100'000;
};

struct SandboxSettings {
    std::uint64_t memory_pages = 0; // of its programs and files; 0: all that the runtime has
    ProcessorLimits processor;
    std::uint64_t task_limit = 0;   // threads of its programs; 0: what the personality can bear
    bool fused = false;
    char hostname[65] = "sandbox";  // NUL-terminated
    char domain_name[65] = "";      // the same; "" for none
};

struct NetworkPort {
    std::uint64_t number = 0; // 0: none
    std::uint64_t mac = 0;
    std::uint32_t address = 0, gateway = 0, name_server = 0;
    ring::Handles ring;
};

class Sandbox final : native::EventHandler {
public:
    enum class State : std::uint8_t { created, idle, starting, running, dead, ending };

    Sandbox(std::uint64_t number, const SandboxSettings& settings, native::EventLoop& loop, Endings& endings, SandboxObserver& observer)
        : number_(number), settings_(settings), loop_(loop), endings_(endings), observer_(observer) {}
    // Waits until gone().
    ~Sandbox();

    // Of the channel's client that made it; its end is the sandbox' too. 0: the server's own.
    std::uint64_t owner = 0;

    // Quota and budget. Errors: no_memory, bad_argument.
    base::Result<void> prepare();
    std::uint64_t number() const { return number_; }
    State state() const { return state_; }
    abi::Handle quota() const { return quota_.get(); }
    Streams& streams() { return streams_; }
    NetworkPort network;
    native::ChannelRequest pending_start; // answered when the program was started
    // Keeps the request until the personality tells its figures, or does not in time.
    void wait_for_stats(native::ChannelRequest request);
    native::ChannelRequest pending_inspect;
    MissingCallsAllowance missing_calls;

    // A sealed Memory. Errors: bad_state (it was started), too_large (too many).
    base::Result<void> add_layer(native::Owned memory);
    // The personality's process; once. `program`: its ELF file. `grants`: what every sandbox gets, and this one more. `start`: the records of its first start, for the launch record;
    // empty where they are not known yet. Errors: those of launch.
    base::Result<void> launch(abi::Handle program, std::uint64_t program_bytes, std::span<const native::Grant> grants, std::span<const std::byte> start);
    bool launched() const { return static_cast<bool>(process_); }
    // Records to the personality. Errors: bad_state, would_block (the ring is full: it does not read).
    base::Result<void> send(abi::sandbox::Command command, std::span<const std::byte> payload);
    // `starting`: the personality has so long to say how that went.
    void set_state(State state);
    // Its programs were told to end, all of them and at once: the personality has so long to say that they did, without its limits on processor time, or it ends with them.
    void expect_exit();
    // Ends its processes, and hears nothing of its programs any more. What was charged to the sandbox is free once gone() holds, but for what others have of it.
    void end();
    // There is no process of it, or it was told to end and all are gone.
    bool gone() const { return !process_ || ending_.over(); }
    base::Result<abi::QuotaInfo> figures() const;
    // Of all its programs, from their next charge on. Errors: bad_argument.
    base::Result<void> limit_processor(const ProcessorLimits& limits);

    static constexpr std::uint64_t control_ring_bytes = 256 * 1024; // each direction
    // Far beyond what an honest personality takes on a busy machine.
    static constexpr std::uint64_t start_patience_milliseconds = 60'000, exit_patience_milliseconds = 60'000, stats_patience_milliseconds = 5'000;

private:
    class Alarm final : public native::EventLoop::Timer {
    public:
        Alarm(Sandbox& sandbox, void (Sandbox::*late)()) : sandbox_(sandbox), late_(late) {}
        void on_time() override { (sandbox_.*late_)(); }

    private:
        Sandbox& sandbox_;
        void (Sandbox::*late_)();
    };
    static constexpr std::size_t most_layers = 128;
    void on_event(std::uint64_t bits) override;
    void take_events();
    bool take_event(std::uint32_t kind, std::span<const std::byte> payload);
    void check_end();
    void give_up();
    void end_processes();
    void start_is_late();
    void exit_is_late();
    void lift_limits();
    base::Result<void> configure_budget(const ProcessorLimits& limits);
    void stats_are_late() { observer_.on_stats_late(*this); }

    std::uint64_t number_;
    SandboxSettings settings_;
    native::EventLoop& loop_;
    Endings& endings_;
    SandboxObserver& observer_;
    State state_ = State::created;
    std::uint64_t guest_pages_ = 0; // what the programs and files may use; the rest of the quota is the personality's
    bool no_memory_told_ = false; // in this run
    bool broken_ = false; // the personality broke the protocol: it is read no more, and ends
    Alarm start_alarm_{*this, &Sandbox::start_is_late}, exit_alarm_{*this, &Sandbox::exit_is_late}, stats_alarm_{*this, &Sandbox::stats_are_late};
    native::Owned quota_, budget_;
    native::Owned process_; // the personality, the first of those that are charged to the quota: it may make more
    Ending ending_;
    ring::Pair control_;
    Streams streams_;
    base::Vector<native::Owned> layers_;
};

} // namespace runtime
