// Capabilities, leases and slots: the real slot table, lease tree and rules of derivation beside a specification without generations and links.
//
// Mirrored, since it needs the kernel's locks: the order of steps of handle_duplicate (kernel/call/handles.cpp), Lease::create and the first loop of
// Lease::revoke (kernel/object/lease.cpp), and the move of a capability by a message (kernel/thread/message.cpp).
#pragma once
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "kernel/core/derivation.hpp"
#include "kernel/core/lease_node.hpp"
#include "kernel/core/slot_table.hpp"
#include "tests/explore/explorer.hpp"

namespace explore {

struct AuthorityBounds {
    unsigned slots;   // in use at once, in each of two processes
    unsigned objects; // alive at once, leases apart
    unsigned leases;
};

class AuthorityModel : public Checked {
    // An object or a lease.
    struct Thing : base::RefCounted<Thing> {
        Thing(std::size_t& alive, bool lease, base::Ref<Thing> parent) : alive(alive), lease(lease), parent(std::move(parent)) { ++alive; }
        ~Thing() {
            node_.unlink();
            --alive;
        }
        kernel::LeaseNode& node() { return node_; }

        std::size_t& alive;
        const bool lease;
        const base::Ref<Thing> parent;

    private:
        kernel::LeaseNode node_;
    };
    struct Hold {
        base::Ref<Thing> lease;
        std::uint64_t generation = 0;
        bool valid() const { return !lease || lease->node().valid(generation); }
    };
    struct Entry {
        base::Ref<Thing> object;
        std::uint64_t badge = 0;
        Hold hold;
        abi::Rights rights = 0;
    };

public:
    enum class Kind : std::uint8_t { create_object, create_lease, duplicate, transfer, revoke, close };
    struct Operation {
        Kind kind{};
        std::uint8_t process = 0;
        std::uint8_t rights = 0;
        std::uint8_t badge = 0;
        abi::Handle handle = 0; // the source; of create_lease the parent or 0
        abi::Handle lease = 0;  // of duplicate
    };

    explicit AuthorityModel(const AuthorityBounds& bounds) : bounds_(bounds) {}
    AuthorityModel(const AuthorityModel&) = delete;

    static std::string text(const Operation& operation) {
        static constexpr const char* names[] = {"create object", "create lease", "duplicate", "transfer", "revoke", "close"};
        char line[160];
        std::snprintf(line, sizeof line, "process %u: %s %llx rights %u badge %u lease %llx", operation.process, names[static_cast<int>(operation.kind)],
                      static_cast<unsigned long long>(operation.handle), operation.rights, operation.badge, static_cast<unsigned long long>(operation.lease));
        return line;
    }

    bool refused() const { return refused_; }

    std::vector<Operation> operations() const {
        std::vector<Operation> all;
        unsigned objects = 0, leases = 0;
        for (const auto& [id, thing] : things_) ++(thing.lease ? leases : objects);
        for (std::uint8_t process = 0; process < 2; ++process) {
            const auto& held = held_[process];
            const bool room = held.size() < bounds_.slots;
            if (room && objects < bounds_.objects) all.push_back({Kind::create_object, process});
            if (room && leases < bounds_.leases) all.push_back({Kind::create_lease, process});
            for (const auto& [handle, entry] : held) {
                all.push_back({Kind::close, process, 0, 0, handle});
                if (held_[1 - process].size() < bounds_.slots) all.push_back({Kind::transfer, process, 0, 0, handle});
                if (things_.at(entry.object).lease) {
                    all.push_back({Kind::revoke, process, 0, 0, handle});
                    if (room && leases < bounds_.leases) all.push_back({Kind::create_lease, process, 0, 0, handle});
                }
                if (!room) continue;
                for (const std::uint8_t rights : {0, 1, 3})
                    for (const std::uint8_t badge : {0, 1}) {
                        all.push_back({Kind::duplicate, process, rights, badge, handle});
                        // Under a lease: what the rights and the badge come to is seen without.
                        if (rights != 0 || badge != 0) continue;
                        for (const auto& [lease, its] : held)
                            if (things_.at(its.object).lease) all.push_back({Kind::duplicate, process, rights, badge, handle, lease});
                    }
            }
        }
        return all;
    }

    void apply(const Operation& operation) {
        refused_ = false;
        const unsigned process = operation.process;
        switch (operation.kind) {
        case Kind::create_object: create(process, false, 0); break;
        case Kind::create_lease: create(process, true, operation.handle); break;
        case Kind::duplicate: duplicate(operation); break;
        case Kind::transfer: transfer(process, operation.handle); break;
        case Kind::revoke: revoke(process, operation.handle); break;
        case Kind::close: close(process, operation.handle); break;
        }
        collect();
        check();
    }

    // Slots are interchangeable, and so are objects: what is in them counts, and whether an old handle of the slot is about. Of free slots only their number
    // counts: the one freed last is used next, and each of them has an old handle.
    std::string key() const {
        std::string first = key_of(0), second = key_of(1);
        return std::min(first, second);
    }

private:
    // The specification. A lease is dead or not; what lay under it when it died is dead, and what died stays so.
    struct KnownThing {
        bool lease = false;
        bool revoked = false;
        int parent = -1;
        Thing* real = nullptr;
    };
    struct Known {
        int object = -1;
        std::uint64_t badge = 0;
        int lease = -1;
        bool dead = false;
        abi::Rights rights = 0;
    };

    struct RealPages {
        void* allocate_page() { return std::calloc(1, abi::page_size); }
        void free_page(void* page) { std::free(page); }
    };
    using Table = kernel::SlotTable<Entry, RealPages>;

    // The look-up of a call: the slot is there and lies under no dead lease.
    Entry* find(unsigned process, abi::Handle handle) {
        Entry* const entry = tables_[process].find(handle);
        return entry && entry->hold.valid() ? entry : nullptr;
    }
    const Known* find_known(unsigned process, abi::Handle handle) const {
        const auto found = held_[process].find(handle);
        return found == held_[process].end() || found->second.dead ? nullptr : &found->second;
    }

    void put(unsigned process, Entry entry, const Known& known) {
        const auto handle = tables_[process].insert(std::move(entry));
        if (!require(handle.has_value(), "a slot is refused though there is room")) return;
        require(given_[process].insert(*handle).second, "a handle is given a second time");
        held_[process][*handle] = known;
    }

    // What Lease::create does under the lock of the tree, or a plain object.
    void create(unsigned process, bool lease, abi::Handle parent) {
        base::Ref<Thing> above;
        int known_above = -1;
        if (parent != 0) {
            Entry* const entry = find(process, parent);
            const Known* const known = find_known(process, parent);
            require((entry != nullptr) == (known != nullptr), "a look-up of a parent differs");
            refused_ = !known || things_.at(known->object).revoked;
            const bool really = !entry || entry->object->node().revoked();
            require(really == refused_, "a lease below a revoked one");
            if (really || refused_) return;
            above = entry->object;
            known_above = known->object;
        }
        auto thing = base::Ref<Thing>::adopt(*new Thing(alive_, lease, above));
        if (above) thing->node().link_below(above->node());
        const int id = next_thing_++;
        things_[id] = {lease, false, known_above, thing.get()};
        put(process, Entry{thing, 0, {}, 3}, Known{id, 0, -1, false, 3});
    }

    base::Result<Entry> derive(const Operation& operation) {
        Entry* const source = find(operation.process, operation.handle);
        if (!source) return std::unexpected(abi::Error::bad_handle);
        base::Ref<Thing> lease;
        if (operation.lease != 0) {
            Entry* const entry = find(operation.process, operation.lease);
            if (!entry) return std::unexpected(abi::Error::bad_handle);
            lease = entry->object;
        }
        Entry copy;
        copy.rights = TRY(kernel::shrink_rights(source->rights, operation.rights));
        copy.badge = TRY(kernel::derive_badge(source->badge, operation.badge, !source->object->lease));
        copy.hold = TRY(kernel::derive_under(source->hold, lease));
        copy.object = source->object;
        return copy;
    }

    bool derive_known(const Operation& operation, Known& copy) const {
        const Known* const source = find_known(operation.process, operation.handle);
        if (!source) return false;
        copy = *source;
        if (operation.rights != 0) copy.rights = operation.rights;
        if (operation.badge != 0) {
            if (source->badge != 0 || things_.at(source->object).lease) return false;
            copy.badge = operation.badge;
        }
        if (operation.lease != 0) {
            const Known* const lease = find_known(operation.process, operation.lease);
            if (!lease || things_.at(lease->object).revoked || !within(lease->object, source->lease)) return false;
            copy.lease = lease->object;
        }
        return (copy.rights & ~source->rights) == 0;
    }

    bool within(int lease, int ancestor) const {
        if (ancestor < 0) return true;
        for (; lease >= 0; lease = things_.at(lease).parent)
            if (lease == ancestor) return true;
        return false;
    }

    void duplicate(const Operation& operation) {
        Known known;
        refused_ = !derive_known(operation, known);
        auto copy = derive(operation);
        if (!require(copy.has_value() != refused_, refused_ ? "a capability was derived that must not be" : "a derivation is refused") || refused_) return;
        put(operation.process, std::move(*copy), known);
    }

    void transfer(unsigned process, abi::Handle handle) {
        const Known* const known = find_known(process, handle);
        refused_ = !known;
        if (!require((find(process, handle) != nullptr) == !refused_, "a look-up for a transfer differs") || refused_) return;
        Entry entry;
        require(tables_[process].remove(handle, entry), "a slot in use is not removed");
        const Known moved = *known;
        held_[process].erase(handle);
        put(1 - process, std::move(entry), moved);
    }

    void revoke(unsigned process, abi::Handle handle) {
        const Known* const known = find_known(process, handle);
        Entry* const entry = find(process, handle);
        refused_ = !known;
        if (!require((entry != nullptr) == !refused_, "a look-up for a revocation differs") || refused_) return;
        const base::Ref<Thing> root = entry->object;
        for (kernel::LeaseNode* node = &root->node(); node; node = node->next_within(root->node())) node->bump();
        const int top = known->object;
        for (auto& [id, thing] : things_)
            if (thing.lease && within(id, top)) thing.revoked = true;
        for (auto& held : held_)
            for (auto& [its, slot] : held)
                if (slot.lease >= 0 && within(slot.lease, top)) slot.dead = true;
    }

    void close(unsigned process, abi::Handle handle) {
        Entry entry;
        require(tables_[process].remove(handle, entry), "a slot in use is not closed");
        held_[process].erase(handle);
    }

    // Takes from the specification what nothing names any more.
    void collect() {
        std::set<int> named;
        for (const auto& held : held_)
            for (const auto& [handle, slot] : held) {
                named.insert(slot.object);
                for (int lease = slot.lease; lease >= 0; lease = things_.at(lease).parent) named.insert(lease);
                for (int lease = slot.object; lease >= 0; lease = things_.at(lease).parent) named.insert(lease);
            }
        std::erase_if(things_, [&](const auto& thing) { return !named.contains(thing.first); });
    }

    void check() {
        if (!require(alive_ == things_.size(), "an object lives on that nothing names, or died under a name")) return;
        std::map<int, unsigned> references;
        for (const auto& [id, thing] : things_)
            if (thing.parent >= 0) ++references[thing.parent];
        for (unsigned process = 0; process < 2; ++process) {
            require(tables_[process].count() == held_[process].size(), "the count is not the number of slots in use");
            for (const abi::Handle handle : given_[process]) {
                Entry* const entry = tables_[process].find(handle);
                const auto known = held_[process].find(handle);
                if (known == held_[process].end()) {
                    require(entry == nullptr, "a handle of an old generation names something");
                    continue;
                }
                if (!require(entry != nullptr, "a handle names nothing")) continue;
                const Known& slot = known->second;
                require(entry->object.get() == things_.at(slot.object).real, "a handle names another object");
                require(entry->rights == slot.rights, "rights differ");
                require(entry->badge == slot.badge, "a badge differs");
                require(entry->hold.lease.get() == (slot.lease < 0 ? nullptr : things_.at(slot.lease).real), "a capability lies under another lease");
                require(entry->hold.valid() == !slot.dead, slot.dead ? "a slot under a revoked lease is good" : "a slot under no revoked lease is dead");
                ++references[slot.object];
                if (slot.lease >= 0) ++references[slot.lease];
            }
        }
        for (const auto& [id, thing] : things_) {
            require(thing.real->references() == references[id], "a reference too many or too few");
            if (thing.lease) require(thing.real->node().revoked() == thing.revoked, "a lease of the subtree was missed, or one outside was revoked");
        }
    }

    std::string key_of(unsigned first) const {
        // Names go by order of appearance; slots are put in order by what can be told without names.
        std::map<int, char> names;
        std::string key;
        const auto name = [&](int id) -> char { return id < 0 ? '-' : names.try_emplace(id, static_cast<char>('a' + names.size())).first->second; };
        for (const unsigned process : {first, 1 - first}) {
            std::vector<std::pair<std::string, const Known*>> slots;
            std::set<std::uint32_t> used;
            for (const auto& [handle, slot] : held_[process]) {
                const KnownThing& thing = things_.at(slot.object);
                const bool reused = (handle >> 32) > 1;
                used.insert(static_cast<std::uint32_t>(handle));
                slots.push_back({{reused ? 'r' : 'f', thing.lease ? 'l' : 'o', thing.revoked ? 'x' : '.', thing.parent < 0 ? '.' : 'c',
                                  static_cast<char>('0' + slot.badge), static_cast<char>('0' + slot.rights), slot.lease < 0 ? '.' : 'u', slot.dead ? 'd' : '.'},
                                 &slot});
            }
            std::sort(slots.begin(), slots.end(), [](const auto& left, const auto& right) { return left.first < right.first; });
            std::set<std::uint32_t> touched;
            for (const abi::Handle handle : given_[process]) touched.insert(static_cast<std::uint32_t>(handle));
            key += static_cast<char>('0' + touched.size() - used.size());
            for (const auto& [plain, slot] : slots) {
                key += plain;
                key += name(slot->object);
                key += name(slot->lease);
            }
            key += '|';
        }
        // The tree, and the order of birth, which is the order of the walk.
        for (const auto& [id, thing] : things_) {
            if (!thing.lease) continue;
            key += name(id);
            key += name(thing.parent);
            key += thing.revoked ? 'x' : '.';
        }
        return key;
    }

    AuthorityBounds bounds_;
    std::size_t alive_ = 0;
    RealPages pages_;
    Table tables_[2]{Table(pages_), Table(pages_)};
    std::map<abi::Handle, Known> held_[2];
    std::set<abi::Handle> given_[2];
    std::map<int, KnownThing> things_;
    int next_thing_ = 0;
    bool refused_ = false;
};

} // namespace explore
