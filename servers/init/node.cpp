#include "servers/init/node.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "abi/info.hpp"
#include "lib/native/audit.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

namespace init {

namespace {

const char* reason_name(abi::EndReason reason) {
    switch (reason) {
    case abi::EndReason::none: return "nothing";
    case abi::EndReason::exit: return "exit";
    case abi::EndReason::kill: return "kill";
    case abi::EndReason::fault: return "fault";
    case abi::EndReason::quota: return "end of its quota";
    case abi::EndReason::bad_entry: return "bad entry";
    }
    return "unknown reason";
}

base::Result<std::uint64_t> pages_of(const Amount& amount) {
    if (amount.unit == Amount::Unit::pages)
        return amount.value;
    abi::QuotaInfo info{};
    TRY(native::call::quota_inspect(native::self().quota, info));
    return info.limit_pages / 100 * amount.value;
}

} // namespace

base::Result<void> Node::start() {
    ended_ = TRY(native::Notification::create());
    for (std::size_t i = 0; i < file_.endpoint_count; ++i)
        endpoints_[i] = TRY(native::own(native::call::endpoint_create(native::self().quota)));
    for (std::size_t i = 0; i < file_.program_count; ++i)
        if (auto started = start_program(i); !started) {
            native::print("init: ", file_.programs[i].name, " cannot start: ", native::error_name(started.error()));
            release(running_[i]);
        }
    return {};
}

base::Result<native::Grant> Node::grant(const GrantLine& line, native::Owned& temporary) {
    switch (line.kind) {
    case GrantLine::Kind::kernel:
        return native::Grant{line.name, TRY(native::require(line.source)), line.rights};
    case GrantLine::Kind::ports: {
        const abi::Handle all = TRY(native::require("io_port"));
        temporary = TRY(native::own(native::call::io_port_slice(all, native::self().quota, line.first_port, line.port_count)));
        return native::Grant{line.name, temporary.get(), abi::right::read | abi::right::write | abi::right::inspect};
    }
    case GrantLine::Kind::serve:
        return native::Grant{line.name, endpoints_[line.endpoint].get(), abi::right::receive | abi::right::bind | abi::right::inspect};
    case GrantLine::Kind::call: {
        abi::Handle endpoint = endpoints_[line.endpoint].get();
        if (line.badge != 0) {
            temporary = TRY(native::own(native::duplicate(endpoint, 0, line.badge)));
            endpoint = temporary.get();
        }
        const abi::Rights share = line.share ? abi::right::duplicate | abi::right::transfer : 0;
        return native::Grant{line.name, endpoint, abi::right::send | abi::right::inspect | share};
    }
    case GrantLine::Kind::keep: {
        native::Owned& memory = kept_[line.kept];
        // With all its frames: what is kept there is not lost for lack of memory.
        if (!memory)
            memory = TRY(native::own(native::call::memory_create(native::self().quota, line.pages * abi::page_size, abi::memory_flag::populate)));
        return native::Grant{line.name, memory.get(), abi::right::read | abi::right::write | abi::right::map | abi::right::inspect | abi::right::duplicate | abi::right::transfer};
    }
    }
    return std::unexpected(abi::Error::bad_argument);
}

base::Result<void> Node::start_program(std::size_t index) {
    const Program& program = file_.programs[index];
    Running& running = running_[index];
    ++running.starts;
    const native::FileMemory file = TRY(root_.file(program.file));
    running.quota = TRY(native::own(native::call::quota_create(native::self().quota, TRY(pages_of(program.memory)))));
    const abi::BudgetParameters parameters{program.weight, program.priority, 0, 0, 0};
    running.budget = TRY(native::own(native::call::budget_create(running.quota.get(), native::self().budget, parameters)));

    native::Owned temporary[max_grants];
    native::Grant grants[max_grants];
    for (std::size_t i = 0; i < program.grant_count; ++i)
        grants[i] = TRY(grant(program.grants[i], temporary[i]));

    // The arguments one after the other, each with its NUL.
    char arguments[max_arguments * 256];
    std::size_t used = 0;
    for (std::size_t i = 0; i < program.argument_count; ++i) {
        const std::string_view text = program.arguments[i];
        if (text.size() + 1 > sizeof arguments - used)
            return std::unexpected(abi::Error::too_large);
        std::memcpy(arguments + used, text.data(), text.size());
        arguments[used + text.size()] = '\0';
        used += text.size() + 1;
    }

    native::LaunchRequest request;
    request.program = file.memory.get();
    request.program_bytes = file.size;
    request.quota = running.quota.get();
    request.budget = running.budget.get();
    request.quota_rights = program.quota_rights;
    request.budget_rights = program.budget_rights;
    request.grants = {grants, program.grant_count};
    request.arguments = std::as_bytes(std::span(arguments, used));
    auto launched = native::launch(request);
    if (!launched)
        return std::unexpected(launched.error());
    running.process = std::move(launched->process);
    // Not before it runs: the log where there is no room for a note may have to be emptied by this very program.
    note_name(program, running.process.get());
    return native::call::process_watch(running.process.get(), ended_.handle(), std::uint64_t{1} << index);
}

// What the audit log lacks is a name for a number: the node goes on.
void Node::note_name(const Program& program, abi::Handle process) {
    if (!audited_)
        return;
    const auto noted = native::note_name(native::granted("log"), process, program.name);
    if (noted)
        return;
    audited_ = noted.error() != abi::Error::unknown_call;
    native::print("init: the audit log does not take the name of ", program.name, ": ", native::error_name(noted.error()));
}

void Node::release(Running& running) {
    if (running.quota)
        (void)native::call::quota_destroy(running.quota.get());
    running.process.reset();
    running.budget.reset();
    running.quota.reset();
}

void Node::on_end(std::size_t index) {
    const Program& program = file_.programs[index];
    Running& running = running_[index];
    abi::ProcessInfo info{};
    (void)native::call::process_inspect(running.process.get(), info);
    const bool again = may_start_again(index);
    if (info.reason == abi::EndReason::fault)
        native::print("init: ", program.name, " ended by fault ", info.status, " at ", base::Hex{info.fault_instruction}, " on ", base::Hex{info.fault_address},
                      again ? ", starts again" : "");
    else if (info.reason != abi::EndReason::exit || info.status != 0 || again)
        native::print("init: ", program.name, " ended by ", reason_name(info.reason), " with ", info.status, again ? ", starts again" : "");
    // Its quota goes with everything that was charged to it: processes it had started, too.
    release(running);
    if (!again)
        return;
    // One that ends as often as that gets a pause in between.
    if (running.starts > program.restarts)
        running.waits = true;
    else
        start_again(index);
}

// Who keeps something for the node is never given up: all others may be waiting for it.
bool Node::may_start_again(std::size_t index) const {
    const Program& program = file_.programs[index];
    const auto keeps = [](const GrantLine& line) { return line.kind == GrantLine::Kind::keep; };
    return running_[index].starts <= program.restarts || std::any_of(program.grants, program.grants + program.grant_count, keeps);
}

void Node::start_again(std::size_t index) {
    Running& running = running_[index];
    const bool told = running.waits;
    const auto started = start_program(index);
    running.waits = !started && may_start_again(index);
    if (started)
        return;
    // What it lacks, memory most often, may come back.
    if (!told || !running.waits)
        native::print("init: ", file_.programs[index].name, " cannot start: ", native::error_name(started.error()), running.waits ? ", is tried again" : "");
    release(running);
}

void Node::watch() {
    for (;;) {
        bool any = false, waits = false;
        for (std::size_t i = 0; i < file_.program_count; ++i) {
            any |= running_[i].process || running_[i].waits;
            waits |= running_[i].waits;
        }
        if (!any)
            return;
        constexpr std::uint64_t pause_milliseconds = 1000;
        auto bits = ended_.wait(waits ? native::after_milliseconds(pause_milliseconds) : abi::never);
        if (!bits) {
            for (std::size_t i = 0; i < file_.program_count; ++i)
                if (running_[i].waits)
                    start_again(i);
            continue;
        }
        for (std::uint64_t rest = *bits; rest != 0; rest &= rest - 1) {
            const auto index = static_cast<std::size_t>(std::countr_zero(rest));
            if (index < file_.program_count && running_[index].process)
                on_end(index);
        }
    }
}

} // namespace init
