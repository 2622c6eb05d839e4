// The tree of quotas: the real node beside sums over what each node was charged with itself.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "kernel/core/quota_node.hpp"
#include "tests/explore/explorer.hpp"

namespace explore {

struct QuotaBounds {
    unsigned nodes;
};

class QuotaModel : public Checked {
public:
    enum class Kind : std::uint8_t { charge, release, charge_table, release_table, create, close, destroy };
    struct Operation {
        Kind kind{};
        std::uint8_t node = 0;
        std::uint16_t amount = 0; // pages, or the limit of a child
    };
    static constexpr std::uint64_t root_limit = 4;

    explicit QuotaModel(const QuotaBounds& bounds) : bounds_(bounds) { add(-1, root_limit); }
    QuotaModel(const QuotaModel&) = delete;

    static std::string text(const Operation& operation) {
        static constexpr const char* names[] = {"charge", "release", "charge table", "release table", "create child of limit", "close", "destroy"};
        return "node " + std::to_string(operation.node) + ": " + names[static_cast<int>(operation.kind)] + " " + std::to_string(operation.amount);
    }
    bool refused() const { return refused_; }

    std::vector<Operation> operations() const {
        std::vector<Operation> all;
        for (std::uint8_t at = 0; at < nodes_.size(); ++at) {
            const Known& node = nodes_[at];
            if (!node.real) continue;
            for (const std::uint16_t pages : {1, 2}) {
                all.push_back({Kind::charge, at, pages});
                if (node.pages >= pages) all.push_back({Kind::release, at, pages});
            }
            all.push_back({Kind::charge_table, at});
            if (node.tables > 0) all.push_back({Kind::release_table, at});
            if (!node.closed) all.push_back({Kind::close, at});
            if (live() < bounds_.nodes)
                for (const std::uint16_t limit : {1, 3}) all.push_back({Kind::create, at, limit});
            if (at != 0 && own(node) == 0 && !has_child(at)) all.push_back({Kind::destroy, at});
        }
        return all;
    }

    void apply(const Operation& operation) {
        Known& node = nodes_[operation.node];
        refused_ = false;
        switch (operation.kind) {
        case Kind::charge:
            if (agree(node.real->charge_pages(operation.amount), fits(operation.node, operation.amount))) node.pages += operation.amount;
            break;
        case Kind::release:
            node.real->release_pages(operation.amount);
            node.pages -= operation.amount;
            break;
        case Kind::charge_table:
            if (agree(node.real->charge_table(), fits(operation.node, 1))) ++node.tables;
            break;
        case Kind::release_table:
            node.real->release_table();
            --node.tables;
            break;
        case Kind::create: add(operation.node, operation.amount); break;
        case Kind::close:
            node.real->close();
            node.closed = true;
            break;
        case Kind::destroy: node.real.reset(); break;
        }
        check();
    }

    // The tree with children in order of what they are: nodes alike are interchangeable.
    std::string key() const { return key_of(0); }

private:
    // What a node was charged with itself.
    struct Figures {
        std::uint64_t pages = 0;
        std::uint64_t tables = 0;
    };
    struct Known : Figures {
        std::unique_ptr<kernel::QuotaNode> real;
        int parent = -1;
        std::uint64_t limit = 0;
        bool closed = false;
    };

    void add(int parent, std::uint64_t limit) {
        Known node;
        node.real = std::make_unique<kernel::QuotaNode>(parent < 0 ? nullptr : nodes_[parent].real.get(), limit);
        node.parent = parent;
        node.limit = limit;
        nodes_.push_back(std::move(node));
    }

    bool agree(bool really, bool wanted) {
        refused_ = !wanted;
        require(really == wanted, really ? "a charge is taken that does not fit, or at a closed node" : "a charge that fits is refused");
        return wanted;
    }

    static std::uint64_t own(const Figures& node) { return node.pages + node.tables; }
    bool within(int node, int ancestor) const {
        while (node >= 0 && node != ancestor) node = nodes_[node].parent;
        return node == ancestor;
    }
    template <class Figure> std::uint64_t sum(int top, Figure&& figure) const {
        std::uint64_t all = 0;
        for (int at = 0; at < static_cast<int>(nodes_.size()); ++at)
            if (nodes_[at].real && within(at, top)) all += figure(nodes_[at]);
        return all;
    }
    bool closed(int node) const {
        for (; node >= 0; node = nodes_[node].parent)
            if (nodes_[node].closed) return true;
        return false;
    }
    bool fits(int node, std::uint64_t pages) const {
        if (closed(node)) return false;
        for (; node >= 0; node = nodes_[node].parent)
            if (sum(node, own) + pages > nodes_[node].limit) return false;
        return true;
    }
    unsigned live() const {
        return static_cast<unsigned>(std::count_if(nodes_.begin(), nodes_.end(), [](const Known& node) { return node.real != nullptr; }));
    }
    bool has_child(int parent) const {
        return std::any_of(nodes_.begin(), nodes_.end(), [&](const Known& node) { return node.real && node.parent == parent; });
    }

    void check() {
        for (int at = 0; at < static_cast<int>(nodes_.size()); ++at) {
            const Known& node = nodes_[at];
            if (!node.real) continue;
            std::uint64_t children = 0;
            for (const Known& child : nodes_)
                if (child.real && child.parent == at) children += child.real->used();
            require(node.real->used() <= node.real->limit(), "more is used than the limit");
            require(node.real->used() >= children, "the children use more than their parent knows");
            require(node.real->used() == sum(at, own), "used is not what was charged and not released");
            require(node.real->table_pages() == sum(at, [](const Known& each) { return each.tables; }), "the figure of tables differs");
            require(node.real->closed() == closed(at), "closed differs");
        }
    }

    std::string key_of(int at) const {
        const Known& node = nodes_[at];
        std::string key;
        for (const std::uint64_t figure : {node.limit, node.pages, node.tables, std::uint64_t{node.closed}})
            key += static_cast<char>('0' + figure);
        std::vector<std::string> children;
        for (int child = 0; child < static_cast<int>(nodes_.size()); ++child)
            if (nodes_[child].real && nodes_[child].parent == at) children.push_back(key_of(child));
        std::sort(children.begin(), children.end());
        for (const std::string& child : children) key += '(' + child + ')';
        return key;
    }

    QuotaBounds bounds_;
    std::vector<Known> nodes_;
    bool refused_ = false;
};

} // namespace explore
