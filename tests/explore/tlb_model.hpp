// CPUs that load roots and change the tables below them: the real state of the TLBs (kernel/core/tlb_state.hpp), interleaved at every access to a generation or to a word that CPUs show each other,
// and at every instruction (stepped.hpp), on processors whose TLBs remember as much as they may, for as long as they may.
//
// Mirrored, since it needs the kernel's interrupts: the order of steps of tlb::forget (kernel/memory/tlb.cpp). Two guest halves of one sandbox, with two roots each. The first
// CPU runs the first of them already; it loads and changes, the others change. Which of the two halves is which makes no difference, nor which CPU. With `rests` the first CPU's thread may
// sleep as well, while the others take tables away and end the pair that it rests on.
#pragma once
#include <array>
#include <vector>

#include "stepped/tlb_state.hpp"
#include "tests/explore/explorer.hpp"

namespace explore {

struct TlbBounds {
    bool tags;    // PCID
    bool selects; // INVPCID
    std::vector<unsigned> runs; // what each CPU does by itself
    bool rests = false;
};

template <std::size_t places> class TlbModel : public Checked {
    using Half = kernel::stepped::TranslatedHalf;
    using Pair = kernel::stepped::RootPair;
    static constexpr unsigned pairs = 2, sandbox = 2, halves = 3; // the guest half of a pair has its number
    static constexpr std::uint64_t kernel_root = 0x100000;

    // Where pointers lead to while a function runs; between functions the content is each model's own.
    struct World {
        std::array<Half, halves> half;
        Pair pair[pairs];
        Pair kernel{.native = kernel_root, .guest = kernel_root};
        World() {
            for (unsigned i = 0; i < pairs; ++i) {
                const std::uint64_t name = kernel::stepped::name_of(1, i + 2);
                pair[i] = {.number = i + 2, .name = name, .native = native_root(i), .guest = guest_root(i), .guest_half = &half[i], .personality_half = &half[sandbox]};
                half[i].lead_from(name, kernel::stepped::whole_name);
            }
            half[sandbox].lead_from(kernel::stepped::name_of(1, 1), kernel::stepped::name_of_sandbox);
        }
    };
    static World& world() {
        static World only;
        return only;
    }
    static const std::array<Half, halves>& fresh_halves() {
        static const std::array<Half, halves> fresh = World().half;
        return fresh;
    }
    static constexpr std::uint64_t native_root(unsigned pair) { return (pair + 1) << 16; }
    static constexpr std::uint64_t guest_root(unsigned pair) { return native_root(pair) + 0x1000; }

    enum Region : std::uint8_t { guest_region, sandbox_region, regions };
    static constexpr std::uint64_t addresses[regions] = {0x1000, 0xffff'8000'0000'1000};
    static Region region_of(std::uint64_t address) { return address >> 63 ? sandbox_region : guest_region; }
    // The half that a root shows there, or `halves`.
    static unsigned shown(std::uint64_t root, Region region) {
        for (unsigned i = 0; i < pairs; ++i) {
            if (root == native_root(i)) return region == guest_region ? i : sandbox;
            if (root == guest_root(i)) return region == guest_region ? i : halves;
        }
        return halves;
    }

    // A page of a half as it was when the processor walked the tables. Version 0: nothing is remembered.
    struct Translation {
        unsigned half = halves;
        unsigned version = 0;
    };
    static constexpr std::size_t tags = 2 * places + 1;

    // What functions change without steps: put back before a function is run again.
    struct Own {
        kernel::stepped::RootTags<places> tags;
        const Pair* pair = &world().kernel;
        std::uint64_t loaded = kernel_root, native = kernel_root, guest = kernel_root, rested = 0;
    };

public:
    enum class Kind : std::uint8_t { load_native, load_guest, load_kernel, change_all, change_page, serve, rest, change_tables, end_pair };
    struct Operation {
        bool begins = false;
        std::uint8_t cpu = 0;
        Kind kind{};
        std::uint8_t which = 0; // the pair, or the half
    };

    explicit TlbModel(const TlbBounds& bounds) : bounds_(bounds), cpus_(bounds.runs.size()), halves_(fresh_halves()) {
        world().half = halves_;
        Machine machine{*this, cpus_[0], 0};
        cpus_[0].uses = true;
        for (const bool guest_runs : {false, true}) {
            load_roots_of(machine, world().pair[0], guest_runs);
            remember();
        }
        halves_ = world().half;
    }

    static std::string text(const Operation& operation) {
        static constexpr const char* names[] = {"load the native root of", "load the guest root of", "load the kernel's root", "change all of half", "change a page of half", "serve", "rest", "free tables of half", "end"};
        const std::string line = "CPU " + std::to_string(operation.cpu) + ": ";
        if (!operation.begins) return line + "goes on to its next access";
        return line + names[static_cast<int>(operation.kind)] + " " + std::to_string(operation.which);
    }

    std::vector<Operation> operations() const {
        std::vector<Operation> all;
        for (std::uint8_t at = 0; at < cpus_.size(); ++at) {
            const Cpu& cpu = cpus_[at];
            if (cpu.running) {
                all.push_back({false, at});
                continue;
            }
            if (cpu.asked != 0) all.push_back({true, at, Kind::serve, 0});
            if (cpu.awaited != 0 || cpu.runs == bounds_.runs[at]) continue;
            for (const std::uint8_t half : {std::uint8_t{0}, std::uint8_t{sandbox}}) {
                if (locked_[half]) continue;
                all.push_back({true, at, Kind::change_all, half});
                if (at == 0) all.push_back({true, at, Kind::change_page, half});
                if (bounds_.rests) all.push_back({true, at, Kind::change_tables, half});
            }
            // Nobody's thread has it any more.
            if (bounds_.rests && !ending_[0] && !locked_[0] && !is_used(0)) all.push_back({true, at, Kind::end_pair, 0});
            if (at != 0) continue;
            if (bounds_.rests && cpu.uses) all.push_back({true, at, Kind::rest, 0});
            for (std::uint8_t pair = 0; pair < pairs; ++pair) {
                if (ending_[pair]) continue;
                all.push_back({true, at, Kind::load_native, pair});
                all.push_back({true, at, Kind::load_guest, pair});
            }
            all.push_back({true, at, Kind::load_kernel, 0});
        }
        return all;
    }

    void apply(const Operation& operation) {
        Cpu& cpu = cpus_[operation.cpu];
        if (operation.begins) {
            cpu.running = true;
            cpu.now = operation;
            cpu.before = cpu.own;
            cpu.serving = cpu.asked;
            if (operation.kind != Kind::serve) ++cpu.runs;
            if (changes(operation)) locked_[operation.which] = true;
            if (operation.kind == Kind::end_pair) locked_[operation.which] = ending_[operation.which] = true;
            if (operation.kind == Kind::rest) cpu.uses = false;
        }
        world().half = halves_;
        cpu.own = cpu.before;
        Machine machine{*this, cpu, operation.cpu};
        const bool ended = step(cpu.steps, [&] { run(machine, cpu); });
        halves_ = world().half;
        remember();
        if (ended) end(cpu, operation.cpu);
        check();
    }

    std::string key() const {
        std::string key;
        const auto add = [&](std::uint64_t value) {
            for (; value >= 0x80; value >>= 7) key += static_cast<char>(value | 0x80);
            key += static_cast<char>(value);
        };
        for (unsigned i = 0; i < halves; ++i) {
            add(halves_[i].generation());
            add(halves_[i].finished_generation());
            add(tables_[i]);
            add(tables_finished_[i]);
            add(memory_[i]);
            add(finished_[i]);
            add(locked_[i]);
        }
        for (unsigned i = 0; i < pairs; ++i) {
            add(ending_[i]);
            add(ended_[i]);
        }
        for (const Cpu& cpu : cpus_) {
            add(cpu.runs);
            add(cpu.uses);
            add(cpu.ends);
            add(cpu.asked);
            add(cpu.serving);
            add(cpu.awaited);
            add(cpu.changed);
            add(cpu.root);
            for (const auto& tag : cpu.remembered) {
                for (const Translation& one : tag) {
                    add(one.half);
                    add(one.version);
                }
            }
            add(cpu.entered);
            add(cpu.settled);
            add(cpu.rested);
            // Bytes: what the kernel keeps there is nothing but numbers and pointers into the one world.
            key.append(reinterpret_cast<const char*>(&cpu.own), sizeof cpu.own);
            add(cpu.running);
            if (!cpu.running) continue;
            key.append(reinterpret_cast<const char*>(&cpu.before), sizeof cpu.before);
            add(static_cast<unsigned>(cpu.now.kind));
            add(cpu.now.which);
            add(cpu.steps.seen.size());
            for (const std::uint64_t value : cpu.steps.seen) add(value);
        }
        return key;
    }

private:
    struct Cpu {
        Steps steps;
        Operation now;
        Own own, before;
        bool running = false;
        unsigned runs = 0;
        unsigned asked = 0;   // CPUs that wait for this one
        unsigned serving = 0; // of them, those that what runs now answers
        unsigned awaited = 0; // CPUs that this one waits for
        unsigned changed = 0; // the half, meanwhile
        bool ends = false;    // its pair too
        bool uses = false;    // a thread runs
        std::uint64_t users = 0;
        std::uint64_t entered = 0, settled = 0, rested = 0; // what it shows the others
        std::uint64_t root = kernel_root; // CR3
        std::array<std::array<Translation, regions>, tags> remembered{};
    };

    struct Machine {
        TlbModel& model;
        Cpu& processor;
        unsigned number;

        const Pair& pair() const { return *processor.own.pair; }
        std::uint64_t native() const { return processor.own.native; }
        std::uint64_t guest() const { return processor.own.guest; }
        std::uint64_t loaded() const { return processor.own.loaded; }
        void take(const Pair& to, std::uint64_t native, std::uint64_t guest) {
            processor.own.pair = &to;
            processor.own.native = native;
            processor.own.guest = guest;
        }
        bool tags() const { return model.bounds_.tags; }
        bool selects() const { return model.bounds_.selects; }
        void load_tagged(const Pair& to, bool guest_runs) { processor.own.tags.load(*this, to, guest_runs); }
        void enter(std::uint64_t name) {
            access([&] { return processor.entered = name; });
        }
        void settle(std::uint64_t name) {
            access([&] { return processor.settled = name; });
        }
        void rest(std::uint64_t name) {
            access([&] { return processor.rested = name; });
            processor.own.rested = name;
        }
        bool rests() const { return processor.own.rested != 0; }
        const Pair& kernel() const { return world().kernel; }
        std::size_t limit() const { return model.cpus_.size(); }
        bool is_other(std::size_t index) const { return index != number; }
        std::uint64_t entered(std::size_t index) const {
            return access([&] { return model.cpus_[index].entered; });
        }
        std::uint64_t settled(std::size_t index) const {
            return access([&] { return model.cpus_[index].settled; });
        }
        std::uint64_t rested(std::size_t index) const {
            return access([&] { return model.cpus_[index].rested; });
        }
        void load(std::uint64_t value, bool forgets) {
            access([&] {
                const bool keeps = !forgets && (value & kernel::stepped::root_keeps) != 0;
                processor.root = value & ~kernel::stepped::root_keeps;
                model.require(tags() || processor.root == value, "a bit of CR3 is set that the processor has not");
                model.require(tags() || tag() == 0, "a tag where the processor has none");
                if (!keeps) processor.remembered[tag()] = {};
                return std::uint64_t{0};
            });
            processor.own.loaded = value;
        }
        void forget_tag(std::uint64_t which) {
            access([&] {
                model.require(tags() && selects(), "INVPCID where the processor has none");
                processor.remembered[which] = {};
                return std::uint64_t{0};
            });
        }
        void forget_page(std::uint64_t address) {
            access([&] {
                processor.remembered[tag()][region_of(address)] = {};
                return std::uint64_t{0};
            });
        }
        void forget_page_of(std::uint64_t which, std::uint64_t address) {
            access([&] {
                model.require(tags() && selects(), "INVPCID where the processor has none");
                processor.remembered[which][region_of(address)] = {};
                return std::uint64_t{0};
            });
        }
        std::uint64_t tag() const { return tag_of(processor.root); }
    };

    static std::uint64_t tag_of(std::uint64_t root) { return root & kernel::stepped::root_tag_mask; }
    static bool changes(const Operation& operation) { return operation.kind == Kind::change_all || operation.kind == Kind::change_page || operation.kind == Kind::change_tables; }
    // Whether a thread has the pair: it runs, or is still on its way to sleep or to run.
    bool is_used(unsigned pair) const {
        for (const Cpu& cpu : cpus_) {
            const Kind kind = cpu.now.kind;
            const bool had = (cpu.running ? cpu.before : cpu.own).pair == &world().pair[pair];
            if (had && (cpu.uses || (cpu.running && kind == Kind::rest))) return true;
            if (cpu.running && (kind == Kind::load_native || kind == Kind::load_guest) && cpu.now.which == pair) return true;
        }
        return false;
    }

    void run(Machine& machine, Cpu& cpu) {
        auto& tags = cpu.own.tags;
        const Operation now = cpu.now;
        switch (now.kind) {
        case Kind::load_native: return load(machine, cpu, world().pair[now.which], false);
        case Kind::load_guest: return load(machine, cpu, world().pair[now.which], true);
        case Kind::load_kernel: return load(machine, cpu, world().kernel, false);
        case Kind::serve: return tags.forget(machine);
        case Kind::rest: return tags.rest(machine);
        case Kind::end_pair:
            if (&machine.pair() == &world().pair[now.which]) tags.go_on(machine, machine.kernel(), false);
            cpu.users = find_resting(machine, world().pair[now.which]);
            return;
        case Kind::change_all:
        case Kind::change_page:
        case Kind::change_tables: break;
        }
        Half& half = world().half[now.which];
        access([&] {
            ++memory_[now.which];
            if (now.kind == Kind::change_tables) tables_[now.which] = memory_[now.which];
            return std::uint64_t{0};
        });
        cpu.users = count_change(machine, half, now.kind == Kind::change_tables);
        if (!machine.pair().leads_to(half)) return;
        if (now.kind != Kind::change_page)
            tags.forget(machine);
        else
            tags.forget_pages(machine, half, &addresses[now.which == sandbox ? sandbox_region : guest_region], 1);
    }

    void load(Machine& machine, Cpu& cpu, const Pair& to, bool guest_runs) {
        if (cpu.uses)
            load_roots_of(machine, to, guest_runs);
        else
            cpu.own.tags.go_on(machine, to, guest_runs);
    }

    void end(Cpu& cpu, unsigned number) {
        cpu.running = false;
        const Kind kind = cpu.now.kind;
        if (kind == Kind::load_native || kind == Kind::load_guest || kind == Kind::load_kernel) cpu.uses = true;
        if (changes(cpu.now) || kind == Kind::end_pair) {
            cpu.changed = cpu.now.which;
            cpu.ends = kind == Kind::end_pair;
            cpu.awaited = static_cast<unsigned>(cpu.users);
            for (unsigned at = 0; at < cpus_.size(); ++at)
                if (cpu.awaited >> at & 1) cpus_[at].asked |= 1u << number;
            if (cpu.awaited == 0) finish(cpu);
        } else if (kind == Kind::serve) {
            for (unsigned at = 0; at < cpus_.size(); ++at) {
                Cpu& waits = cpus_[at];
                if ((cpu.serving >> at & 1) == 0) continue;
                waits.awaited &= ~(1u << number);
                if (waits.awaited == 0) finish(waits);
            }
            cpu.asked &= ~cpu.serving;
        }
        cpu.serving = 0;
        cpu.now = {};
        cpu.users = 0;
        cpu.before = {};
    }

    // What the tables showed before may be free from here on.
    void finish(Cpu& cpu) {
        if (cpu.ends) {
            ended_[cpu.changed] = true;
        } else {
            finished_[cpu.changed] = memory_[cpu.changed];
            tables_finished_[cpu.changed] = tables_[cpu.changed];
            halves_[cpu.changed].finish_change();
            locked_[cpu.changed] = false;
        }
        cpu.changed = 0;
        cpu.ends = false;
    }

    // A processor may walk the tables of the root that it has loaded at any time: at once is where it remembers the oldest.
    void remember() {
        for (Cpu& cpu : cpus_) {
            for (const Region region : {guest_region, sandbox_region}) {
                Translation& one = cpu.remembered[tag_of(cpu.root)][region];
                const unsigned half = shown(cpu.root & ~kernel::stepped::root_tag_mask, region);
                if (one.version == 0 && half != halves) one = {half, memory_[half]};
            }
        }
    }

    void check() {
        for (const Cpu& cpu : cpus_) {
            const std::uint64_t root = cpu.root & ~kernel::stepped::root_tag_mask;
            for (unsigned i = 0; i < pairs; ++i) {
                if (!ended_[i]) continue;
                require(root != native_root(i) && root != guest_root(i), "a root is loaded that is free");
                require(cpu.own.pair != &world().pair[i], "a pair is looked at that is free");
            }
            for (const Region region : {guest_region, sandbox_region}) {
                const Translation& one = cpu.remembered[tag_of(cpu.root)][region];
                const unsigned half = shown(root, region);
                // What was remembered before a table went may have come through it, and the processor goes on from there by itself.
                require(one.version == 0 || one.half != half || one.version >= tables_finished_[half], "a table can be walked that is free");
                if (!cpu.uses) continue;
                require(one.version == 0 || one.half == half, "a translation of another half can be used");
                require(one.version == 0 || one.half != half || one.version >= finished_[half], "a translation can be used that every CPU has forgotten");
            }
        }
    }

    TlbBounds bounds_;
    std::vector<Cpu> cpus_;
    std::array<Half, halves> halves_;
    std::array<unsigned, halves> memory_{1, 1, 1};
    std::array<unsigned, halves> finished_{};
    std::array<bool, halves> locked_{};
    std::array<unsigned, halves> tables_{}, tables_finished_{}; // the versions since which a table is gone, and is free
    std::array<bool, pairs> ending_{}, ended_{};
};

} // namespace explore
