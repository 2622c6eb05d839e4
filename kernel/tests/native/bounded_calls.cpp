// The largest operations on ports, endpoints, processes, devices and the log (bounded.hpp).
#include "abi/thread_page.hpp"
#include "kernel/tests/native/bounded.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/memory.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;
namespace right = abi::right;

namespace {

// What is ready for a port gives no event where somebody else took its bits.
void stale_sources(Watch& watch) {
    constexpr std::size_t count = 30'000;
    static abi::Handle bells[count];
    const auto port = call::port_create(quota());
    REQUIRE(port);
    bool good = true;
    for (auto& bell : bells) {
        bell = call::notification_create(quota()).value_or(0);
        good &= call::port_bind(*port, bell, 7) && call::notification_signal(bell, 1) && call::notification_wait(bell, abi::poll);
    }
    CHECK(good);
    abi::PortEvent events[1];
    watch(K::port_wait, "look through sources without events", [&] {
        return error_of(call::port_wait(*port, std::as_writable_bytes(std::span(events)), abi::poll)) == static_cast<std::int32_t>(abi::Error::would_block);
    });
    for (const auto bell : bells) good &= call::handle_close(bell).has_value();
    CHECK(good && call::handle_close(*port));
}

struct Callers {
    static constexpr std::size_t count = 8192;
    abi::Handle endpoint = 0;
    abi::Error ended_by = abi::Error::peer_closed;
    std::atomic<std::size_t> begun = 0, ended = 0;
    native::Thread* threads[count] = {};

    static void run(void* argument) {
        auto& self = *static_cast<Callers*>(argument);
        ++self.begun;
        native::Message message{};
        if (error_of(native::send_call(self.endpoint, message)) == static_cast<std::int32_t>(self.ended_by)) ++self.ended;
    }
};
Callers callers;

void callers_without_a_server(Watch& watch) {
    enum class Way { close, kill, revoke };
    for (const Way way : {Way::close, Way::kill, Way::revoke}) {
        callers.begun = callers.ended = 0;
        callers.ended_by = way == Way::revoke ? abi::Error::revoked : abi::Error::peer_closed;
        const abi::Handle low = budget_of(1, 1);
        const auto endpoint = call::endpoint_create(quota());
        const auto process = call::process_create(quota(), budget());
        const auto lease = call::lease_create(quota(), 0);
        const auto pause = call::notification_create(quota());
        REQUIRE(low && endpoint && process && lease && pause);
        const auto send = call::handle_duplicate(*endpoint, right::send, 0, way == Way::revoke ? *lease : abi::no_handle);
        REQUIRE(send);
        if (way == Way::kill) CHECK(call::process_grant(*process, *endpoint, right::receive, 0) && call::handle_close(*endpoint));
        callers.endpoint = *send;
        for (auto*& thread : callers.threads) {
            thread = native::Thread::create(Callers::run, &callers, {.budget = low}).value_or(nullptr);
            REQUIRE(thread);
        }
        while (callers.begun != Callers::count) (void)call::notification_wait(*pause, native::after_milliseconds(10));
        switch (way) {
        case Way::close: watch(K::handle_close, "close the last handle that many callers wait for", [&] { return done(call::handle_close(*endpoint)); }); break;
        case Way::kill: watch(K::process_kill, "end the receiving process of many callers", [&] { return done(call::process_kill(*process, 0)); }); break;
        case Way::revoke: watch(K::lease_revoke, "revoke what many callers wait under", [&] { return done(call::lease_revoke(*lease)); }); break;
        }
        for (auto* thread : callers.threads) thread->join();
        CHECK(callers.ended == Callers::count);
        if (way == Way::revoke) CHECK(call::handle_close(*endpoint));
        for (const auto handle : {*send, *process, *lease, *pause, low}) CHECK(call::handle_close(handle));
    }
}

void ends_of_processes(Watch& watch) {
    constexpr std::size_t count = 256, waiters = 64;
    const auto payer = call::quota_create(quota(), 1 << 16);
    REQUIRE(payer);
    static abi::Handle bells[1024];
    for (auto& bell : bells) bell = call::notification_create(quota()).value_or(0);
    bool good = true;
    for (std::size_t i = 0; i < count; ++i) {
        const auto process = call::process_create(*payer, budget());
        REQUIRE(process);
        // It has its threads' handles itself, or would end without them.
        for (int k = 0; k < 8; ++k) {
            const abi::Handle thread = call::thread_create(*process, budget()).value_or(0);
            good &= call::process_grant(*process, thread, 0, 0) && call::handle_close(thread);
        }
        if (i == 0)
            for (const auto bell : bells) good &= call::process_watch(*process, bell, 1).has_value();
        good &= call::handle_close(*process).has_value();
    }
    CHECK(good);
    static abi::Handle destroyed;
    destroyed = *payer;
    native::Thread* threads[waiters] = {};
    const abi::Handle low = budget_of(1, 1);
    REQUIRE(low);
    watch(K::quota_destroy, "destroy a quota of many processes, many at once", [&] {
        for (auto*& thread : threads) thread = native::Thread::create([](void*) { CHECK(call::quota_destroy(destroyed)); }, nullptr, {.budget = low}).value_or(nullptr);
        return done(call::quota_destroy(*payer));
    });
    for (auto* thread : threads) {
        REQUIRE(thread);
        thread->join();
    }
    for (const auto bell : bells) good &= call::notification_wait(bell, abi::poll).value_or(0) == 1 && call::handle_close(bell);
    CHECK(good && call::handle_close(low) && call::handle_close(*payer));
}

void devices_and_log(Watch& watch) {
    const abi::Handle log = native::granted("log"), root = native::granted("device");
    static std::byte all[256 * 1024];
    for (auto& byte : all) byte = std::byte{'x'};
    const std::span line(all, 1024);
    watch(K::log_write, "write the log's longest text", [&] { return done(call::log_write(log, line)); });
    bool good = true;
    for (std::size_t i = 0; i <= sizeof all / sizeof line[0] / 1024; ++i) good &= call::log_write(log, line).has_value();
    CHECK(good);
    watch(K::log_read, "read the whole log", [&] { return call::log_read(log, 0, all).value_or(0) != 0; });

    static abi::AuditBatch batch;
    static std::uint64_t kept = abi::audit_kept_nothing; // others may have taken some before
    const auto bell = call::notification_create(quota()), lease = call::lease_create(quota(), 0);
    REQUIRE(bell && lease);
    while (const std::uint64_t sequence = call::audit_read(log, kept, batch, *bell).value_or(0)) kept = sequence;
    for (std::size_t i = 0; i < 2 * abi::audit_batch_records; ++i) CHECK(call::lease_revoke(*lease));
    watch(K::audit_read, "seal a whole batch of the audit log", [&] { return call::audit_read(log, kept, batch, *bell).value_or(0) == kept + 1 && batch.count == abi::audit_batch_records; });
    const abi::AuditNote note{.operation = abi::AuditOperation::name};
    watch(K::audit_note, "note a name in the audit log", [&] { return done(call::audit_note(log, native::self().process, note)); });
    for (const auto handle : {*bell, *lease}) CHECK(call::handle_close(handle));

    // The machine with one processor has memory above the hole, so each page of it is looked at. Others may have memory there.
    watch(K::device_slice, "slice the hole below 4 GiB", [&] {
        const auto slice = call::device_slice(root, quota(), 2 * gibibyte, 2 * gibibyte);
        if (!slice && cpus_that_count() != 1) return slice.error() == abi::Error::bad_argument;
        return slice && call::handle_close(*slice);
    });
    const auto hole = call::device_slice(root, quota(), 8 * tebibyte, gibibyte);
    const std::uint64_t at = native::reserve_range(gibibyte).value_or(0);
    REQUIRE(hole && at);
    watch(K::device_map, "map a GiB of a device", [&] { return done(call::device_map(*hole, at, protection::read)); });
    watch(K::space_unmap, "unmap a GiB of a device", [&] { return done(call::space_unmap(space(), at, gibibyte)); });
    native::release_range(at, gibibyte);

    constexpr std::size_t pins = 4096;
    base::Result<abi::Handle> view = std::unexpected(abi::Error::bad_handle);
    watch({K::io_space_create, K::io_space_map}, "pin a page many times", [&] {
        view = call::io_space_create(native::granted("io_space"), quota());
        for (std::size_t i = 0; view && i < pins; ++i) {
            const auto memory = call::memory_create(quota(), page, abi::memory_flag::contiguous);
            if (!memory || !call::io_space_map(*view, *memory) || !call::handle_close(*memory)) return false;
        }
        return view.has_value();
    });
    REQUIRE(view);
    watch(K::io_space_release, "release many pins", [&] { return done(call::io_space_release(*view)); });
    CHECK(call::handle_close(*hole) && call::handle_close(*view));
}

// An echo on another thread for as many messages as it is asked for.
struct Echo {
    abi::Handle endpoint = 0;
    unsigned rounds = 0;
    static void take(native::Message& message) {
        native::close_handles(message);
        message.tag = abi::make_tag(0, abi::message_words, 0);
    }
    static void run(void* argument) {
        auto& self = *static_cast<Echo*>(argument);
        native::Message message{};
        abi::Handle reply = abi::no_handle;
        for (unsigned i = 0; i < self.rounds; ++i) {
            const auto incoming = native::answer_and_receive(reply, self.endpoint, message);
            REQUIRE(incoming);
            take(message);
            reply = incoming->reply;
        }
        CHECK(native::answer(reply, message));
        const auto incoming = native::receive(self.endpoint, message);
        REQUIRE(incoming);
        take(message);
        CHECK(native::answer(incoming->reply, message));
    }
};

void calls_without_a_size(Watch& watch) {
    const abi::Handle irq_root = native::granted("irq"), ports = native::granted("io_port");
    Echo echo{call::endpoint_create(quota()).value_or(0), 4};
    const abi::Handle low = budget_of(1, 1);
    auto* const server = native::Thread::create(Echo::run, &echo, {.budget = low}).value_or(nullptr);
    const auto bell = call::notification_create(quota());
    REQUIRE(server && bell);
    watch({K::ipc_call, K::ipc_receive, K::ipc_reply, K::ipc_reply_receive}, "send the longest messages", [&] {
        for (unsigned i = 0; i <= echo.rounds; ++i) {
            native::Message message{};
            message.tag = abi::make_tag(0, abi::message_words, abi::message_handles);
            for (auto& handle : message.handles) handle = *bell;
            if (!native::send_call(echo.endpoint, message)) return false;
        }
        return true;
    });
    server->join();
    watch({K::handle_inspect, K::memory_inspect, K::thread_inspect, K::process_inspect, K::quota_inspect, K::process_space, K::budget_create, K::budget_configure, K::thread_choose, K::thread_kick,
           K::thread_control, K::process_set_fixup, K::vector_state},
          "ask for everything", [&] {
        abi::HandleInfo handle{};
        abi::MemoryInfo memory{};
        abi::ThreadInfo thread{};
        abi::ProcessInfo process{};
        abi::QuotaInfo quotas{};
        alignas(64) static std::byte area[4096];
        const auto its_thread = call::thread_create(native::self().process, low);
        const auto its_memory = call::memory_create(quota(), page, 0);
        const auto its_space = call::process_space(native::self().process);
        const auto its_budget = call::budget_create(quota(), budget(), {1024, 1, 0, 0, 0});
        if (!its_thread || !its_memory || !its_space || !its_budget) return false;
        bool good = call::handle_inspect(*bell, handle) && call::memory_inspect(*its_memory, memory) && call::thread_inspect(*its_thread, thread) &&
                    call::process_inspect(native::self().process, process) && call::quota_inspect(quota(), quotas) && call::budget_configure(*its_budget, {7, 1, 0, 0, 1}) &&
                    call::thread_choose(*its_thread, 1) && call::thread_kick(*its_thread) && call::thread_control(*its_thread, 1);
        (void)call::process_set_fixup(abi::program_base, abi::program_base, abi::program_base);
        (void)call::vector_state(0, area);
        for (const auto each : {*its_thread, *its_memory, *its_space, *its_budget}) good &= call::handle_close(each).has_value();
        return good;
    });
    watch({K::irq_create, K::irq_bind, K::irq_acknowledge, K::irq_inspect, K::io_port_slice, K::io_port_read, K::io_port_write},
          "use interrupts and ports", [&] {
        const auto irq = call::irq_create(irq_root, quota(), ~0ull, 0);
        abi::IrqInfo info{};
        const auto slice = call::io_port_slice(ports, quota(), 0x70, 2);
        if (!irq || !slice) return false;
        const bool good = call::irq_bind(*irq, *bell, 1) && call::irq_acknowledge(*irq) && call::irq_inspect(*irq, info) && call::io_port_write(*slice, 0x70, 1, 0) &&
                          call::io_port_read(*slice, 0x71, 1);
        return good && call::handle_close(*irq) && call::handle_close(*slice);
    });
    for (const auto handle : {echo.endpoint, *bell, low}) CHECK(call::handle_close(handle));
}

// All map operations that a restricted_enter takes, each as large as a half; the last one is refused, so that no guest runs.
void largest_entries(Watch& watch) {
    const auto guest = call::space_create(quota(), 0);
    REQUIRE(guest && call::restricted_attach(*guest));
    auto& state = native::current_thread().page->restricted;
    constexpr std::uint64_t lowest = mebibyte, all = abi::guest_end - lowest;
    using Kind = abi::MapOperation::Kind;
    state.operation_count = abi::map_operations;
    for (std::size_t i = 0; i + 1 < abi::map_operations; ++i) state.operations[i] = {i % 3 == 0 ? Kind::map : i % 3 == 1 ? Kind::protect : Kind::unmap, i % 3 == 0 ? read_write : protection::read, lowest, all, 0, 0};
    state.operations[abi::map_operations - 1] = {Kind::map, protection::read, abi::program_base, page, 0, 0};
    watch(K::restricted_enter, "enter with the largest map operations", [&] { return !call::restricted_enter(0) && state.operations_done == abi::map_operations - 1; });
    state.operation_count = 0;
    CHECK(call::restricted_attach(0) && call::handle_close(*guest));
}

} // namespace

KERNEL_USER_TEST(bounded_stale_sources) { run_below(stale_sources); }
KERNEL_USER_TEST(bounded_callers_without_a_server) { run_below(callers_without_a_server); }
KERNEL_USER_TEST(bounded_ends_of_processes) { run_below(ends_of_processes); }
KERNEL_USER_TEST(bounded_devices_and_log) { run_below(devices_and_log); }
KERNEL_USER_TEST(bounded_calls_without_a_size) { run_below(calls_without_a_size); }
KERNEL_USER_TEST(bounded_largest_entries) { run_below(largest_entries); }
