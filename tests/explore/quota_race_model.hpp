// Charges that race: the real functions of the quota node, interleaved at every access to an atomic (stepped.hpp).
#pragma once
#include <algorithm>
#include <vector>

#include "stepped/quota_node.hpp"
#include "tests/explore/explorer.hpp"

namespace explore {

struct QuotaRaceBounds {
    unsigned threads;
    unsigned runs; // functions that each thread runs
    bool held = false; // the first two threads begin with a page of `right` each, and the root has one page left
};

class QuotaRaceModel : public Checked {
    using Node = kernel::stepped::QuotaNode;
    // root ← left ← below, root ← right; the last page of the root and of `left` is what they race for.
    static constexpr std::uint64_t limits[4] = {3, 2, 2, 2};
    static constexpr int parents[4] = {-1, 0, 1, 0};

public:
    enum class Kind : std::uint8_t { charge, release, close };
    struct Operation {
        bool begins = false;
        std::uint8_t thread = 0;
        Kind kind{};
        std::uint8_t node = 0;
        std::uint8_t pages = 0;
    };

    explicit QuotaRaceModel(const QuotaRaceBounds& bounds) : bounds_(bounds), threads_(bounds.threads) {
        for (unsigned at = 0; bounds.held && at < 2; ++at) {
            while (!step(threads_[at].steps, [&] { (void)nodes_[3].charge_pages(1); })) {}
            threads_[at].held[3] = 1;
        }
    }
    QuotaRaceModel(const QuotaRaceModel&) = delete;

    static std::string text(const Operation& operation) {
        static constexpr const char* names[] = {"charge", "release", "close"};
        std::string line = "thread " + std::to_string(operation.thread);
        if (!operation.begins) return line + ": goes on to its next access";
        return line + ": " + names[static_cast<int>(operation.kind)] + " " + std::to_string(operation.pages) + " at node " + std::to_string(operation.node);
    }
    bool refused() const { return false; }

    std::vector<Operation> operations() const {
        std::vector<Operation> all;
        for (std::uint8_t at = 0; at < threads_.size(); ++at) {
            const Thread& thread = threads_[at];
            if (thread.running) {
                all.push_back({false, at});
                continue;
            }
            if (thread.runs == bounds_.runs) continue;
            for (std::uint8_t node = 1; node < 4; ++node) {
                all.push_back({true, at, Kind::charge, node, 1});
                if (thread.held[node] > 0) all.push_back({true, at, Kind::release, node, 1});
            }
            all.push_back({true, at, Kind::charge, 2, 2});
            all.push_back({true, at, Kind::close, 1, 0});
        }
        return all;
    }

    void apply(const Operation& operation) {
        Thread& thread = threads_[operation.thread];
        if (operation.begins) {
            thread.running = true;
            thread.now = operation;
            thread.alone = at_rest_but(operation.thread);
            thread.fits = fits(operation);
            for (Thread& other : threads_)
                if (&other != &thread) other.alone = false;
            ++thread.runs;
            // What is being released may be had by others from here on.
            if (operation.kind == Kind::release) thread.held[operation.node] -= operation.pages;
            return;
        }
        bool done = false;
        const Operation now = thread.now;
        Node& node = nodes_[now.node];
        const bool ended = step(thread.steps, [&] {
            switch (now.kind) {
            case Kind::charge: done = node.charge_pages(now.pages); break;
            case Kind::release: node.release_pages(now.pages); done = true; break;
            case Kind::close: node.close(); done = true; break;
            }
        });
        if (!ended) return;
        require(!thread.alone || done == thread.fits, done ? "a charge alone is taken that does not fit" : "a charge alone that fits is refused");
        if (done && now.kind == Kind::charge) thread.held[now.node] += now.pages;
        thread.running = thread.alone = thread.fits = false;
        thread.now = {};
        check();
    }

    std::string key() const {
        // Threads are interchangeable.
        std::vector<std::string> threads;
        for (const Thread& thread : threads_) {
            std::string one{static_cast<char>('0' + thread.runs), thread.running ? 'r' : 'i', thread.alone ? 'a' : 's', thread.fits ? 'f' : 'n'};
            one += static_cast<char>('0' + static_cast<int>(thread.now.kind));
            one += static_cast<char>('0' + thread.now.node);
            one += static_cast<char>('0' + thread.now.pages);
            for (const unsigned held : thread.held) one += static_cast<char>('0' + held);
            for (const std::uint64_t value : thread.steps.seen) one += std::to_string(value) + ',';
            threads.push_back(std::move(one));
        }
        std::sort(threads.begin(), threads.end());
        std::string key;
        for (const std::string& thread : threads) key += thread + '|';
        for (int at = 0; at < 4; ++at) {
            key += std::to_string(nodes_[at].used()) + (nodes_[at].closed() ? "c" : "o");
        }
        return key;
    }

private:
    struct Thread {
        Steps steps;
        Operation now;
        unsigned runs = 0;
        bool running = false;
        bool alone = false; // no other thread was in a function since this one began
        bool fits = false;
        unsigned held[4] = {};
    };

    bool at_rest_but(unsigned except) const {
        for (unsigned at = 0; at < threads_.size(); ++at)
            if (at != except && threads_[at].running) return false;
        return true;
    }
    std::uint64_t own(int node) const {
        std::uint64_t pages = 0;
        for (const Thread& thread : threads_) pages += thread.held[node];
        return pages;
    }
    std::uint64_t sum(int top) const {
        std::uint64_t all = 0;
        for (int at = 0; at < 4; ++at) {
            int above = at;
            while (above >= 0 && above != top) above = parents[above];
            if (above == top) all += own(at);
        }
        return all;
    }
    bool fits(const Operation& operation) const {
        if (operation.kind != Kind::charge) return true;
        if (nodes_[operation.node].closed()) return false;
        for (int at = operation.node; at >= 0; at = parents[at])
            if (sum(at) + operation.pages > limits[at]) return false;
        return true;
    }

    void check() {
        for (int at = 0; at < 4; ++at) {
            // What was granted stays within the limit also while others are under way; what is under way may be taken back.
            require(sum(at) <= limits[at], "more is granted than the limit");
            if (!at_rest_but(static_cast<unsigned>(threads_.size()))) continue;
            require(nodes_[at].used() <= limits[at], "at rest more is used than the limit");
            require(nodes_[at].used() == sum(at), "at rest used is not what was granted and not released");
        }
    }

    QuotaRaceBounds bounds_;
    std::vector<Thread> threads_;
    Node nodes_[4]{{nullptr, limits[0]}, {&nodes_[0], limits[1]}, {&nodes_[1], limits[2]}, {&nodes_[0], limits[3]}};
};

} // namespace explore
