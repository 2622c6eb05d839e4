// What two threads do with each other: switches, wake-ups, messages; in one process, and between two.
#include <array>
#include <atomic>

#include "abi/thread_page.hpp"
#include "kernel/tests/native/child.hpp"
#include "kernel/tests/native/costs.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"

extern "C" {
void call_in_registers(abi::Handle endpoint, std::uint64_t tag, std::uint32_t count);
void answer_in_registers(abi::Handle endpoint);
extern const unsigned char answer_in_registers_end[];
extern const unsigned char answer_and_close[], answer_and_close_end[], yield_for_ever[], yield_for_ever_end[];
}

namespace kernel_test {

namespace {

namespace call = native::call;
namespace right = abi::right;

std::atomic<bool> over = false;

void echo(void* argument) {
    const abi::Handle endpoint = *static_cast<abi::Handle*>(argument);
    native::Message message{};
    auto incoming = native::receive(endpoint, message);
    while (incoming && abi::tag_message(message.tag) != 9) incoming = native::answer_and_receive(incoming->reply, endpoint, message);
    if (incoming) (void)native::answer(incoming->reply, message);
}

// By yields, of which not each has to be a switch.
void measure_switch(const char* name) {
    constexpr std::uint64_t rounds = 2000;
    for (int i = 0; i < 10; ++i) (void)call::thread_yield();
    Cost cost;
    const std::uint64_t before = figures().context_switches;
    cost.begin();
    for (std::uint64_t i = 0; i < rounds; ++i) (void)call::thread_yield();
    cost.end();
    cost.print(name, figures().context_switches - before);
}

void print_switch_costs() {
    over = false;
    auto other = native::Thread::create([](void*) {
        while (!over) (void)call::thread_yield();
    }, nullptr);
    if (!other) return;
    measure_switch("thread_yield with a switch, two threads of a process");
    over = true;
    (*other)->join();
    auto child = Child::start(quota(), {yield_for_ever, yield_for_ever_end}, 0);
    if (!child) return;
    measure_switch("thread_yield with a switch, two processes");
    (void)call::process_kill(child->process, 0);
    (void)child->wait();
    child->close();
}

// Two threads that wake each other in turn.
void print_wake_costs() {
    static std::atomic<std::uint32_t> words[2];
    measure("futex_wake without a waiter", [] { native::futex_wake(&words[0], 1); });
    const auto pass = [](unsigned from) {
        words[from] = 0;
        words[1 - from] = 1;
        native::futex_wake(&words[1 - from], 1);
        while (words[from] == 0) (void)native::futex_wait(&words[from], 0);
    };
    static constexpr auto turn = pass;
    words[0] = 1;
    over = false;
    auto other = native::Thread::create([](void*) {
        while (words[1] == 0) (void)native::futex_wait(&words[1], 0);
        while (!over) turn(1);
        words[0] = 1;
        native::futex_wake(&words[0], 1);
    }, nullptr);
    if (!other) return;
    measure("futex wait and wake, two threads of a process", [] { turn(0); }, 2);
    over = true;
    turn(0);
    (*other)->join();

    static abi::Handle notifications[2];
    for (auto& handle : notifications) handle = call::notification_create(quota()).value_or(0);
    over = false;
    other = native::Thread::create([](void*) {
        do {
            (void)call::notification_wait(notifications[1], abi::never);
            (void)call::notification_signal(notifications[0], 1);
        } while (!over);
    }, nullptr);
    if (!other) return;
    const auto signal_and_wait = [] {
        (void)call::notification_signal(notifications[1], 1);
        (void)call::notification_wait(notifications[0], abi::never);
    };
    measure("notification signal and wait, two threads of a process", signal_and_wait, 2);
    over = true;
    signal_and_wait();
    (*other)->join();
    for (const auto handle : notifications) (void)call::handle_close(handle);
}

constexpr std::uint32_t calls_of_round = 20;

// The server is a process of `code`, which gets the endpoint.
void measure_call_to_process(const char* name, abi::Handle endpoint, std::span<const unsigned char> code, std::uint64_t tag) {
    auto child = Child::create(quota(), code);
    if (!child) return;
    const auto granted = call::process_grant(child->process, endpoint, 0, 0);
    if (granted && child->run(*granted)) measure(name, [&] { call_in_registers(endpoint, tag, calls_of_round); }, calls_of_round);
    (void)call::process_kill(child->process, 0);
    (void)child->wait();
    child->close();
}

} // namespace

void print_exchange_costs() {
    print_switch_costs();
    measure("thread create and join", [] {
        if (auto thread = native::Thread::create([](void*) {}, nullptr)) (*thread)->join();
    });
    print_wake_costs();

    abi::Handle endpoint = call::endpoint_create(quota()).value_or(0);
    auto server = native::Thread::create([](void* argument) { answer_in_registers(*static_cast<abi::Handle*>(argument)); }, &endpoint);
    if (!server) return;
    measure("call and reply, in registers", [&] { call_in_registers(endpoint, abi::make_tag(1, 2, 0), calls_of_round); }, calls_of_round);
    call_in_registers(endpoint, abi::make_tag(9, 0, 0), 1);
    (*server)->join();

    // With the copies from and to a native::Message, which are user mode's.
    server = native::Thread::create(echo, &endpoint);
    if (!server) return;
    native::Message message{};
    message.tag = abi::make_tag(1, 2, 0);
    measure("call and reply, two threads of a process", [&] { (void)native::send_call(endpoint, message); });
    message.tag = abi::make_tag(9, 0, 0);
    (void)native::send_call(endpoint, message);
    (*server)->join();
    const auto* const answer = reinterpret_cast<const unsigned char*>(&answer_in_registers);
    measure_call_to_process("call and reply, in registers, two processes", endpoint, {answer, answer_in_registers_end}, abi::make_tag(1, 2, 0));
    const abi::Handle guest = call::space_create(quota(), 0).value_or(0);
    if (!call::restricted_attach(guest)) return;
    measure_call_to_process("call and reply, in registers, from a personality with a guest", endpoint, {answer, answer_in_registers_end}, abi::make_tag(1, 2, 0));
    (void)call::restricted_attach(0);
    (void)call::handle_close(guest);

    const abi::Handle sent = call::notification_create(quota()).value_or(0);
    abi::MessageArea& area = native::current_thread().page->message;
    area.handles[0] = sent;
    area.handle_rights[0] = 0;
    measure_call_to_process("call with a capability that is closed, and reply, two processes", endpoint, {answer_and_close, answer_and_close_end}, abi::make_tag(1, 0, 1));
    std::array<abi::Handle, calls_of_round> copies;
    Cost closes;
    for (unsigned i = 0; i < 100; ++i) {
        for (abi::Handle& copy : copies) copy = call::handle_duplicate(sent, right::send, 0, 0).value_or(0);
        closes.begin();
        for (const abi::Handle copy : copies) (void)call::handle_close(copy);
        closes.end();
    }
    closes.print("handle_close", 100 * copies.size());
    measure("handle_duplicate and handle_close", [&] { (void)call::handle_close(call::handle_duplicate(sent, right::send, 0, 0).value_or(0)); });
    for (const auto handle : {endpoint, sent}) (void)call::handle_close(handle);
}

} // namespace kernel_test
