// A walk, breadth first, over every state that a model reaches by its operations within bounds. Each state is reached by the fewest operations, so the trace of a
// violation is the shortest one.
//
// A Model is a real state core beside a specification of it:
//   Operation                        a value
//   Model(arguments)                 the initial state; the same each time
//   operations() const               what can be done now
//   apply(operation)                 does it in both and compares; broken() tells the first difference
//   key() const                      the canonical form: two states with one key behave alike
//   text(operation) (static)         for the trace
// A model that cannot be copied is built again from the initial state by its operations; refused() says that the last one changed nothing.
#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace explore {

struct Bounds {
    unsigned depth = 0;         // operations from the initial state
    std::size_t states = 0;     // the walk stops there, and says so
};

struct Report {
    std::size_t states = 0;
    std::size_t transitions = 0;
    unsigned depth = 0;         // of the deepest state
    bool whole = true;          // false: the bound on states cut it short
    bool closed = true;         // no state was left unexpanded: depth did not cut it short either
    double seconds = 0;
    std::string broken;         // empty where nothing was found
    std::vector<std::string> trace;

    std::string text() const {
        char line[200];
        std::snprintf(line, sizeof line, "%zu states, %zu transitions, depth %u%s, %.1f s", states, transitions, depth,
                      closed ? " (all reachable)" : whole ? "" : " (cut at the bound on states)", seconds);
        std::string all = line;
        if (broken.empty()) return all;
        all += "\nbroken: " + broken + "\nafter:";
        for (const std::string& step : trace) all += "\n  " + step;
        return all;
    }
};

// What models tell a difference with; the first one stays.
class Checked {
public:
    const std::string& broken() const { return broken_; }

protected:
    bool require(bool holds, std::string_view what) {
        if (!holds && broken_.empty()) broken_ = what;
        return holds;
    }

private:
    std::string broken_;
};

struct Hash {
    std::uint64_t low, high;
    bool operator==(const Hash&) const = default;
};
inline Hash hash_of(std::string_view text) {
    Hash hash{0xcbf29ce484222325, 0x9e3779b97f4a7c15};
    for (const char letter : text) {
        hash.low = (hash.low ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
        hash.high = (hash.high + static_cast<unsigned char>(letter) + 1) * 0xbf58476d1ce4e5b9;
        hash.high ^= hash.high >> 29;
    }
    return hash;
}
struct HashOfHash {
    std::size_t operator()(const Hash& hash) const { return hash.low ^ hash.high; }
};

template <class Model, class... Arguments> Report walk(const Bounds& bounds, const Arguments&... arguments) {
    using Operation = typename Model::Operation;
    struct Node {
        std::uint32_t parent;
        std::uint32_t depth;
        Operation operation;
    };
    const auto start = std::chrono::steady_clock::now();
    Report report;
    std::vector<Node> nodes;
    std::unordered_set<Hash, HashOfHash> seen;

    const auto path = [&](std::uint32_t index) {
        std::vector<Operation> operations(nodes[index].depth);
        for (std::size_t at = operations.size(); at-- > 0; index = nodes[index].parent) operations[at] = nodes[index].operation;
        return operations;
    };
    const auto build = [&](const std::vector<Operation>& operations) {
        auto model = std::make_unique<Model>(arguments...);
        for (const Operation& operation : operations) model->apply(operation);
        return model;
    };
    // An exception is a difference too: a fake that was asked for what is not there.
    const auto apply = [](Model& model, const Operation& operation) -> std::string {
        try {
            model.apply(operation);
            return model.broken();
        } catch (const std::exception& error) {
            return std::string("threw: ") + error.what();
        }
    };
    const auto take_time = [&] {
        report.states = nodes.size();
        report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };

    nodes.push_back({0, 0, Operation{}});
    seen.insert(hash_of(Model(arguments...).key()));
    for (std::uint32_t at = 0; at < nodes.size(); ++at) {
        if (nodes[at].depth == bounds.depth) {
            report.closed = false;
            break;
        }
        const std::uint32_t depth = nodes[at].depth + 1;
        const std::vector<Operation> before = path(at);
        std::unique_ptr<Model> base = build(before);
        for (const Operation& operation : base->operations()) {
            std::unique_ptr<Model> fresh;
            if constexpr (std::copy_constructible<Model>) {
                fresh = std::make_unique<Model>(*base);
            } else {
                fresh = base ? std::move(base) : build(before);
            }
            ++report.transitions;
            if (std::string broken = apply(*fresh, operation); !broken.empty()) {
                report.broken = std::move(broken);
                for (const Operation& step : before) report.trace.push_back(Model::text(step));
                report.trace.push_back(Model::text(operation));
                report.closed = false;
                take_time();
                return report;
            }
            std::string key = fresh->key();
            if constexpr (!std::copy_constructible<Model>) {
                // What was refused and changed nothing need not be built again.
                if (fresh->refused()) base = std::move(fresh);
            }
            if (!seen.insert(hash_of(key)).second) continue;
            nodes.push_back({at, depth, operation});
            report.depth = depth;
            if (nodes.size() >= bounds.states) {
                report.whole = report.closed = false;
                take_time();
                return report;
            }
        }
    }
    take_time();
    return report;
}

} // namespace explore
