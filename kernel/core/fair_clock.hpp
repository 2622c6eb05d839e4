// The virtual clock of one level of a CPU's fair band: where what wakes takes its place, and whether it goes before the one that runs.
#pragma once
#include <algorithm>
#include <cstdint>

namespace kernel {

class FairClock {
public:
    // What a sleeper may be ahead of those who are runnable: it goes first, but collects no more than this.
    static constexpr std::int64_t credit_nanoseconds = 4'000'000;
    // What a waking task has to be ahead of the running one to take its place: fewer switches among equals.
    static constexpr std::int64_t granularity_nanoseconds = 1'000'000;

    // No task is further ahead than this: 73 minutes. What would take it there is forgotten, and what seems to be there is from before the times went round.
    static constexpr std::int64_t furthest_nanoseconds = std::int64_t{1} << 42;

    // By how much one virtual time is ahead of another, below 0 too. They go round past 2^64, which a light task reaches: nothing but this compares two of them.
    static std::int64_t ahead(std::uint64_t one, std::uint64_t other) { return static_cast<std::int64_t>(one - other); }

    std::uint64_t now() const { return now_; }

    // The virtual time of a task at `own` that is charged `virtual_nanoseconds`.
    std::uint64_t charge(std::uint64_t own, std::uint64_t virtual_nanoseconds) const {
        const std::int64_t lead = std::max<std::int64_t>(ahead(own, now_), 0);
        if (lead >= furthest_nanoseconds) [[unlikely]]
            return own;
        return own + std::min(virtual_nanoseconds, static_cast<std::uint64_t>(furthest_nanoseconds - lead));
    }

    // After the running task was charged. The clock follows the one that is furthest behind: were it to follow the one ahead, a light task, whose time runs fast, would
    // take it along, and who wakes would be placed behind everybody. It never goes back.
    void advance(std::uint64_t running, std::uint64_t least_ready) {
        const std::uint64_t least = ahead(running, least_ready) < 0 ? running : least_ready;
        if (ahead(least, now_) > 0) now_ = least;
    }

    // The virtual time of a task that becomes ready with `own`.
    std::uint64_t place(std::uint64_t own) const {
        const std::int64_t lead = ahead(own, now_);
        return lead < -credit_nanoseconds || lead > furthest_nanoseconds ? now_ - credit_nanoseconds : own;
    }

    static bool preempts(std::uint64_t waking, std::uint64_t running) { return ahead(running, waking) > granularity_nanoseconds; }

private:
    std::uint64_t now_ = 0;
};

} // namespace kernel
