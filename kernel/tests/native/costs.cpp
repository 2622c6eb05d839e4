#include "abi/thread_page.hpp"
#include "kernel/tests/native/costs.hpp"
#include "lib/native/thread_block.hpp"

extern "C" const unsigned char guest_add[], guest_add_end[], guest_constants[], guest_constants_end[];

namespace kernel_test {

namespace {

namespace call = native::call;
namespace protection = abi::protection;

constexpr std::uint32_t wake = 129;

// `each`: how many of what is measured are in a round; `fast_call`: what becomes of call 39.
void measure_restricted(const char* name, std::uint32_t flags, const unsigned char* begin, const unsigned char* end, std::uint64_t each, std::uint8_t fast_call = 1) {
    const auto half = call::space_create(quota(), flags);
    const auto code = call::memory_create(quota(), abi::page_size, 0);
    if (!half || !code) return;
    (void)call::memory_write(*code, 0, {reinterpret_cast<const std::byte*>(begin), static_cast<std::size_t>(end - begin)});
    (void)call::space_map(*half, *code, 0x400000, 0, abi::page_size, protection::read | protection::execute);
    (void)call::restricted_attach(*half);
    abi::RestrictedState& state = native::current_thread().page->restricted;
    state.registers = {};
    state.registers.rip = 0x400000;
    state.registers.rdi = 0x400000;
    state.registers.rsi = wake;
    abi::FastCalls& calls = native::current_thread().page->fast_calls;
    calls.index[39] = fast_call;
    calls.futex.wake = wake;
    measure(name, [] { (void)call::restricted_enter(0); }, each);
    (void)call::restricted_attach(0);
    (void)call::handle_close(*half);
    (void)call::handle_close(*code);
}

} // namespace

void print_costs() {
    measure("unknown call", [] { (void)native::call::raw(static_cast<abi::KernelCall>(999), 0, 0, 0, 0, 0, 0); });
    measure("thread_yield", [] { (void)call::thread_yield(); });
    abi::HandleInfo info{};
    measure("handle_inspect", [&] { (void)call::handle_inspect(quota(), info); });
    const auto notification = call::notification_create(quota());
    if (notification) measure("notification signal and wait", [&] {
        (void)call::notification_signal(*notification, 1);
        (void)call::notification_wait(*notification, abi::poll);
    });
    measure("Memory create and close", [] { (void)call::handle_close(call::memory_create(quota(), abi::page_size, 0).value_or(0)); });
    measure_restricted("restricted round trip, split", 0, guest_add, guest_add_end, 1);
    measure_restricted("restricted round trip, fused", 1, guest_add, guest_add_end, 1);
    measure_restricted("guest call that is a constant", 0, guest_constants, guest_constants_end, 100);
    measure_restricted("guest call that yields", 0, guest_constants, guest_constants_end, 100, static_cast<std::uint8_t>(abi::FastCall::yield));
    measure_restricted("guest call that wakes nobody at a word", 0, guest_constants, guest_constants_end, 100, static_cast<std::uint8_t>(abi::FastCall::futex));
    print_memory_costs();
    print_exchange_costs();
    print_audit_costs();
    native::print("costs: all");
}

} // namespace kernel_test
