#include "tests/fuzz/fuzzer.hpp"

#include "lib/native/clock.hpp"
#include "native/call_table.hpp"
#include "tests/attacks/native/cell.hpp"
#include "tests/attacks/native/random.hpp"

namespace call = native::call;
using attacks::Random;
using native::call_table::Argument;
using native::call_table::ArgumentType;
using native::call_table::Call;

extern "C" std::int64_t native_ipc(std::uint64_t number, std::uint64_t handle, std::uint64_t (*registers)[10]);

namespace fuzz {

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::size_t room_pages = 16;
constexpr std::uint64_t range = abi::heap_base + (1ull << 30); // for mappings, past what the program has

// Where calls read and write; the page behind it is not mapped by anybody.
alignas(page) std::byte room[room_pages * page];
alignas(16) std::byte stacks[most_threads][8 * page];

// Handles of all threads of the cell, so that one thread's objects go while another's call is at work on them. What a place held before is stale.
struct Known {
    std::atomic<abi::Handle> handle;
    std::atomic<std::uint32_t> kind; // 0: it did not say
};
constinit Known known[96] = {};
constinit std::atomic<std::size_t> known_count = 0;
constinit std::atomic<std::uint64_t> left = 0;
constinit std::uint64_t seed = 0;

Tally& tally() { return *reinterpret_cast<Tally*>(tally_at); }

void set(std::size_t place, abi::Handle handle) {
    abi::HandleInfo info{};
    const bool told = call::handle_inspect(handle, info).has_value();
    known[place].kind = told ? info.kind : 0;
    known[place].handle = handle;
}

// A thread that goes as soon as it comes: it needs no stack of its own.
[[gnu::naked]] void leave() { asm volatile("movl %0, %%eax\n\tsyscall\n\tud2" ::"i"(abi::KernelCall::thread_exit)); }

// Ends its maker, or most of what it could still do: seldom, not never.
bool is_fatal(const Call& chosen, const std::uint64_t (&words)[6]) {
    switch (static_cast<abi::KernelCall>(chosen.number)) {
    // Whatever handle they name, it may be a copy of its own.
    case abi::KernelCall::process_exit:
    case abi::KernelCall::thread_exit:
    case abi::KernelCall::process_kill:
    case abi::KernelCall::quota_destroy: return true;
    case abi::KernelCall::thread_control: return words[1] == native::thread_operation::stop || words[1] == native::thread_operation::suspend;
    case abi::KernelCall::thread_start: return words[1] != reinterpret_cast<std::uint64_t>(leave);
    case abi::KernelCall::handle_close:
        for (std::size_t i = 0; i < attacks::given_itself; ++i)
            if (words[0] == attacks::given(i)) return true;
        return false;
    case abi::KernelCall::space_unmap:
    case abi::KernelCall::space_protect:
    case abi::KernelCall::space_map:
    case abi::KernelCall::space_move:
        for (const std::uint64_t word : words)
            if (word >= abi::personality_base && word < range) return true;
        return false;
    default: return false;
    }
}

class Fuzzer {
public:
    explicit Fuzzer(std::uint64_t begin) : random_(begin) {}

    void one_call() {
        const Call& chosen = random_.one_of(native::call_table::calls);
        std::uint64_t words[6] = {};
        for (unsigned i = 0; i < chosen.count; ++i) words[i] = argument(chosen.arguments[i]);
        if (chosen.number == static_cast<std::uint32_t>(abi::KernelCall::thread_start) && random_.below(2) == 0) {
            words[1] = reinterpret_cast<std::uint64_t>(leave);
            words[2] = native::address_of(stacks[0] + sizeof(stacks[0])) - 8;
        }
        if (is_fatal(chosen, words) && random_.below(1024) != 0) return;
        tally().calls.fetch_add(1, std::memory_order_relaxed);
        std::uint64_t number = chosen.number;
        if (random_.below(512) == 0) number = random_.below(4) == 0 ? random_.next() : number + (random_.next() << 32);
        const call::RawResult result = chosen.custom ? message(number, words[0])
                                                     : call::raw_losing_registers(static_cast<abi::KernelCall>(number), words[0], words[1], words[2], words[3], words[4], words[5]);
        if (number != chosen.number) return;
        if (result.status < 0) {
            tally().answers[number].fetch_or(std::uint64_t{1} << (-result.status & 63), std::memory_order_relaxed);
            return;
        }
        tally().granted.fetch_add(1, std::memory_order_relaxed);
        tally().reached[number / 64].fetch_or(std::uint64_t{1} << (number % 64), std::memory_order_relaxed);
        if (result.value >> 32 != 0 && result.value < abi::guest_end) learn(result.value);
    }

private:
    // What was given stays known; what was made gives way to what is made.
    void learn(abi::Handle handle) {
        std::size_t place = known_count.load(std::memory_order_relaxed);
        if (place < std::size(known) && known_count.compare_exchange_strong(place, place + 1)) return set(place, handle);
        place = attacks::most_given + random_.below(std::size(known) - attacks::most_given);
        // Mostly a slot goes with its place: else the table is full before long.
        if (random_.below(16) != 0) (void)call::handle_close(known[place].handle);
        set(place, handle);
    }

    // Mostly one of the right kind: else the call would not get far.
    abi::Handle handle(abi::ObjectKind kind) {
        if (random_.below(kind == abi::ObjectKind::reply ? 2 : 256) == 0) return abi::current_reply;
        const std::size_t count = known_count.load(std::memory_order_relaxed);
        if (count == 0 || random_.below(32) == 0) return random_.below(2) == 0 ? random_.next() : random_.below(64) | random_.below(8) << 32;
        const bool wrong = random_.below(16) == 0;
        for (unsigned attempt = 0; attempt < 64; ++attempt) {
            const Known& candidate = known[random_.below(count)];
            if (wrong || kind == abi::ObjectKind::none || candidate.kind == static_cast<std::uint32_t>(kind)) return candidate.handle;
        }
        return known[random_.below(count)].handle;
    }

    std::uint64_t value() {
        static constexpr std::uint64_t values[] = {
            0, 1, 2, 3, 4, 7, 8, 64, 0x100, 0x200, 0x400, 0x7ff, page - 1, page, page + 1, 8 * page, 1ull << 31, (1ull << 31) - 1, 1ull << 32, (1ull << 32) - 1, 1ull << 47,
            1ull << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - page + 1, 0x400000, abi::guest_end, abi::guest_end - page, abi::personality_base, abi::program_base,
            range, range + page, abi::thread_pages_base, abi::stack_base, abi::personality_end - page, abi::personality_end, 0xffff'a000'0000'0000,
            0xffff'ffff'8000'0000};
        switch (random_.below(8)) {
        case 0: return random_.next();
        case 1: return random_.below(0x800);
        case 2: return range + random_.below(256) * page;
        case 3: return random_.below(256) * page;
        case 4: return 0x400000 + random_.below(64) * page;
        case 5: return random_.below(8);
        default: return random_.one_of(values);
        }
    }

    std::uint64_t address() {
        switch (random_.below(8)) {
        case 0: return value();
        case 1: return native::address_of(room) + (1 + random_.below(room_pages)) * page - random_.below(64); // over a page's end, or that of the room
        default: return native::address_of(room) + random_.below(32) * 8;
        }
    }

    std::uint64_t argument(const Argument& wanted) {
        switch (wanted.type) {
        case ArgumentType::handle: return handle(wanted.kind);
        case ArgumentType::optional_handle: return random_.below(2) == 0 ? abi::no_handle : handle(wanted.kind);
        case ArgumentType::pointer:
        case ArgumentType::buffer: return address();
        case ArgumentType::length: return random_.below(8) == 0 ? value() : random_.below(256);
        case ArgumentType::deadline: return deadline();
        case ArgumentType::value: break;
        }
        const std::uint64_t drawn = value();
        // A wide value in a narrow register is refused at once: seldom.
        return wanted.size == 4 && random_.below(16) != 0 ? drawn & 0xffff'ffff : drawn;
    }

    // Long past, now, or soon: nothing waits for long.
    abi::Deadline deadline() {
        switch (random_.below(8)) {
        case 0: return native::monotonic_nanoseconds();
        case 1: return native::monotonic_nanoseconds() + random_.below(20'000);
        default: return random_.below(3);
        }
    }

    // The calls with registers of their own.
    call::RawResult message(std::uint64_t number, abi::Handle target) {
        std::uint64_t registers[10];
        for (auto& word : registers) word = value();
        registers[0] = random_.below(4) == 0 ? random_.next() : random_.below(0x800);
        registers[1] = deadline();
        const std::int64_t status = native_ipc(number, target, &registers);
        return {status, 0};
    }

    Random random_;
};

void work(std::uint64_t index) {
    Fuzzer fuzzer(seed * most_threads + index);
    while (left.fetch_sub(1, std::memory_order_relaxed) - 1 < std::uint64_t{1} << 63) fuzzer.one_call();
    (void)call::process_exit(0);
}

void entry(std::uint64_t index) {
    work(index);
    (void)call::thread_exit();
}

} // namespace

std::uint64_t run(std::uint64_t word) {
    const Orders orders = Orders::of(word);
    seed = orders.seed;
    left = orders.calls;
    std::size_t count = 0;
    for (; count < attacks::most_given && attacks::given(count) != abi::no_handle; ++count) set(count, attacks::given(count));
    known_count = count;
    for (std::uint64_t i = 1; i < orders.threads && count != 0; ++i) {
        const auto thread = call::thread_create(attacks::given(0), attacks::given(3));
        if (!thread) break;
        (void)call::thread_start(*thread, reinterpret_cast<std::uint64_t>(entry), native::address_of(stacks[i] + sizeof(stacks[i])) - 8, i);
        (void)call::handle_close(*thread);
    }
    work(0);
    return 0;
}

} // namespace fuzz
