#include "tests/explore/waits/world.hpp"

#include <algorithm>

#include "kernel/arch/clock.hpp"
#include "kernel/call/calls.hpp"
#include "kernel/core/grace.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/ipc/port.hpp"
#include "kernel/memory/heap.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/run_queue.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/thread/vector_state.hpp"
#include "tests/explore/waits/machine.hpp"

extern "C" {
extern const std::uint64_t exchange_resume_frame[1] = {};
}

namespace kernel {

// As in kernel/ipc/endpoint_direct.cpp, with what entry.S does in its place.
using Word = std::uint64_t;
[[clang::preserve_none]] void kernel_call_directly(Word, Word, Word, Word, Word handle, Word tag, Word, Word) asm("kernel_call_directly");
[[clang::preserve_none]] void kernel_reply_receive_directly(Word, Word, Word, Word, Word handle, Word tag, Word, Word) asm("kernel_reply_receive_directly");
[[clang::preserve_none]] void exchange_over(Word, Word, Word, Word, Word rbx, Word, Word, Word top) asm("exchange_over");
[[clang::preserve_none]] void exchange_generally(Word, Word, Word, Word, Word, Word, Word, Word) asm("exchange_generally");

} // namespace kernel

namespace explore {
namespace {

using namespace kernel;

constexpr std::uint64_t late = 1;        // the deadline of those that have one
constexpr std::uint64_t answer_of = 100; // what is added to a message for its answer
constexpr std::uint64_t by_guess = 77;
constexpr unsigned most_messages = 8 * max_actors;

enum class Done : std::uint8_t { no, answered, failed };

struct Seat {
    arch::Cpu cpu;
    Dying* dying;
    arch::Registers* partner;    // to whom it handed the processor
    Thread* thread;
    abi::Handle endpoint;        // of all calls but a leased first one
    abi::Handle leased_endpoint;
    void* jump[5];
    std::int64_t result;
    bool handed;                 // a partner sent it straight to user mode
    bool interrupted;            // its wake-up came while it handed over
    bool armed;
    std::uint32_t canceled;      // waits that a kick or a stop ended
};

// Beside the kernel's own state, what was seen of it.
struct World {
    Seat seats[max_actors];
    arch::Cpu own; // the model's level
    Dying own_dying;
    RunQueue* queue;
    Lease* lease;
    Lease* other_lease; // which lives until all rest
    Notification* source;
    Port* port;
    std::uint32_t kicks[max_actors];
    bool stops[max_actors];
    bool leaving;    // a server began to end
    bool revoking;
    bool guessing;
    bool bound;   // by the last binding that was asked for
    bool sent[most_messages];
    bool taken[most_messages];
    bool replied[most_messages];
    Done done[most_messages];
};

World* world = nullptr;
Scenario played;

std::uint64_t id_of(unsigned caller, unsigned turn) { return 8 * caller + turn + 1; }
std::uint64_t status(abi::Error error) { return static_cast<std::uint64_t>(-static_cast<std::int64_t>(error)); }

unsigned seat_of(const Task& task) {
    for (unsigned i = 0; i < max_actors; ++i)
        if (world->seats[i].thread && &world->seats[i].thread->task() == &task) return i;
    __builtin_trap();
}

[[noreturn, gnu::noinline]] void jump(Seat& seat) { __builtin_longjmp(seat.jump, 1); }

// Sleeps as whoever left the processor, until it is woken, or handed the processor with nothing of this stack left.
void sleep(Seat& seat) {
    block_fiber();
    if (!seat.handed) return;
    seat.handed = false;
    jump(seat);
}

enum class Call : std::uint8_t { call, receive, reply, reply_receive };

// The processor's registers are the message of whoever runs next.
void hand_over(Seat& seat, arch::Registers& frame) {
    const arch::Registers& registers = seat.thread->registers();
    frame.rsi = registers.rsi;
    frame.rdx = registers.rdx;
    frame.r8 = registers.r8;
    frame.rax = 0;
    unsigned next = 0;
    while (!world->seats[next].thread || &world->seats[next].thread->registers() != &frame) ++next;
    seat.cpu.current = &seat.thread->task();
    world->seats[next].handed = true;
    ready_fiber(next);
    // The interrupt comes as soon as it can.
    const bool woken = std::exchange(seat.interrupted, false) && seat.thread->task().must_be_woken();
    if (woken) seat.thread->task().state_.store(Task::State::running);
    unlock(&world->queue->lock);
    if (!woken) sleep(seat);
    const auto ended = Endpoint::end_exchange(*seat.thread);
    seat.thread->registers().rax = ended ? 0 : status(ended.error());
}

[[gnu::noinline]] void enter_kernel(Seat& seat, Call call, bool direct) {
    Thread& thread = *seat.thread;
    arch::Registers& registers = thread.registers();
    if (direct && registers.rbx == abi::never && (call == Call::call || call == Call::reply_receive)) {
        seat.partner = nullptr;
        (call == Call::call ? kernel_call_directly : kernel_reply_receive_directly)(0, 0, 0, 0, registers.rdi, registers.rsi, 0, 0);
        if (seat.partner) return hand_over(seat, *seat.partner);
    }
    base::Result<void> result;
    switch (call) {
    case Call::call: result = ipc_call(thread); break;
    case Call::receive: result = ipc_receive(thread); break;
    case Call::reply: result = ipc_reply(thread); break;
    case Call::reply_receive: result = ipc_reply_receive(thread); break;
    }
    if (result) result = Endpoint::end_exchange(thread);
    registers.rax = result ? 0 : status(result.error());
}

// One system call, up to the return to user mode; gives rax.
[[gnu::noinline]] std::int64_t enter(Seat& seat, Call call, std::uint64_t handle, std::uint64_t tag_message, std::uint64_t word, std::uint64_t deadline, bool direct) {
    arch::Registers& registers = seat.thread->registers();
    registers.rip = registers.rcx = personality_half().begin + 16;
    registers.rflags = registers.r11 = 2;
    registers.rdi = handle;
    registers.rsi = abi::make_tag(static_cast<std::uint32_t>(tag_message), 3, 0);
    registers.rdx = registers.r8 = word;
    registers.rbx = deadline;
    if (__builtin_setjmp(seat.jump) == 0)
        enter_kernel(seat, call, direct);
    else
        world->seats[current_fiber()].thread->registers().rax = 0;
    Seat& self = world->seats[current_fiber()];
    self.result = static_cast<std::int64_t>(self.thread->registers().rax);
    if (self.result == -static_cast<std::int64_t>(abi::Error::canceled)) ++self.canceled;
    return self.result;
}

// An end that has no reason in what the others did. `turn`: the call or receive that it is of.
void check_error(unsigned index, std::int64_t result, bool leased) {
    const auto error = static_cast<abi::Error>(-result);
    if (error == abi::Error::canceled)
        require(world->stops[index] || world->seats[index].canceled <= world->kicks[index], "a kick ends more than one wait");
    else if (error == abi::Error::timed_out)
        require(played.actors[index].deadline && machine().now >= late, "a wait ends before its deadline");
    else if (error == abi::Error::revoked)
        require(leased && world->revoking, "a lease's end ends a wait that is not under it");
    else if (error == abi::Error::peer_closed)
        require(world->leaving, "a caller is told that its server is gone, which is there");
    else
        require(false, "an error that none of this explains");
}

void settle(Seat& seat) {
    if (seat.thread->attention()) seat.thread->before_user();
}

void run_caller(unsigned index) {
    const Actor& actor = played.actors[index];
    Seat& seat = world->seats[index];
    for (unsigned turn = 0; turn < actor.count; ++turn) {
        const std::uint64_t id = id_of(index, turn);
        const bool leased = actor.leased && turn == 0;
        world->sent[id] = true;
        const std::int64_t result = enter(seat, Call::call, leased ? seat.leased_endpoint : seat.endpoint, id, id, actor.deadline ? late : abi::never, actor.direct);
        const arch::Registers& registers = seat.thread->registers();
        world->done[id] = result == 0 ? Done::answered : Done::failed;
        if (result == 0) {
            const bool own = registers.rdx == id + answer_of || (world->guessing && registers.rdx == by_guess);
            require(own && registers.rdx == registers.r8, "a caller gets an answer that is not its own");
        } else {
            check_error(index, result, leased);
        }
        settle(seat);
    }
    seat.thread->exit();
}

void run_server(unsigned index) {
    const Actor& actor = played.actors[index];
    Seat& seat = world->seats[index];
    abi::ThreadPage& page = seat.thread->page();
    std::uint64_t answer = 0;
    for (unsigned turn = 0; turn < actor.count; ++turn) {
        const std::int64_t result = enter(seat, actor.combined ? Call::reply_receive : Call::receive, actor.leased ? seat.leased_endpoint : seat.endpoint, answer, answer,
                                          actor.deadline ? late : abi::never, actor.direct);
        settle(seat);
        if (result != 0) {
            check_error(index, result, actor.leased);
            answer = 0;
            continue;
        }
        const arch::Registers& registers = seat.thread->registers();
        const std::uint64_t id = registers.rdx;
        if (id == 0 || id >= most_messages || !world->sent[id] || registers.r8 != id || abi::tag_message(registers.rsi) != id) {
            require(false, "a server gets a message that nobody sent");
            break;
        }
        require(registers.rbx == (id - 1) / 8 + 1, "a message comes with another caller's badge");
        require(!world->taken[id], "a message is taken twice");
        world->taken[id] = true;
        answer = id + answer_of;
        const bool last = turn + 1 == actor.count;
        if (last && actor.leaves) break;
        if (actor.combined && !last) continue;
        const std::int64_t replied = enter(seat, Call::reply, page.reserved[0], answer, answer, 0, false);
        page.reserved[0] = abi::no_handle;
        if (replied == 0) {
            require(!world->replied[id], "a Reply answers twice");
            world->replied[id] = true;
        } else {
            const auto error = static_cast<abi::Error>(-replied);
            require(error == abi::Error::peer_closed || (world->guessing && error == abi::Error::bad_handle), "an answer fails with an error that none of this explains");
        }
        answer = 0;
        settle(seat);
    }
    world->leaving = true;
    seat.thread->exit();
}

void run_guesser(unsigned index) {
    Seat& seat = world->seats[index];
    world->guessing = true;
    // The slot behind the Endpoint's two.
    const abi::Handle reply = seat.endpoint + 2;
    (void)enter(seat, Call::reply, reply, by_guess, by_guess, 0, false);
    seat.thread->exit();
}

void run_binder(unsigned index) {
    const Actor& actor = played.actors[index];
    for (unsigned turn = 0; turn < actor.count; ++turn) {
        LeaseHold hold;
        hold.lease = base::Ref<Lease>(turn == 0 ? *world->lease : *world->other_lease);
        const auto bound = world->source->bind(base::Ref<Port>(*world->port), turn, hold);
        world->bound = bound.has_value();
        require(bound || (bound.error() == abi::Error::revoked && turn == 0 && world->revoking), "a binding is refused that nothing stands in the way of");
        if (turn + 1 < actor.count) world->source->unbind();
    }
}

void run(unsigned index) {
    const Actor& actor = played.actors[index];
    switch (actor.role) {
    case Role::none: break;
    case Role::caller: run_caller(index); break;
    case Role::server: run_server(index); break;
    case Role::guesser: run_guesser(index); break;
    case Role::kicker:
        ++world->kicks[actor.target];
        world->seats[actor.target].thread->kick();
        break;
    case Role::stopper:
        world->stops[actor.target] = true;
        world->leaving |= played.actors[actor.target].role == Role::server;
        world->seats[actor.target].thread->stop();
        break;
    case Role::revoker:
        world->revoking = true;
        world->lease->revoke();
        break;
    case Role::binder: run_binder(index); break;
    case Role::unbinder: world->source->unbind(); break;
    case Role::clock:
        stop();
        machine().now = late;
        for (Seat& seat : world->seats)
            if (seat.armed) sched::wake(seat.thread->task());
        break;
    }
    end_fiber();
}

abi::Handle insert(Process& process, Object& object, abi::Rights rights, std::uint64_t badge, Lease* lease) {
    Capability capability;
    capability.object = base::Ref<Object>(object);
    capability.rights = rights;
    capability.badge = badge;
    if (lease) capability.hold.lease = base::Ref<Lease>(*lease);
    return *process.handles().insert(std::move(capability));
}

} // namespace

void make_world(const Scenario& scenario) {
    reset_machine();
    played = scenario;
    world = &arena_make<World>();
    world->queue = &arena_make<RunQueue>();
    world->own.queue = world->queue;
    auto& quota = arena_make<Quota>(nullptr, 1'000'000);
    auto& budget = arena_make<Budget>(nullptr, abi::BudgetParameters{});
    auto& servers = arena_make<Process>(quota, base::Ref<Budget>(budget), nullptr);
    auto& endpoint = arena_make<Endpoint>();
    world->lease = &arena_make<Lease>(nullptr);
    world->other_lease = &arena_make<Lease>(nullptr);
    world->source = &arena_make<Notification>();
    world->port = &arena_make<Port>();
    const abi::Handle served = insert(servers, endpoint, abi::right::receive, 0, nullptr);
    const abi::Handle served_leased = insert(servers, endpoint, abi::right::receive, 0, world->lease);
    for (unsigned i = 0; i < max_actors; ++i) {
        const Actor& actor = scenario.actors[i];
        Seat& seat = world->seats[i];
        if (actor.role == Role::none) continue;
        if (actor.role == Role::caller || actor.role == Role::server || actor.role == Role::guesser) {
            Process* process = &servers;
            seat.endpoint = served;
            seat.leased_endpoint = served_leased;
            if (actor.role == Role::caller) {
                process = &arena_make<Process>(quota, base::Ref<Budget>(budget), nullptr);
                seat.endpoint = insert(*process, endpoint, abi::right::send, i + 1, nullptr);
                seat.leased_endpoint = insert(*process, endpoint, abi::right::send, i + 1, world->lease);
            }
            seat.thread = Thread::create(*process, base::Ref<Budget>(budget))->leak();
            if (actor.direct) {
                // As if it had called and received before.
                const abi::Handle handle = actor.leased ? seat.leased_endpoint : seat.endpoint;
                LeaseHold hold;
                if (actor.leased) hold.lease = base::Ref<Lease>(*world->lease);
                Exchange::Known& known = actor.role == Role::caller ? seat.thread->exchange().sends : seat.thread->exchange().receives;
                known = {&process->handles().slot(handle), base::Ref<Object>(endpoint), actor.role == Role::caller ? i + 1 : 0, hold};
                seat.thread->call().reply = base::Ref<Reply>::adopt(arena_make<Reply>());
            }
            (void)seat.thread->start(personality_half().begin, personality_half().begin, 0);
            seat.cpu.current = &seat.thread->task();
            seat.dying = &seat.thread->task().dying;
        } else {
            seat.dying = &arena_make<Dying>();
        }
        seat.cpu.queue = world->queue;
        start_fiber(i, run);
    }
}

// Binds it once more, which shows whether it is bound.
static bool is_bound() {
    const auto bound = world->source->bind(base::Ref<Port>(*world->port), 0, {});
    if (bound) world->source->unbind();
    return !bound;
}

static void check_binding(unsigned binder, bool unbinder, bool revoked) {
    const bool newer = played.actors[binder].count > 1;
    const bool bound = is_bound();
    require(newer || !revoked || !bound, "a binding outlives its lease");
    require(unbinder || !newer || bound == world->bound, "a binding ends that nobody ended");
    world->other_lease->revoke();
    require(!newer || !is_bound(), "a binding is left that its lease does not know");
}

void check_rest(const Scenario& scenario) {
    const auto role = [&](Role wanted) { return std::ranges::find(scenario.actors, wanted, &Actor::role) - scenario.actors; };
    if (role(Role::binder) != max_actors) check_binding(static_cast<unsigned>(role(Role::binder)), role(Role::unbinder) != max_actors, world->revoking);
    for (unsigned i = 0; i < max_actors; ++i) {
        const Actor& actor = scenario.actors[i];
        if (actor.role == Role::none) continue;
        Seat& seat = world->seats[i];
        const bool ended = machine().fibers[i].place == Place::ended;
        if (actor.role == Role::caller) {
            require(ended, "a caller sleeps for ever");
            for (unsigned turn = 0; turn < actor.count; ++turn) {
                const std::uint64_t id = id_of(i, turn);
                require(!world->replied[id] || world->done[id] != Done::failed, "an answer was given, and its caller has an error");
            }
        } else if (actor.role == Role::server) {
            // One for whom no message came may wait.
            require(ended || machine().fibers[i].place == Place::blocked, "a server does not get on");
            require(ended || !(world->kicks[i] != 0 && seat.canceled == 0), "a kick ends no wait");
            require(ended || !world->stops[i], "a thread that was stopped sleeps");
            require(ended || !(actor.leased && world->revoking), "a wait outlives its lease");
            require(ended || !(actor.deadline && machine().now >= late), "a wait outlives its deadline");
        } else {
            require(ended, "whoever ended a wait does not get on");
        }
        if (seat.thread && world->kicks[i] != 0 && !world->stops[i])
            require(seat.canceled + (seat.thread->kicked() ? 1 : 0) == 1, "a kick is lost, or ends two waits");
    }
}

} // namespace explore

// What the kernel's code needs around it.
namespace kernel {

using namespace explore;

void exchange_over(Word, Word, Word, Word, Word rbx, Word, Word, Word top) {
    arch::Registers& frame = *reinterpret_cast<arch::Registers*>(top - sizeof(arch::Registers));
    frame.rbx = rbx;
    world->seats[current_fiber()].partner = &frame;
}
void exchange_generally(Word, Word, Word, Word, Word, Word, Word, Word) {}

Dying& current_dying() { return current_fiber() < 0 ? world->own_dying : *world->seats[current_fiber()].dying; }
// Deadlines pass when the walk says so.
std::uint64_t arch::monotonic_nanoseconds() { return 0; }
arch::Cpu& arch::this_cpu() { return current_fiber() < 0 ? world->own : world->seats[current_fiber()].cpu; }

void* heap::Pool::allocate(std::size_t bytes) { return arena_allocate(bytes); }
void heap::release(void* memory, std::size_t bytes) { __builtin_memset(memory, 0xdd, bytes); }
void frames::release(std::uint64_t) {}
std::uint64_t allocate_charged(Quota&, Content) { return reinterpret_cast<std::uint64_t>(page_allocate()); }
Quota::Quota(base::Ref<Quota> parent, std::uint64_t pages) : Object(object_kind), parent_(std::move(parent)), node_(nullptr, pages) {}
void release_vector_state(Thread&) {}
void leave_vector_registers(Thread&) {}
void vector_switch_out(Thread&) {}
void vector_switch_in(Thread&) {}
void preemption_point() {}
bool caller_ends() { return false; }
void trim_stacks() {}
void Audit::wait_for_room(const AuditAccount&, std::uint32_t) {}
base::Result<void> Audit::take_for_later(AuditAccount&, std::uint32_t) { return {}; }
base::Result<std::uint32_t> Audit::take_ahead(AuditAccount&) { return 1; }
void Audit::give_back(AuditAccount&, std::uint32_t) {}
void Audit::record(AuditAccount&, const AuditEvent&, AuditPayment) {}
void Audit::record(AuditAccount&, AuditPayment, abi::AuditOperation, std::uint64_t, const Object&, abi::Rights, std::uint64_t, std::uint64_t, const LeaseHold&) {}
bool Audit::has_room(const AuditAccount&, std::uint32_t) { return true; }
void Audit::charge(AuditAccount&, std::uint32_t) {}
void Audit::record_now(const AuditEvent&) {}
void Audit::tell() {}
void record_made(Thread&, const Object&, abi::Rights, const LeaseHold&, std::uint64_t) {}
void record_use_of_foreign(Thread&, abi::KernelCall, const Object&) {}
bool caller_goes_first() { return false; }
void wait_for_turn(unsigned) {}
base::Result<void> check_writable(Thread&, std::uint64_t, std::size_t) { return {}; }
base::Result<void> copy_to_user(Thread&, std::uint64_t, const void*, std::size_t) { return {}; }
void wait_for_grace_period() {}

Budget::Budget(base::Ref<Budget> parent, const abi::BudgetParameters& parameters)
    : Object(object_kind), parent_(std::move(parent)), group_(parent_ ? &parent_->group_ : nullptr, parameters.weight) {}
Budget::~Budget() = default;
Budget::Rules Budget::rules() const { return {0, 1}; }

Process::Process(Quota& quota, base::Ref<Budget> budget, base::Ref<Process> sandbox)
    : Object(object_kind), quota_(quota), budget_(std::move(budget)), order_(1), sandbox_(std::move(sandbox)), domain_(0), handles_(quota), space_(base::Ref<Space>::adopt(arena_make<Space>())) {}
Process::~Process() = default;
base::Result<base::Ref<Space>> Process::space() { return space_; }
base::Result<void> Process::add_thread(Thread& thread) {
    threads_.push_back(thread);
    ++thread_count_;
    return {};
}
void Process::thread_started() {}
void Process::thread_ended(Thread& thread, Pauses) {
    {
        LockGuard guard(lock_);
        threads_.remove(thread);
        if (--thread_count_ != 0) return;
    }
    handles_.close_all(true);
}
void Process::forget_thread(Thread& thread) {
    LockGuard guard(lock_);
    threads_.remove(thread);
    --thread_count_;
}
void Process::end_in_steps() {}

base::Result<void> Task::create(Quota&) {
    native_top = top = reinterpret_cast<std::uint64_t>(arena_allocate(sizeof(arch::Registers))) + sizeof(arch::Registers);
    return {};
}
void Task::destroy(Quota&) {}
void Task::start(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) { state_.store(State::running); }

namespace sched {

void block() {
    Seat& seat = world->seats[current_fiber()];
    Task& self = seat.thread->task();
    world->queue->lock.lock();
    const bool asleep = self.fall_asleep(Task::State::blocked);
    world->queue->lock.unlock();
    if (asleep) sleep(seat);
}

void wait_until(Task& self, abi::Deadline deadline, WaitState& wait) {
    Seat& seat = world->seats[current_fiber()];
    while (!wait.is_complete()) {
        if (deadline != abi::never) {
            if (machine().now >= deadline && wait.claim()) {
                wait.complete(-static_cast<std::int32_t>(abi::Error::timed_out));
                break;
            }
            const LockGuard guard(world->queue->lock);
            seat.armed = true;
            // As a timer that is set to what has passed.
            if (machine().now >= deadline) continue;
        }
        block();
    }
    seat.armed = false;
}

// From another processor, which may take its time between the two halves.
void wake(Task& task) {
    if (!task.needs_its_home()) return;
    const LockGuard guard(world->queue->lock);
    if (!task.must_be_woken()) return;
    task.state_.store(Task::State::running);
    ready_fiber(seat_of(task));
}

// By who hands over, with the lock held.
void wake_at_home(Task& task) { world->seats[seat_of(task)].interrupted = true; }
void interrupt(Task&) {}
std::uint64_t processor_nanoseconds(const Task&) { return 0; }
void load_roots(Task&) {}
void load_kernel_roots() {}
void apply_choice(Task&) {}
void exit_current() {
    world->seats[current_fiber()].thread->task().state_.store(Task::State::ended);
    end_fiber();
}

} // namespace sched
} // namespace kernel
