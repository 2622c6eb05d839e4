// The virtual clock of a CPU's fair band: where a task that wakes takes its place, and whether it goes before the one that runs.
#pragma once
#include <algorithm>
#include <cstdint>

namespace kernel {

class FairClock {
public:
    // What a sleeper may be ahead of those who are runnable: it goes first, but collects no more than this.
    static constexpr std::uint64_t credit_nanoseconds = 4'000'000;
    // What a waking task has to be ahead of the running one to take its place: fewer switches among equals.
    static constexpr std::uint64_t granularity_nanoseconds = 1'000'000;

    std::uint64_t now() const { return now_; }

    // After the running task was charged. The clock follows the one that is furthest behind: were it to follow the one ahead, a light task, whose time runs fast, would
    // take it along, and who wakes would be placed behind everybody. It never goes back.
    void advance(std::uint64_t running, std::uint64_t least_ready) { now_ = std::max(now_, std::min(running, least_ready)); }

    // The virtual time of a task that becomes ready with `own`.
    std::uint64_t place(std::uint64_t own) const { return std::max(own, now_ > credit_nanoseconds ? now_ - credit_nanoseconds : 0); }

    static bool preempts(std::uint64_t waking, std::uint64_t running) { return waking + granularity_nanoseconds < running; }

private:
    std::uint64_t now_ = 0;
};

} // namespace kernel
