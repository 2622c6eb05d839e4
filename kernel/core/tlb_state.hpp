// What the TLBs of all CPUs may still know of an address space: which CPUs a change of the page tables must be told to, and which roots are not loaded again before what their
// TLB remembers of them is forgotten. Plain state: the instructions are a Machine's, which tests stand in for.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kernel {

// One half of an address space: the guest half of a space, or the personality half, which all spaces of a sandbox share.
class TranslatedHalf {
public:
    // Which pairs lead here: those whose name is the same where `mask` has bits. Before the first of them is loaded.
    void lead_from(std::uint64_t name, std::uint64_t mask) {
        name_ = name;
        mask_ = mask;
    }
    bool is_led_to(std::uint64_t name) const { return ((name ^ name_) & mask_) == 0; }

    void count_change() { generation_.fetch_add(1, std::memory_order_seq_cst); }
    std::uint64_t generation() const { return generation_.load(std::memory_order_seq_cst); }

    // Behind the last answer of a CPU that was told.
    void finish_change() { finished_.store(generation_.load(std::memory_order_relaxed), std::memory_order_release); }
    // The generation that a CPU which was told of all so far knows; 0, which none is, while a change is under way: whoever is told of it may not have heard yet.
    std::uint64_t finished_generation() const {
        const std::uint64_t now = generation();
        return finished_.load(std::memory_order_acquire) == now ? now : 0;
    }

private:
    std::atomic<std::uint64_t> generation_{1};
    std::atomic<std::uint64_t> finished_{1};
    std::uint64_t name_ = 0;
    std::uint64_t mask_ = 0;
};

// The two roots of a space, between which a thread changes at every call of its guest. The same where it is fused or has no guest half. The kernel's own has no halves.
struct RootPair {
    std::uint64_t number = 0; // no other pair's, ever: frames are used again
    std::uint64_t name = 0;   // what a CPU shows the others of it; 0: nothing, the kernel's
    std::uint64_t native = 0;
    std::uint64_t guest = 0;
    TranslatedHalf* guest_half = nullptr;
    TranslatedHalf* personality_half = nullptr;

    bool has_two() const { return guest != native; }
    bool leads_to(const TranslatedHalf& half) const { return &half == guest_half || &half == personality_half; }
};

// The numbers of the sandbox' own pair and of the pair itself, each cut short. Where they have come round, two pairs may have one name: that costs interrupts that nobody needs.
inline constexpr std::uint64_t whole_name = ~std::uint64_t{0};
inline constexpr std::uint64_t name_of_sandbox = whole_name << 32;
inline constexpr std::uint64_t name_of(std::uint64_t sandbox, std::uint64_t number) {
    const std::uint64_t name = sandbox << 32 | (number & ~name_of_sandbox);
    return name != 0 ? name : 1; // 0 is nothing's
}

// What CR3 takes beside the root. Intel SDM volume 3, section 4.10.4.1
inline constexpr std::uint64_t root_tag_mask = 0xfff;        // the PCID
inline constexpr std::uint64_t root_keeps = std::uint64_t{1} << 63; // what the TLB holds under the tag stays

// A CPU's own state is reached through a Machine, on that CPU alone and with interrupts off:
//   pair(), native(), guest(), loaded(): the pair that is loaded, what CR3 takes for its two roots, and what it was given last; take(pair, native, guest) sets the first three
//   load(value, forgets): makes a root current, without `root_keeps` where it forgets
//   tags(), selects(): whether translations are kept under tags (PCID), and whether those under tags other than the current one can be forgotten (INVPCID)
//   load_tagged(pair, guest_runs): load() of the CPU's RootTags, where tags()
//   forget_page(address) under the current tag; forget_tag(tag) and forget_page_of(tag, address) where selects()
//   enter(name), settle(name), rest(name): set the CPU's three words that the others look at; rests(): whether the third one is set
//   kernel(): the kernel's own pair
// Of all CPUs: limit(), above the index of each that runs; is_other(index), whether one runs and is not this one; entered(index), settled(index) and rested(index), the three words.
//
// A CPU that has nothing to run rests on the pair that it has loaded: nobody uses what its TLB remembers, and it is told of nothing but what the processor could still walk and is about to be
// free: tables, and the roots at the pair's end. Told so, it loads the kernel's root and rests no more.
//
// Both roots of the pair that is loaded are current: whoever changes something tells the CPU at once, whichever of the two is in the register, so that the change between the two
// compares nothing. Without tags whatever loads a root forgets the rest: there a CPU that comes from another pair knows nothing old.

// Makes a root of `to` current, on a CPU that does not rest.
template <class Machine> [[gnu::always_inline]] inline void load_roots_of(Machine& machine, const RootPair& to, bool guest_runs) {
    if (&machine.pair() == &to) {
        const std::uint64_t root = guest_runs ? machine.guest() : machine.native();
        if (machine.loaded() != root) machine.load(root, false);
    } else if (machine.tags()) [[unlikely]] {
        machine.load_tagged(to, guest_runs);
    } else {
        // Before the processor walks the new tables: who changes something then tells this CPU, or has made its change before the walk.
        machine.enter(to.name);
        const std::uint64_t native = to.native, guest = to.guest;
        machine.take(to, native, guest);
        machine.load(guest_runs ? guest : native, false);
        // Behind the register: until then the processor walks the old tables.
        machine.settle(to.name);
    }
}

// Behind a change to the tables of `half`: gives the other CPUs that may be using what was there before. They must forget it before anything is free. Changes of one half come one
// after the other, and the next one begins when the CPUs have forgotten, behind finish_change(). `tables`: not only pages are to be free, but tables that led to them.
template <class Machine> std::uint64_t count_change(Machine& machine, TranslatedHalf& half, bool tables) {
    // A CPU that has not entered yet walks the new tables, and sees the new generation if it has remembered old ones.
    half.count_change();
    std::uint64_t users = 0;
    for (std::size_t i = 0; i < machine.limit(); ++i) {
        if (!machine.is_other(i)) continue;
        // In this order: who has entered another pair, and settled there a moment later, has loaded its root. Who has entered again what it rested on, and rests no more, has compared.
        if (half.is_led_to(machine.entered(i)) || half.is_led_to(machine.settled(i)) || (tables && half.is_led_to(machine.rested(i)))) users |= std::uint64_t{1} << i;
    }
    return users;
}

// Before the roots of a pair are free that no CPU uses or will use: gives the other CPUs that rest on it.
template <class Machine> std::uint64_t find_resting(Machine& machine, const RootPair& pair) {
    std::uint64_t resting = 0;
    for (std::size_t i = 0; i < machine.limit(); ++i) {
        if (machine.is_other(i) && machine.rested(i) == pair.name) resting |= std::uint64_t{1} << i;
    }
    return resting;
}

// What a CPU's TLB may hold beside the pair that is loaded: each of `places` pairs keeps its translations while others are loaded, and one tag for each of its roots; what they missed
// meanwhile the generations tell.
template <std::size_t places = 8> class RootTags {
public:
    // Another pair than the one that is loaded.
    template <class Machine> void load(Machine& machine, const RootPair& to, bool guest_runs) {
        // Before the generations are looked at: who changes something then tells this CPU, or has let it see the new generation.
        machine.enter(to.name);
        if (to.personality_half) {
            take(machine, to, guest_runs);
        } else {
            machine.take(to, to.native, to.guest);
            machine.load(to.native, false);
        }
        machine.settle(to.name);
    }

    // Where no thread runs here from now on: the pair that is loaded stays in the register.
    template <class Machine> void rest(Machine& machine) {
        const RootPair& pair = machine.pair();
        if (pair.name == 0) return;
        // While it is entered. What a tag has missed is known anyhow.
        if (!machine.tags()) {
            resting_.guest_generation = pair.guest_half ? pair.guest_half->finished_generation() : 0;
            resting_.personality_generation = pair.personality_half->finished_generation();
        }
        machine.rest(pair.name);
        machine.enter(0);
        machine.settle(0);
    }

    // Makes a root of `to` current, where the CPU may have rested until now.
    template <class Machine> void go_on(Machine& machine, const RootPair& to, bool guest_runs) {
        if (!machine.rests()) return load_roots_of(machine, to, guest_runs);
        if (&machine.pair() != &to) {
            load_roots_of(machine, to, guest_runs);
        } else {
            // Before the generations are looked at, as in load().
            machine.enter(to.name);
            const std::uint64_t root = guest_runs ? machine.guest() : machine.native();
            if (!note_generations(machine.tags() ? places_[place_] : resting_, to))
                forget_pair(machine, root);
            else if (machine.loaded() != root)
                machine.load(root, false);
            machine.settle(to.name);
        }
        // Behind the register: until then the processor may walk what it rested on.
        machine.rest(0);
    }

    // Forgets all of the pair that is loaded: what another CPU asked for, or a change of many pages. Who rests keeps nothing that might be free a moment later.
    template <class Machine> void forget(Machine& machine) {
        if (machine.rests()) [[unlikely]] return go_on(machine, machine.kernel(), false);
        if (machine.pair().personality_half && machine.tags()) (void)note_generations(places_[place_], machine.pair());
        forget_pair(machine, machine.loaded());
    }

    // Forgets single pages of a half of the pair that is loaded, after this CPU's own change.
    template <class Machine> void forget_pages(Machine& machine, const TranslatedHalf& half, const std::uint64_t* addresses, std::size_t count) {
        if (machine.rests()) [[unlikely]] return forget(machine);
        const RootPair& pair = machine.pair();
        const std::uint64_t current = machine.loaded();
        for (std::size_t i = 0; i < count; ++i) machine.forget_page(addresses[i]);
        if (!machine.tags()) return;
        // The guest half is remembered under both tags.
        const bool elsewhere = pair.has_two() && (&half == pair.guest_half || current != machine.native());
        const std::uint64_t other = current == machine.native() ? machine.guest() : machine.native();
        if (elsewhere && machine.selects()) {
            for (std::size_t i = 0; i < count; ++i) machine.forget_page_of(other & root_tag_mask, addresses[i]);
        } else if (elsewhere) {
            machine.load(other, true);
            machine.load(current, false);
        }
        // All changes before this one have been told to this CPU, for it has the pair loaded.
        Place& place = places_[place_];
        (&half == pair.guest_half ? place.guest_generation : place.personality_generation) = half.generation();
    }

private:
    struct Place {
        std::uint64_t number = 0; // of the pair whose tags these are
        std::uint64_t guest_generation = 0;
        std::uint64_t personality_generation = 0;
    };

    // Tag 0 is the kernel's.
    std::uint64_t tag(bool guest_runs) const { return 2 * place_ + (guest_runs ? 2 : 1); }

    static bool note_generations(Place& place, const RootPair& pair) {
        const std::uint64_t guest = pair.guest_half ? pair.guest_half->generation() : 0;
        const std::uint64_t personality = pair.personality_half->generation();
        const bool current = place.guest_generation == guest && place.personality_generation == personality;
        place.guest_generation = guest;
        place.personality_generation = personality;
        return current;
    }

    // The place of the pair, its own or one that it takes from another; whether what is remembered there is current.
    bool find_place(const RootPair& pair) {
        for (place_ = 0; place_ < places; ++place_)
            if (places_[place_].number == pair.number) return note_generations(places_[place_], pair);
        place_ = next_;
        next_ = (next_ + 1) % places;
        places_[place_].number = pair.number;
        (void)note_generations(places_[place_], pair);
        return false;
    }

    template <class Machine> void take(Machine& machine, const RootPair& to, bool guest_runs) {
        // Read before anything is forgotten: what changes meanwhile is forgotten once more.
        const bool current = find_place(to);
        const std::uint64_t native = to.native | tag(false) | root_keeps;
        machine.take(to, native, to.has_two() ? to.guest | tag(true) | root_keeps : native);
        const std::uint64_t root = guest_runs ? machine.guest() : native;
        if (current)
            machine.load(root, false);
        else
            forget_pair(machine, root);
    }

    // Forgets what is remembered of both roots; `root` is current then.
    template <class Machine> void forget_pair(Machine& machine, std::uint64_t root) {
        const bool other_remembered = machine.pair().has_two() && machine.tags();
        const std::uint64_t other = root == machine.native() ? machine.guest() : machine.native();
        if (other_remembered && !machine.selects()) machine.load(other, true);
        machine.load(root, true);
        // Behind the register: it may have held another pair's root under this very tag, and would fill it again.
        if (other_remembered && machine.selects()) machine.forget_tag(other & root_tag_mask);
    }

    std::size_t place_ = 0;
    std::size_t next_ = 0;
    Place places_[places];
    Place resting_; // what the pair that the CPU rests on has seen, where there are no tags
};

} // namespace kernel
