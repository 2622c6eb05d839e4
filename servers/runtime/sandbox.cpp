#include "servers/runtime/sandbox.hpp"

#include "abi/info.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"
#include "lib/ring/turn.hpp"
#include "servers/runtime/audit.hpp"
#include "servers/runtime/launch_record.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace runtime {

namespace {

constexpr std::uint64_t usual_weight = 1024, highest_weight = 10000; // of budgets
constexpr std::size_t largest_event = 4096;
constexpr ring::TurnBound events_at_once{64, 64 * 1024}; // of one sandbox, before others have their turn
// The control ring's bell notification also carries the end of the process.
constexpr std::uint64_t ended_bit = 1u << 1;
static_assert(ended_bit != abi::doorbell_bit);

constexpr abi::Rights read_only_memory = abi::right::read | abi::right::map | abi::right::execute | abi::right::inspect | abi::right::duplicate;

// In pages. Tables, threads' kernel stacks and the heap of a personality grow with what its programs do.
constexpr std::uint64_t guest_pages_per_reserved_page = 16, least_reserve = 1024, most_reserve = 32768;
// The rings are committed when they are made.
constexpr std::uint64_t ring_pages = (ring::pair_bytes(Sandbox::control_ring_bytes) + Streams::count * ring::pair_bytes(Streams::ring_bytes)) / abi::page_size;

abi::BudgetParameters budget_parameters(const ProcessorLimits& limits, std::uint64_t cpus) {
    abi::BudgetParameters parameters{};
    parameters.weight = static_cast<std::uint32_t>(limits.shares == 0 ? usual_weight : std::min(limits.shares, highest_weight));
    parameters.cpus = limits.processors;
    // More than all processors is no limit, which the kernel has no need to count.
    if (limits.quota != 0 && limits.quota / std::max<std::uint64_t>(cpus, 1) < limits.period) {
        parameters.limit_microseconds = limits.quota;
        parameters.period_microseconds = limits.period;
    }
    return parameters;
}

// The capabilities that a process gets, with the rights that it has to them.
base::Result<void> record_grants(LaunchRecord& record, std::span<const native::Grant> grants) {
    for (const native::Grant& grant : grants) {
        abi::HandleInfo info{};
        TRY(native::call::handle_inspect(grant.handle, info));
        TRY(record.grant(grant.name, info.kind, grant.rights != 0 ? grant.rights : info.rights));
    }
    return {};
}

// Notes the process before it runs: one that the audit log does not know of does not run.
class Notary final : public native::LaunchObserver {
public:
    Notary(std::uint64_t sandbox, const base::Sha256::Digest& digest) : sandbox_(sandbox), digest_(digest) {}
    base::Result<void> on_made(abi::Handle process) override {
        const auto noted = Audit::note_sandbox(process, sandbox_, digest_);
        if (!noted)
            native::print("sandbox ", sandbox_, " does not start, for the audit log does not take its launch: ", native::error_name(noted.error()));
        return noted;
    }

private:
    std::uint64_t sandbox_;
    base::Sha256::Digest digest_;
};

void write_limits(abi::TlvWriter& writer, const ProcessorLimits& limits) {
    using abi::runtime::Tag;
    writer.number(static_cast<std::uint16_t>(Tag::cpu_quota), limits.quota);
    writer.number(static_cast<std::uint16_t>(Tag::cpu_period), limits.period);
    writer.number(static_cast<std::uint16_t>(Tag::cpu_shares), limits.shares);
    writer.number(static_cast<std::uint16_t>(Tag::cpu_mask), limits.processors);
}

} // namespace

Sandbox::~Sandbox() {
    end();
    if (control_)
        loop_.remove(control_.bell());
    // Frees all that was charged; what is left are this server's own handles.
    if (process_)
        endings_.wait_for(ending_);
    else if (quota_)
        (void)native::call::quota_destroy(quota_.get());
}

base::Result<void> Sandbox::prepare() {
    abi::QuotaInfo info{};
    TRY(native::call::quota_inspect(native::self().quota, info));
    guest_pages_ = settings_.memory_pages != 0 ? std::min(settings_.memory_pages, info.limit_pages) : info.limit_pages;
    // The personality's own memory is beside what its programs were promised: they can exhaust theirs and it goes on.
    const std::uint64_t reserve = std::clamp(guest_pages_ / guest_pages_per_reserved_page, least_reserve, most_reserve) + ring_pages;
    guest_pages_ = std::min(guest_pages_, info.limit_pages - std::min(reserve, info.limit_pages / 2));
    quota_ = TRY(native::own(native::call::quota_create(native::self().quota, guest_pages_ + reserve)));
    budget_ = TRY(native::own(native::call::budget_create(quota_.get(), native::self().budget, budget_parameters(settings_.processor, info.cpu_count))));
    return {};
}

base::Result<void> Sandbox::limit_processor(const ProcessorLimits& limits) {
    TRY(configure_budget(limits));
    settings_.processor = limits;
    if (exit_alarm_.is_set() || ending_.begun())
        lift_limits();
    std::byte bytes[128];
    abi::TlvWriter writer(bytes);
    write_limits(writer, limits);
    // The budget is what holds; a personality that does not read its commands shows the old figures.
    if (process_)
        (void)send(abi::sandbox::Command::limits, writer.written());
    return {};
}

base::Result<void> Sandbox::add_layer(native::Owned memory) {
    if (state_ != State::created)
        return base::fail(abi::Error::bad_state);
    if (layers_.size() >= most_layers)
        return base::fail(abi::Error::too_large);
    return layers_.push_back(std::move(memory));
}

base::Result<void> Sandbox::launch(abi::Handle program, std::uint64_t program_bytes, std::span<const native::Grant> grants, std::span<const std::byte> start) {
    if (process_)
        return base::fail(abi::Error::bad_state);
    control_ = TRY(ring::Pair::create(quota_.get(), abi::RingUse::records, control_ring_bytes, ring::Side::a));
    base::Vector<native::Grant> all;
    const ring::Handles control = control_.peer_handles();
    TRY(all.append(grants));
    TRY(all.push_back({"control.ring", control.memory, ring::Pair::memory_rights()}));
    TRY(all.push_back({"control.wait", control.wait, ring::Pair::wait_rights}));
    TRY(all.push_back({"control.signal", control.signal, ring::Pair::signal_rights}));
    if (network.number != 0) {
        TRY(all.push_back({"net.ring", network.ring.memory, ring::Pair::memory_rights() & ~abi::right::transfer}));
        TRY(all.push_back({"net.wait", network.ring.wait, ring::Pair::wait_rights & ~abi::right::transfer}));
        TRY(all.push_back({"net.signal", network.ring.signal, ring::Pair::signal_rights & ~abi::right::transfer}));
    }
    base::Vector<std::array<char, 16>> names;
    TRY(names.resize(layers_.size()));
    for (std::size_t i = 0; i < layers_.size(); ++i)
        TRY(all.push_back({base::format(names[i], "layer.", i), layers_[i].get(), read_only_memory}));

    std::byte record[512];
    abi::TlvWriter writer(record);
    using abi::runtime::Tag;
    const auto number = [&](Tag tag, std::uint64_t value) { writer.number(static_cast<std::uint16_t>(tag), value); };
    writer.text(static_cast<std::uint16_t>(Tag::hostname), settings_.hostname);
    writer.text(static_cast<std::uint16_t>(Tag::domain_name), settings_.domain_name);
    number(Tag::memory_pages, guest_pages_);
    number(Tag::memory_limited, settings_.memory_pages != 0 ? 1 : 0);
    write_limits(writer, settings_.processor);
    number(Tag::task_limit, settings_.task_limit);
    number(Tag::fused, settings_.fused ? 1 : 0);
    number(Tag::network, network.number != 0 ? 1 : 0);
    number(Tag::mac, network.mac);
    number(Tag::address, network.address);
    number(Tag::gateway, network.gateway);
    number(Tag::name_server, network.name_server);

    LaunchRecord launch_record;
    TRY(launch_record.program(program_bytes));
    abi::QuotaInfo quota{};
    TRY(native::call::quota_inspect(quota_.get(), quota));
    TRY(launch_record.quota(quota.limit_pages));
    TRY(launch_record.budget(budget_parameters(settings_.processor, quota.cpu_count)));
    TRY(launch_record.arguments(writer.written()));
    if (!start.empty())
        TRY(launch_record.start(start));
    for (std::size_t i = 0; i < layers_.size(); ++i)
        TRY(launch_record.layer(i, TRY(native::memory_size(layers_[i].get()))));
    TRY(record_grants(launch_record, {all.data(), all.size()}));
    Notary notary(number_, launch_record.digest());

    native::LaunchRequest request;
    request.observer = &notary;
    request.program = program;
    request.program_bytes = program_bytes;
    request.quota = quota_.get();
    request.budget = budget_.get();
    request.grants = {all.data(), all.size()};
    request.arguments = writer.written();
    TRY(loop_.add(control_.bell(), *this));
    auto launched = native::launch(request);
    if (!launched) {
        loop_.remove(control_.bell());
        control_ = {};
        return base::fail(launched.error());
    }
    process_ = std::move(launched->process);
    // The same notification that the personality rings: one source for both.
    TRY(native::call::process_watch(process_.get(), control_.bell(), ended_bit));
    set_state(State::idle);
    take_events();
    return {};
}

base::Result<void> Sandbox::send(abi::sandbox::Command command, std::span<const std::byte> payload) {
    if (!process_ || state_ == State::dead || state_ == State::ending)
        return base::fail(abi::Error::bad_state);
    TRY(control_.out().write_record(static_cast<std::uint32_t>(command), payload));
    control_.wake_after_write();
    return {};
}

void Sandbox::set_state(State state) {
    if ((state == State::starting) != (state_ == State::starting))
        loop_.set_timer(start_alarm_, state == State::starting ? native::after_milliseconds(start_patience_milliseconds) : abi::never);
    if (state != State::running && exit_alarm_.is_set()) {
        loop_.set_timer(exit_alarm_, abi::never);
        (void)configure_budget(settings_.processor);
    }
    state_ = state;
}

// Told again it has no longer.
void Sandbox::expect_exit() {
    if (state_ != State::running || exit_alarm_.is_set())
        return;
    loop_.set_timer(exit_alarm_, native::after_milliseconds(exit_patience_milliseconds));
    lift_limits();
}

// A thousandth of a processor is enough to run on for weeks, not to end a thousand programs in time.
void Sandbox::lift_limits() {
    ProcessorLimits lifted;
    lifted.processors = settings_.processor.processors;
    lifted.shares = std::max(settings_.processor.shares, usual_weight);
    (void)configure_budget(lifted);
}

base::Result<void> Sandbox::configure_budget(const ProcessorLimits& limits) {
    return native::call::budget_configure(budget_.get(), budget_parameters(limits, TRY(figures()).cpu_count));
}

void Sandbox::wait_for_stats(native::ChannelRequest request) {
    pending_inspect = std::move(request);
    loop_.set_timer(stats_alarm_, native::after_milliseconds(stats_patience_milliseconds));
}

// What it writes is read no more; its end comes as an event.
void Sandbox::give_up() {
    broken_ = true;
    end_processes();
}

// The personality, and with it those that it made under its quota: they would run on with the sandbox' processor time, memory and port.
// Nothing is charged to the quota any more; the streams that there are stay readable, as this server has them too.
void Sandbox::end_processes() {
    // They end by their own time, and others' endings wait for theirs.
    lift_limits();
    // At once, also where others' endings come first.
    (void)native::call::process_kill(process_.get(), 0);
    endings_.begin(ending_, quota_.get());
}

void Sandbox::start_is_late() {
    native::print("the personality of sandbox ", number_, " did not start its program in time");
    give_up();
    observer_.on_start_late(*this);
}

void Sandbox::exit_is_late() {
    native::print("the personality of sandbox ", number_, " did not end its programs in time");
    give_up();
}

void Sandbox::end() {
    set_state(State::ending);
    loop_.set_timer(stats_alarm_, abi::never);
    streams_.hang_up();
    if (process_)
        end_processes();
}

base::Result<abi::QuotaInfo> Sandbox::figures() const {
    abi::QuotaInfo info{};
    TRY(native::call::quota_inspect(quota_.get(), info));
    return info;
}

void Sandbox::on_event(std::uint64_t bits) {
    if (state_ == State::ending)
        return;
    take_events();
    if ((bits & ended_bit) != 0)
        check_end();
}

void Sandbox::take_events() {
    if (broken_)
        return;
    std::byte bytes[largest_event];
    const auto after = ring::take_turn(control_.in(), bytes, events_at_once, [this](const ring::Consumer::Record& record, std::span<const std::byte> payload) {
        return payload.size() == record.length && take_event(record.kind, payload);
    });
    control_.wake_after_read();
    if (after == ring::AfterTurn::more)
        control_.ring_own_bell();
    if (after != ring::AfterTurn::broken)
        return;
    native::print("the personality of sandbox ", number_, " broke its control ring");
    give_up();
}

// What comes here was written inside the border: lengths and kinds are checked, contents are data. False: no personality writes this.
bool Sandbox::take_event(std::uint32_t kind, std::span<const std::byte> payload) {
    abi::TlvReader reader(payload);
    abi::TlvReader again = reader;
    abi::TlvRecord item;
    std::uint64_t first = 0;
    if (again.next(item))
        first = item.number();
    using abi::sandbox::Event;
    switch (static_cast<Event>(kind)) {
    case Event::ready: return true;
    case Event::started:
        if (state_ != State::starting)
            return true;
        set_state(first == 0 ? State::running : State::idle);
        if (first != 0) {
            no_memory_told_ = false;
            streams_.hang_up();
        }
        observer_.on_started(*this, first);
        return true;
    case Event::exited:
        if (state_ != State::running)
            return true;
        set_state(State::idle);
        no_memory_told_ = false;
        observer_.on_exited(*this, static_cast<std::uint32_t>(first));
        return true;
    case Event::stats: observer_.on_stats(*this, reader); return true;
    case Event::missing_calls: observer_.on_missing_calls(*this, reader); return true;
    case Event::no_memory:
        if ((state_ == State::starting || state_ == State::running) && !std::exchange(no_memory_told_, true))
            observer_.on_no_memory(*this);
        return true;
    }
    return false;
}

void Sandbox::check_end() {
    abi::ProcessInfo info{};
    if (state_ == State::dead || !native::call::process_inspect(process_.get(), info) || info.state != abi::ProcessState::ended)
        return;
    native::print("the personality of sandbox ", number_, " ended, reason ", static_cast<unsigned>(info.reason), " status ", info.status, " at ",
                  base::Hex{info.fault_instruction}, " on ", base::Hex{info.fault_address});
    set_state(State::dead);
    end_processes();
    streams_.hang_up();
    observer_.on_crashed(*this);
}

} // namespace runtime
