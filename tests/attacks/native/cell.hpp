// A cell: a process that runs a function of this program and holds nothing but the capabilities it was given. What an attacker does there ends nobody else, and how the
// process ended tells what the kernel thought of it.
#pragma once
#include <cstdint>

#include "abi/info.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"

namespace attacks {

// What the attacker runs. `argument` is the test's; the value is the process' exit status. Globals are as they were when the cell was started, and its own.
using Attack = std::uint64_t (*)(std::uint64_t argument);

// Handles of the attacker, in the order of `give`; read in the cell.
inline constexpr std::size_t most_given = 16;
inline constexpr std::size_t given_itself = 5; // how many give_itself gives
abi::Handle given(std::size_t index);

class Cell {
public:
    // An empty process charged to `payer`. Errors: as process_create.
    static base::Result<Cell> create(abi::Handle payer);
    Cell(Cell&&) = default;
    // Ends the process where it still runs.
    ~Cell();

    // Grants into the cell, before `start`. Errors: as process_grant; no_slots after most_given.
    base::Result<void> give(abi::Handle handle, abi::Rights rights = 0);
    // As `give`, of what every native program has of itself, with the same rights (lib/native/launch.cpp): process, half, quota, budget, thread, in this order.
    base::Result<void> give_itself();
    // Maps shared memory into the cell at `address`, before `start`. Errors: as space_map.
    base::Result<void> share(abi::Handle memory, std::uint64_t address, std::uint64_t length);

    // Copies this program into the cell and starts it. Errors: as space_map, memory_create, thread_create.
    base::Result<void> start(Attack attack, std::uint64_t argument);
    // Waits for its end. Errors: timed_out, when it still runs at the deadline.
    base::Result<abi::ProcessInfo> wait(abi::Deadline deadline = abi::never);
    abi::Handle process() const { return process_.get(); }
    void kill() { (void)native::call::process_kill(process_.get(), 0); }

private:
    explicit Cell(abi::Handle payer) : payer_(payer) {}
    base::Result<void> copy_program(abi::Handle space);

    abi::Handle payer_;
    native::Owned process_, thread_, watch_;
    abi::Handle given_[most_given] = {};
    std::size_t given_count_ = 0;
};

// All in one, for attacks that end by themselves.
base::Result<abi::ProcessInfo> run(Cell& cell, Attack attack, std::uint64_t argument = 0);

} // namespace attacks
