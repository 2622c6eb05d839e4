// Deadlines beside a set of them, waiters at words beside a queue for each, and the two cores of a few words: a wait, and the clock of the fair band.
#pragma once
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "kernel/core/deadline_queue.hpp"
#include "kernel/core/fair_clock.hpp"
#include "kernel/core/futex_queue.hpp"
#include "kernel/core/wait_state.hpp"
#include "tests/cores/command.hpp"

namespace cores {

class DeadlineModel {
public:
    void apply(const Command& command) {
        const std::size_t at = command.subject % nodes_.size();
        switch (command.kind % 4) {
        case 0:
        case 1:
            if (armed_.contains(at)) break;
            // Many have the same one, some have passed, some never come.
            armed_[at] = command.value % 32 == 0 ? abi::never : now_ + command.value % 24 - std::min<std::uint64_t>(now_, 8);
            queue_.arm(nodes_[at], armed_[at]);
            break;
        case 2:
            queue_.disarm(nodes_[at]);
            armed_.erase(at);
            break;
        case 3:
            now_ += command.value % 4;
            take(1 + command.subject % 5);
            break;
        }
        check();
    }

    void finish() {
        now_ = UINT64_MAX;
        take(nodes_.size() + 1);
        require(armed_.empty() && queue_.next() == abi::never, "a deadline does not come");
    }

private:
    std::uint64_t first() const {
        std::uint64_t least = abi::never;
        for (const auto& [at, deadline] : armed_) least = std::min(least, deadline);
        return least;
    }

    void take(std::size_t times) {
        for (; times != 0; --times) {
            const bool due = !armed_.empty() && first() <= now_;
            kernel::DeadlineNode* const taken = queue_.take_due(now_);
            require((taken != nullptr) == due, due ? "what is due is not taken" : "what is not due is taken");
            if (!taken) return;
            const auto found = armed_.find(static_cast<std::size_t>(taken - nodes_.data()));
            require(found != armed_.end(), "what is not armed is taken");
            require(found->second == first(), "a later deadline is taken first");
            require(!taken->armed(), "what is taken stays armed");
            armed_.erase(found);
        }
    }

    void check() const {
        require(queue_.next() == first(), "the next deadline is another one");
        for (std::size_t at = 0; at < nodes_.size(); ++at) require(nodes_[at].armed() == armed_.contains(at), "a node is armed, or is not");
    }

    std::array<kernel::DeadlineNode, 24> nodes_;
    kernel::DeadlineQueue queue_;
    std::map<std::size_t, std::uint64_t> armed_;
    std::uint64_t now_ = 0;
};

class FutexModel {
    static constexpr std::size_t words = 9;
    struct Waiter {
        kernel::FutexNode* node;
        std::uint64_t turn;
    };

public:
    void apply(const Command& command) {
        kernel::FutexNode& node = nodes_[command.subject % nodes_.size()];
        const std::size_t word = command.value % words;
        switch (command.kind % 4) {
        case 0:
        case 1:
            if (!node.in_futex_queue()) push(node, word);
            break;
        case 2:
            if (node.in_futex_queue()) remove(node);
            break;
        case 3: {
            // A wake in parts, of those that came before it began; some move to another word.
            const std::uint64_t begin = turns_.empty() || command.subject % 2 == 0 ? queue_.turn() : turns_[command.value / words % turns_.size()];
            std::uint64_t from = 0;
            for (int part = command.subject % 4; part >= 0; --part) {
                kernel::FutexNode* const first = expect_first(word, begin, from);
                if (!first) break;
                if ((first->futex_bits() & (1u << command.value % 3)) == 0) {
                    from = first->futex_turn() + 1; // left alone, and passed over from here on
                    continue;
                }
                remove(*first);
                if (part == 1) push(*first, (word + command.subject) % words);
            }
            break;
        }
        }
        (void)expect_first(word, queue_.turn());
        require(std::ranges::all_of(nodes_, [&](kernel::FutexNode& each) { return each.in_futex_queue() == waits(each); }), "a node waits, or does not");
    }

    void finish() {
        for (std::size_t word = 0; word < words; ++word)
            while (kernel::FutexNode* const first = expect_first(word, queue_.turn())) remove(*first);
        require(std::ranges::none_of(nodes_, [](const kernel::FutexNode& each) { return each.in_futex_queue(); }), "a waiter is not found");
    }

private:
    static kernel::FutexKey key(std::size_t word) { return {reinterpret_cast<const void*>(word % 3 * 64), word / 3 * 4}; }

    void push(kernel::FutexNode& node, std::size_t word) {
        const std::uint64_t turn = queue_.turn();
        turns_.push_back(turn);
        const auto bits = 1u + static_cast<std::uint32_t>(turn % 7);
        queue_.push(node, key(word), bits);
        require(queue_.turn() > turn, "who comes later has no later turn");
        require(node.futex_key() == key(word), "a waiter has another word");
        require(node.futex_bits() == bits && node.futex_turn() == turn, "a waiter has other bits, or another turn");
        expected_[word].push_back({&node, turn});
    }
    void remove(kernel::FutexNode& node) {
        queue_.remove(node);
        for (auto& waiters : expected_) std::erase_if(waiters, [&](const Waiter& waiter) { return waiter.node == &node; });
    }
    bool waits(const kernel::FutexNode& node) const {
        return std::ranges::any_of(expected_, [&](const auto& waiters) { return std::ranges::any_of(waiters, [&](const Waiter& waiter) { return waiter.node == &node; }); });
    }
    kernel::FutexNode* expect_first(std::size_t word, std::uint64_t before, std::uint64_t from = 0) const {
        const auto& waiters = expected_[word];
        const auto first = std::ranges::find_if(waiters, [&](const Waiter& waiter) { return waiter.turn >= from; });
        kernel::FutexNode* const expected = first == waiters.end() || first->turn >= before ? nullptr : first->node;
        require(queue_.first(key(word), before, from) == expected, "another waiter is first");
        return expected;
    }

    std::array<kernel::FutexNode, 32> nodes_;
    kernel::FutexQueue queue_;
    std::array<std::deque<Waiter>, words> expected_;
    std::vector<std::uint64_t> turns_;
};

// In the order of one thread: what a claim decides. Races are walked elsewhere (tests/explore/).
class WaitModel {
public:
    void apply(const Command& command) {
        switch (command.kind % 5) {
        case 0:
            if (phase_ != Phase::idle) break;
            wait_.announce();
            phase_ = Phase::waiting;
            ++number_;
            break;
        case 1: claimed(wait_.claim(), phase_ == Phase::waiting); break;
        case 2: seen_.push_back({wait_.current(), phase_ == Phase::waiting ? number_ : 0}); break;
        case 3: {
            if (seen_.empty()) break;
            const Seen& seen = seen_[command.value % seen_.size()];
            claimed(wait_.claim(seen.token), phase_ == Phase::waiting && seen.number == number_);
            break;
        }
        case 4:
            if (phase_ != Phase::claimed) break;
            outcome_ = -static_cast<std::int32_t>(command.value);
            wait_.complete(outcome_);
            phase_ = Phase::idle;
            break;
        }
        require(wait_.is_waiting() == (phase_ == Phase::waiting), "a thread waits, or does not");
        require(wait_.is_complete() == (phase_ == Phase::idle), "a wait is complete, or is not");
        require(phase_ == Phase::waiting || wait_.outcome() == outcome_, "a wait has another outcome");
    }
    void finish() {}

private:
    enum class Phase : std::uint8_t { idle, waiting, claimed };
    struct Seen {
        std::uint32_t token;
        std::uint64_t number; // 0: there was no wait
    };

    void claimed(bool done, bool expected) {
        require(done == expected, expected ? "a wait cannot be claimed" : "a wait is claimed that is another one, or none");
        if (done) phase_ = Phase::claimed;
    }

    kernel::WaitState wait_;
    Phase phase_ = Phase::idle;
    std::uint64_t number_ = 0;
    std::int32_t outcome_ = 0;
    std::vector<Seen> seen_;
};

// Tasks that run by the clock: the one that is furthest behind for a while, others sleep and wake.
class ClockModel {
    struct Task {
        std::uint64_t virtual_time = 0;
        bool ready = false;
    };

public:
    void apply(const Command& command) {
        Task& task = tasks_[command.subject % tasks_.size()];
        switch (command.kind % 3) {
        case 0: {
            if (task.ready) break;
            const std::uint64_t placed = clock_.place(task.virtual_time);
            require(placed >= task.virtual_time, "a task is given time that it has used");
            require(clock_.ahead(placed, clock_.now()) >= -clock_.credit_nanoseconds, "a sleeper collects more than the credit");
            require(placed == task.virtual_time || placed <= clock_.now(), "who wakes is placed ahead of the clock");
            task = {placed, true};
            break;
        }
        case 1: task.ready = false; break;
        case 2: run(std::uint64_t{command.value} * 256); break;
        }
        const Task& other = tasks_[command.value % tasks_.size()];
        const bool preempts = kernel::FairClock::preempts(task.virtual_time, other.virtual_time);
        require(preempts == (other.virtual_time > task.virtual_time && clock_.ahead(other.virtual_time, task.virtual_time) > clock_.granularity_nanoseconds), "who is little ahead goes first, or who is far does not");
    }
    void finish() {}

private:
    void run(std::uint64_t nanoseconds) {
        Task* running = nullptr;
        for (Task& task : tasks_)
            if (task.ready && (!running || task.virtual_time < running->virtual_time)) running = &task;
        if (!running) return;
        running->virtual_time = clock_.charge(running->virtual_time, nanoseconds);
        std::uint64_t least = UINT64_MAX;
        for (const Task& task : tasks_)
            if (task.ready && &task != running) least = std::min(least, task.virtual_time);
        if (least == UINT64_MAX) least = running->virtual_time;
        const std::uint64_t before = clock_.now();
        clock_.advance(running->virtual_time, least);
        require(clock_.now() >= before, "the clock goes back");
        require(clock_.now() <= std::max(before, std::min(running->virtual_time, least)), "the clock passes one that is ready");
        require(clock_.now() >= std::min(running->virtual_time, least), "the clock stays behind everybody");
    }

    std::array<Task, 8> tasks_;
    kernel::FairClock clock_;
};

} // namespace cores
