// The two trees: leases beside lists of children, quotas beside what each node was charged.
#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "kernel/core/lease_node.hpp"
#include "kernel/core/quota_node.hpp"
#include "tests/cores/command.hpp"

namespace cores {

class LeaseModel {
    static constexpr std::size_t most = 24;

    struct Lease {
        std::unique_ptr<kernel::LeaseNode> node = std::make_unique<kernel::LeaseNode>();
        Lease* parent = nullptr;
        std::vector<Lease*> children; // the youngest first
        std::uint64_t generation = 0;
    };

public:
    void apply(const Command& command) {
        Lease& lease = leases_[command.subject % most];
        switch (command.kind % 4) {
        case 0: {
            Lease& parent = leases_[command.value % most];
            if (lease.parent || within(parent, lease)) return;
            lease.node->link_below(*parent.node);
            lease.parent = &parent;
            parent.children.insert(parent.children.begin(), &lease);
            break;
        }
        case 1:
            // A node that goes has no children; its place is taken by a new one.
            if (!lease.children.empty()) return;
            lease.node->unlink();
            if (lease.parent) std::erase(lease.parent->children, &lease);
            lease = Lease{};
            break;
        case 2:
            for (kernel::LeaseNode* node = lease.node.get(); node; node = node->next_within(*lease.node)) node->bump();
            for (Lease* each : subtree(lease)) ++each->generation;
            break;
        case 3: {
            const Lease& other = leases_[command.value % most];
            require(lease.node->is_within(*other.node) == within(lease, other), "a lease is within another one, or is not");
            break;
        }
        }
        check(lease);
    }

    void finish() {
        for (Lease& lease : leases_) check(lease);
    }

private:
    static bool within(const Lease& lease, const Lease& ancestor) {
        for (const Lease* each = &lease; each; each = each->parent)
            if (each == &ancestor) return true;
        return false;
    }

    static std::vector<Lease*> subtree(Lease& root) {
        std::vector<Lease*> all{&root};
        for (Lease* child : root.children) {
            const std::vector<Lease*> below = subtree(*child);
            all.insert(all.end(), below.begin(), below.end());
        }
        return all;
    }

    // The walk over a subtree meets each of its leases once, a parent before what is below it, and nothing else.
    void check(Lease& root) {
        kernel::LeaseNode* node = root.node.get();
        for (const Lease* expected : subtree(root)) {
            require(node == expected->node.get(), "the walk misses a lease, or meets one that is not below");
            node = node->next_within(*root.node);
        }
        require(node == nullptr, "the walk leaves the subtree");
        for (const Lease& lease : leases_) {
            require(lease.node->generation() == lease.generation && lease.node->valid(lease.generation), "a lease has another generation");
            require(lease.node->revoked() == (lease.generation != 0), "a lease is revoked, or is not");
        }
    }

    std::array<Lease, most> leases_;
};

class QuotaModel {
    static constexpr std::size_t most = 12;
    static constexpr std::size_t kind = 1; // of the objects that are counted

    struct Quota {
        std::unique_ptr<kernel::QuotaNode> node;
        Quota* parent = nullptr;
        std::uint64_t limit = 0;
        bool closed = false;
        // Charged here, and not below.
        std::vector<std::uint64_t> pages;
        std::uint64_t tables = 0;
        std::uint64_t objects = 0;
    };

public:
    QuotaModel() { create(nullptr, UINT64_MAX); }

    void apply(const Command& command) {
        Quota& quota = *quotas_[command.subject % quotas_.size()];
        kernel::QuotaNode& node = *quota.node;
        switch (command.kind % 7) {
        case 0:
            if (quotas_.size() < most) create(&quota, command.value % 64 == 0 ? UINT64_MAX : command.value % 48);
            break;
        case 1: {
            // Now and then far more than there can be, where a sum would wrap round.
            const std::uint64_t pages = command.value % 32 == 0 ? UINT64_MAX - command.value / 32 : command.value % 24;
            const bool fits = room(quota, pages);
            require(node.charge_pages(pages) == fits, fits ? "pages are refused that there is room for" : "pages are charged that there is no room for");
            if (fits) quota.pages.push_back(pages);
            break;
        }
        case 2:
            if (!quota.pages.empty()) node.release_pages(take(quota.pages, command.value));
            break;
        case 3: {
            const bool fits = room(quota, 1);
            require(node.charge_table() == fits, "a table is refused that there is room for, or charged without");
            quota.tables += fits;
            break;
        }
        case 4:
            if (quota.tables == 0) break;
            node.release_table();
            --quota.tables;
            break;
        case 5: {
            const bool one_less = command.value % 2 != 0 && quota.objects != 0;
            node.count_object(static_cast<abi::ObjectKind>(kind), one_less ? -1 : 1);
            quota.objects += one_less ? UINT64_MAX : 1;
            break;
        }
        case 6:
            if (command.value % 8 != 0 || !quota.parent) break;
            node.close();
            quota.closed = true;
            break;
        }
        check();
    }

    void finish() {
        for (const auto& quota : quotas_) {
            for (const std::uint64_t pages : quota->pages) quota->node->release_pages(pages);
            for (; quota->tables != 0; --quota->tables) quota->node->release_table();
            quota->pages.clear();
        }
        check();
    }

private:
    void create(Quota* parent, std::uint64_t limit) {
        auto quota = std::make_unique<Quota>();
        quota->node = std::make_unique<kernel::QuotaNode>(parent ? parent->node.get() : nullptr, limit);
        quota->parent = parent;
        quota->limit = limit;
        quotas_.push_back(std::move(quota));
    }

    template <class Number> static Number take(std::vector<Number>& numbers, std::size_t at) {
        std::swap(numbers[at % numbers.size()], numbers.back());
        const Number taken = numbers.back();
        numbers.pop_back();
        return taken;
    }
    template <class Number> static std::uint64_t sum(const std::vector<Number>& numbers) {
        std::uint64_t all = 0;
        for (const Number number : numbers) all += number;
        return all;
    }

    static bool within(const Quota& quota, const Quota& ancestor) {
        for (const Quota* each = &quota; each; each = each->parent)
            if (each == &ancestor) return true;
        return false;
    }
    static bool closed(const Quota& quota) {
        for (const Quota* each = &quota; each; each = each->parent)
            if (each->closed) return true;
        return false;
    }
    std::uint64_t used(const Quota& quota) const {
        std::uint64_t all = 0;
        for (const auto& each : quotas_)
            if (within(*each, quota)) all += sum(each->pages) + each->tables;
        return all;
    }
    bool room(const Quota& quota, std::uint64_t pages) const {
        if (closed(quota)) return false;
        for (const Quota* each = &quota; each; each = each->parent)
            if (pages > each->limit - used(*each)) return false;
        return true;
    }

    void check() const {
        for (const auto& quota : quotas_) {
            const std::uint64_t expected = used(*quota);
            require(quota->node->used() == expected, "used is not what was charged and not released");
            require(expected <= quota->limit, "more is used than the limit");
            require(quota->node->closed() == closed(*quota), "a quota is closed, or is not");
            std::uint64_t tables = 0, objects = 0;
            for (const auto& each : quotas_) {
                require(each->node->is_within(*quota->node) == within(*each, *quota), "a quota is within another one, or is not");
                if (!within(*each, *quota)) continue;
                tables += each->tables;
                objects += each->objects;
            }
            require(quota->node->table_pages() == tables, "tables are not what was charged");
            require(quota->node->objects(kind) == objects, "objects are not what was counted");
        }
    }

    std::vector<std::unique_ptr<Quota>> quotas_;
};

} // namespace cores
