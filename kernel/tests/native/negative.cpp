// Every argument of every call, wrong in every way that its type and its rules in the interface file name, with all others right: the call must refuse with the error that the
// interface names, and all that can be seen stays as it was.
#include <algorithm>
#include <cstring>

#include "abi/audit.hpp"
#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/negative_world.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
using negative::Fault;
using negative::Right;
namespace call = native::call;

extern "C" std::int64_t native_ipc(std::uint64_t number, std::uint64_t handle, std::uint64_t (*registers)[10]);

namespace {

constexpr std::uint64_t page = abi::page_size, largest = ~std::uint64_t{0};
constexpr abi::Handle invented = 0x7777'0000'0003;
constexpr std::uint64_t bad_addresses[] = {
    0,
    0x1000,                   // the guest half
    0x7fff'ffff'f000,         // its end
    0x8000'0000'0000,         // not canonical
    0xffff'7fff'ffff'fff8,    // not canonical either
    0xffff'a000'0000'0000,    // the kernel's direct map
    0xffff'ffff'8000'0000,    // the kernel
    0xffff'ffff'ffff'fff8,    // wraps around
    0xffff'807f'ffff'f000,    // the personality half's last page, where nothing is ever mapped
};

// So much of what a pointer names lies before the end of a page.
constexpr std::uint64_t edge = 8;

// A caller that waits for an answer all the time, and then gets it as it was given.
struct Client {
    static constexpr std::uint32_t message = 7;
    static constexpr std::uint64_t answer = 42;
    abi::Handle endpoint;
    bool answered = false;
    static void run(void* self) {
        auto& client = *static_cast<Client*>(self);
        native::Message sent;
        sent.tag = abi::make_tag(message, 0, 0);
        client.answered = native::send_call(client.endpoint, sent) && abi::tag_words(sent.tag) == 1 && sent.words[0] == answer;
    }
};

class Refusals {
public:
    Refusals(const NegativeWorld& world, abi::Handle reply) : world_(world), reply_(reply) {}

    void all() {
        for (const auto& test : negative::tests) one(test);
        CHECK(tried_ > std::size(negative::tests));
    }
    unsigned tried() const { return tried_; }

private:
    static bool is(const negative::Call& tested, abi::KernelCall number) { return tested.as_named.number == static_cast<std::uint32_t>(number); }

    std::uint64_t right_value(const negative::Argument& argument, const Right& right) const {
        switch (argument.type) {
        case negative::ArgumentType::handle: return argument.kind == abi::ObjectKind::reply ? reply_ : world_.fit_for(argument);
        case negative::ArgumentType::optional_handle: return argument.kind == abi::ObjectKind::memory ? world_.fit_for(argument) : abi::no_handle;
        case negative::ArgumentType::pointer:
        case negative::ArgumentType::buffer: return reinterpret_cast<std::uint64_t>(world_.buffer());
        case negative::ArgumentType::deadline: return abi::poll;
        case negative::ArgumentType::length:
        case negative::ArgumentType::value: break;
        }
        switch (right.form) {
        case Right::Form::constant: return right.value;
        case Right::Form::word: return reinterpret_cast<std::uint64_t>(world_.word());
        case Right::Form::length: return right.place == negative::Place::io_port ? 1 : page;
        case Right::Form::begin: break;
        }
        return right.place == negative::Place::half ? reinterpret_cast<std::uint64_t>(world_.target(right.turn)) : world_.extent(right.place).begin;
    }

    std::int64_t ask(const negative::Call& tested, const std::uint64_t (&words)[6]) const {
        const auto& named = tested.as_named;
        if (!named.custom) return call::raw_losing_registers(static_cast<abi::KernelCall>(named.number), words[0], words[1], words[2], words[3], words[4], words[5]).status;
        std::uint64_t registers[10] = {0, abi::poll};
        for (unsigned i = 1; i < named.count; ++i) registers[named.arguments[i].type == negative::ArgumentType::deadline] = words[i];
        return native_ipc(named.number, words[0], &registers);
    }

    // The call with one wrong word, or two: `before` in place of the argument before it where it is not 0.
    void expect(const negative::Test& test, std::uint64_t value, abi::Error error, abi::Handle before = abi::no_handle) {
        const negative::Call& tested = *find(test.number);
        const auto& named = tested.as_named;
        std::uint64_t words[6] = {};
        for (unsigned i = 0; i < named.count; ++i) words[i] = i == test.index ? value : right_value(named.arguments[i], tested.rights[i]);
        // Which batch is the last one is other tests' doing.
        if (test.number == static_cast<std::uint32_t>(abi::KernelCall::audit_read)) words[1] = abi::audit_kept_nothing;
        if (before) words[test.index - 1] = before;
        Seen seen[2];
        world_.fill_buffer();
        world_.look(seen[0]);
        // What would have no end ends by a kick that came before it.
        if (test.fault == Fault::never) CHECK(call::thread_kick(native::current_thread().handle));
        const std::int64_t status = ask(tested, words);
        world_.look(seen[1]);
        ++tried_;
        // A copy that meets the end of what is there may have moved a part.
        const std::size_t moved = test.fault == Fault::half_readable ? edge : 0;
        const bool same = std::memcmp(&seen[0], &seen[1], sizeof(Seen)) == 0 && world_.buffer_is_as_filled(moved);
        if (status == -static_cast<std::int64_t>(error) && same && (named.errors & native::call_table::error_bit(error))) return;
        native::print("  ", std::string_view(named.name), " argument ", test.index, " fault ", static_cast<unsigned>(test.fault), " value ", value, " gives ", status, " for ", static_cast<int>(error),
                      same ? "" : ", and something changes");
        fail("a wrong argument is refused with its error and changes nothing", __FILE__, __LINE__);
    }
    void expect(const negative::Test& test, std::uint64_t value) { expect(test, value, test.expected); }

    static const negative::Call* find(std::uint32_t number) {
        const auto* const found = std::ranges::find_if(negative::calls, [&](const auto& entry) { return entry.as_named.number == number; });
        return found == std::end(negative::calls) ? nullptr : found;
    }

    void one(const negative::Test& test) {
        const negative::Call* const tested = find(test.number);
        REQUIRE(tested != nullptr && test.index < tested->as_named.count);
        const negative::Argument& argument = tested->as_named.arguments[test.index];
        const std::uint64_t right = right_value(argument, tested->rights[test.index]);
        switch (test.fault) {
        case Fault::bad_handle:
        case Fault::closed_handle:
        case Fault::revoked_handle:
        case Fault::wrong_kind:
        case Fault::missing_right: return wrong_handle(test, argument);
        case Fault::too_wide:
            for (const std::uint64_t value : {std::uint64_t{1} << 32, (std::uint64_t{1} << 63) + 1, largest}) expect(test, value);
            return;
        case Fault::bad_pointer:
            for (const std::uint64_t address : bad_addresses) expect(test, address);
            return expect(test, reinterpret_cast<std::uint64_t>(world_.before_nothing()));
        case Fault::half_readable: return expect(test, reinterpret_cast<std::uint64_t>(world_.before_nothing()) - edge);
        case Fault::read_only: return expect(test, reinterpret_cast<std::uint64_t>(world_.before_read_only()));
        case Fault::half_read_only: return expect(test, reinterpret_cast<std::uint64_t>(world_.before_read_only()) - edge);
        case Fault::value: return expect(test, test.value);
        case Fault::distance: return expect(test, right + test.value);
        case Fault::beside: return beside(test, argument);
        case Fault::too_long: return too_long(test, argument);
        case Fault::unmapped:
            for (const std::uint64_t address : bad_addresses) expect(test, address);
            return expect(test, reinterpret_cast<std::uint64_t>(world_.before_nothing()));
        case Fault::more_rights: return more_rights(test);
        case Fault::message: return wrong_message(test);
        case Fault::past: return expect(test, 1);
        case Fault::poll: return expect(test, abi::poll);
        case Fault::never: return expect(test, abi::never);
        }
    }

    void wrong_handle(const negative::Test& test, const negative::Argument& argument) {
        const abi::Handle right = argument.kind == abi::ObjectKind::reply ? reply_ : world_.fit_for(argument);
        switch (test.fault) {
        case Fault::bad_handle:
            for (const abi::Handle handle : {invented, invented & 0xffff'ffff, right ^ std::uint64_t{1} << 40, std::uint64_t{1} << 63}) expect(test, handle);
            return;
        case Fault::closed_handle: {
            const auto closed = call::handle_duplicate(world_.of(abi::ObjectKind::memory), 0, 0, 0);
            REQUIRE(closed && call::handle_close(*closed));
            return expect(test, *closed);
        }
        case Fault::revoked_handle: {
            const auto lease = call::lease_create(world_.of(abi::ObjectKind::quota), 0);
            REQUIRE(lease);
            const auto dead = call::process_grant(world_.of(abi::ObjectKind::process), right, 0, *lease);
            REQUIRE(dead && call::lease_revoke(*lease));
            expect(test, *dead);
            CHECK(call::handle_close(*dead) && call::handle_close(*lease));
            return;
        }
        case Fault::wrong_kind:
            for (const auto kind : {abi::ObjectKind::memory, abi::ObjectKind::notification, abi::ObjectKind::process})
                if (kind != argument.kind) expect(test, world_.of(kind));
            return;
        default: break;
        }
        for (abi::Rights taken = 1; taken <= abi::right::all; taken <<= 1) {
            if ((argument.rights & taken) == 0) continue;
            const abi::Handle weaker = with_rights(right, ~taken);
            expect(test, weaker);
            CHECK(call::handle_close(weaker));
        }
    }

    static abi::Handle with_rights(abi::Handle handle, abi::Rights rights) {
        abi::HandleInfo info{};
        CHECK(call::handle_inspect(handle, info));
        const auto copy = call::handle_duplicate(handle, info.rights & rights, 0, 0);
        CHECK(copy);
        return copy.value_or(0);
    }

    void beside(const negative::Test& test, const negative::Argument& argument) {
        const auto [begin, size] = world_.extent(test.place);
        const bool narrow = argument.size == 4;
        const std::uint64_t unit = narrow ? 1 : page, end = begin + size;
        if (begin != 0) expect(test, begin - unit);
        if (test.place == negative::Place::half) {
            // Where nothing more lies behind it, the end itself will do: a stack begins there.
            for (const std::uint64_t address : bad_addresses)
                if (address != end) expect(test, address & ~(page - 1));
            expect(test, end + page);
        } else {
            expect(test, end);
            expect(test, end + unit);
        }
        if (narrow) return expect(test, largest >> 32);
        for (const std::uint64_t far : {largest & ~(page - 1), std::uint64_t{1} << 63}) expect(test, far);
    }

    void too_long(const negative::Test& test, const negative::Argument& argument) {
        const auto [place, size] = world_.extent(test.place);
        // The begin is the argument before it, but for a buffer's length: that is of what begins at 0.
        const std::uint64_t begin = test.place == negative::Place::half ? reinterpret_cast<std::uint64_t>(world_.target(0)) : place, left = place + size - begin;
        const bool paged = test.place == negative::Place::device;
        expect(test, left + (paged ? page : 1));
        expect(test, 2 * left + page);
        if (argument.type == negative::ArgumentType::length) return;
        if (argument.size == 4) {
            for (const std::uint64_t length : {largest >> 32, (std::uint64_t{1} << 32) - begin}) expect(test, length);
            return;
        }
        // The largest, and what wraps around to the begin of everything and past it.
        for (const std::uint64_t length : {largest, largest & ~(page - 1), std::uint64_t{1} << 63, page - begin, 2 * page - begin})
            if (length > left) expect(test, length);
    }

    void more_rights(const negative::Test& test) {
        const abi::Rights held = abi::right::duplicate | abi::right::transfer | abi::right::inspect;
        const abi::Handle weak = with_rights(world_.of(abi::ObjectKind::memory), held);
        for (unsigned bit = 0; bit < 32; ++bit)
            if (!(held >> bit & 1)) expect(test, held | 1u << bit, test.expected, weak);
        CHECK(call::handle_close(weak));
    }

    // Tags that no message has, then capabilities that cannot go with one. ipc_reply_receive answers what its page names.
    void wrong_message(const negative::Test& test) {
        abi::ThreadPage& own = *native::current_thread().page;
        const auto send = [&](std::uint64_t tag, abi::Error error) {
            own.reserved[0] = is(*find(test.number), abi::KernelCall::ipc_reply_receive) ? reply_ : abi::no_handle;
            expect(test, tag, error);
            own.reserved[0] = abi::no_handle;
        };
        for (const std::size_t words : {57, 64, 255}) send(abi::make_tag(1, words, 0), test.expected);
        for (const std::size_t handles : {5, 6, 7}) send(abi::make_tag(1, 0, handles), test.expected);
        const abi::Handle memory = world_.of(abi::ObjectKind::memory), fixed = with_rights(memory, ~abi::right::transfer), weak = with_rights(memory, abi::right::transfer);
        const auto lease = call::lease_create(world_.of(abi::ObjectKind::quota), 0);
        REQUIRE(lease);
        const auto dead = call::process_grant(world_.of(abi::ObjectKind::process), memory, 0, *lease);
        REQUIRE(dead && call::lease_revoke(*lease));
        const struct {
            abi::Handle handle;
            abi::Rights rights;
            abi::Error error;
        } wrong[] = {{invented, 0, abi::Error::bad_handle}, {fixed, 0, abi::Error::missing_right}, {weak, abi::right::write, abi::Error::missing_right},
                     {memory, 1u << 31, abi::Error::missing_right}, {*dead, 0, abi::Error::revoked}};
        for (const auto& [handle, rights, error] : wrong) {
            for (std::size_t place = 0; place < abi::message_handles; ++place) {
                std::ranges::fill(own.message.handles, memory);
                std::ranges::fill(own.message.handle_rights, 0u);
                own.message.handles[place] = handle;
                own.message.handle_rights[place] = rights;
                send(abi::make_tag(1, 0, place + 1), error);
            }
        }
        for (const abi::Handle handle : {fixed, weak, *dead, *lease}) CHECK(call::handle_close(handle));
    }

    const NegativeWorld& world_;
    abi::Handle reply_;
    unsigned tried_ = 0;
};

// On a thread whose handle is known, so that it can be kicked. Its guest half is there for the calls that ask for one.
void refuse_all(void*) {
    NegativeWorld world;
    REQUIRE(world.make());
    const native::Owned guest(call::space_create(quota(), 0).value_or(0)), served(call::endpoint_create(quota()).value_or(0));
    REQUIRE(guest && served && call::restricted_attach(guest.get()));
    Client client{served.get()};
    auto* const waits = native::Thread::create(Client::run, &client).value_or(nullptr);
    REQUIRE(waits);
    native::Message message;
    const auto incoming = native::receive(served.get(), message);
    REQUIRE(incoming && abi::tag_message(message.tag) == Client::message);
    Refusals refusals(world, incoming->reply);
    // What the first calls of their kind cost once, here and in the kernel.
    refusals.all();
    const auto before = figures();
    refusals.all();
    CHECK(comes_true([&] { return !is_more(figures(), before); }));
    native::print("  ", refusals.tried(), " wrong calls");
    // Nor did the caller hear of any of it.
    message.tag = abi::make_tag(0, 1, 0);
    message.words[0] = Client::answer;
    CHECK(native::answer(incoming->reply, message));
    waits->join();
    CHECK(client.answered);
    CHECK(call::restricted_attach(abi::no_handle));
    world.drop();
}

} // namespace

KERNEL_USER_TEST(every_wrong_argument_is_refused) {
    auto* const thread = native::Thread::create(refuse_all, nullptr).value_or(nullptr);
    REQUIRE(thread);
    thread->join();
}
