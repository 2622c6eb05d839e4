// What the TLBs of all CPUs may still know of an address space: which CPUs a change of the page tables must be told to, and which roots are not loaded again before what their
// TLB remembers of them is forgotten. Plain state: the instructions are a Machine's, which tests stand in for.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kernel {

// One half of an address space: the guest half of a space, or the personality half, which all spaces of a sandbox share. Each has its own generation and its own mask.
class TranslatedHalf {
public:
    // Behind a change to the tables. Gives the CPUs that may be using what was there before: they must forget it before anything is free. Changes of one half come one after the
    // other, and the next one begins when the CPUs have forgotten.
    std::uint64_t change() {
        // A CPU that is not in the mask yet sees the new generation when it loads a root.
        generation_.fetch_add(1, std::memory_order_seq_cst);
        return active_.load(std::memory_order_seq_cst);
    }
    std::uint64_t generation() const { return generation_.load(std::memory_order_seq_cst); }

    void enter(std::uint64_t cpu) { active_.fetch_or(cpu, std::memory_order_seq_cst); }
    void leave(std::uint64_t cpu) { active_.fetch_and(~cpu, std::memory_order_seq_cst); }
    std::uint64_t active() const { return active_.load(std::memory_order_seq_cst); }

private:
    std::atomic<std::uint64_t> generation_{1};
    std::atomic<std::uint64_t> active_{0}; // one bit for each CPU that has a root loaded which leads here, or the other root of its pair
};

// The two roots of a space, between which a thread changes at every call of its guest. The same where it is fused or has no guest half. The kernel's own has no halves.
struct RootPair {
    std::uint64_t number = 0; // no other pair's, ever: frames are used again
    std::uint64_t native = 0;
    std::uint64_t guest = 0;
    TranslatedHalf* guest_half = nullptr;
    TranslatedHalf* personality_half = nullptr;

    bool has_two() const { return guest != native; }
};

// What a CPU starts with.
inline constexpr RootPair no_roots;

// What CR3 takes beside the root. Intel SDM volume 3, section 4.10.4.1
inline constexpr std::uint64_t root_tag_mask = 0xfff;        // the PCID
inline constexpr std::uint64_t root_keeps = std::uint64_t{1} << 63; // what the TLB holds under the tag stays

// What one CPU has loaded, and what its TLB may hold beside. By that CPU alone, with interrupts off.
//
// Where the Machine tags (PCID), each of `places` pairs keeps its translations while others are loaded, and one tag for each of its roots; what they missed meanwhile the
// generations tell. Where it does not, whatever loads a root forgets the rest. Both roots of the pair that is loaded are current: whoever changes something tells the CPU at
// once, whichever of the two is in the register, so that the change between the two compares nothing.
//
// Machine: `cpu()`, this CPU's bit; `tags()`; `selects()`, whether tags other than the current one can be forgotten; `loaded()`, what load() was given last;
// `offer(native, guest)`, the values for a change between the two roots; `load(value, forgets)` makes a root current, without `root_keeps` where it forgets;
// `forget_tag(tag)` and `forget_page_of(tag, address)` where selects(); `forget_page(address)` under the current tag.
template <std::size_t places = 8> class CpuTlbState {
public:
    bool has(const RootPair& pair) const { return pair_ == &pair; }

    // Makes a root of `to` current.
    template <class Machine> void load(Machine& machine, const RootPair& to, bool guest_runs) {
        const RootPair& from = *pair_;
        if (&from != &to) {
            const std::uint64_t cpu = machine.cpu();
            const bool within = from.personality_half == to.personality_half; // a sandbox, or the kernel
            // In the masks before the generations are looked at: who changes something then tells this CPU, or has let it see the new generation.
            if (to.guest_half) to.guest_half->enter(cpu);
            if (to.personality_half && !within) to.personality_half->enter(cpu);
            take(machine, to, guest_runs);
            // Out of them behind the register: until then the processor walks the old tables.
            if (from.guest_half) from.guest_half->leave(cpu);
            if (from.personality_half && !within) from.personality_half->leave(cpu);
            return;
        }
        const std::uint64_t root = guest_runs ? guest_ : native_;
        if (machine.loaded() != root) machine.load(root, false);
    }

    // Forgets all of the pair that is loaded: what another CPU asked for, or a change of many pages.
    template <class Machine> void forget(Machine& machine) {
        Place& place = places_[place_];
        if (pair_->personality_half && machine.tags()) note_generations(place, *pair_);
        forget_pair(machine, machine.loaded());
    }

    // Forgets single pages of a half of the pair that is loaded, after this CPU's own change().
    template <class Machine> void forget_pages(Machine& machine, const TranslatedHalf& half, const std::uint64_t* addresses, std::size_t count) {
        const std::uint64_t current = machine.loaded();
        for (std::size_t i = 0; i < count; ++i) machine.forget_page(addresses[i]);
        if (!machine.tags()) return;
        // The guest half is remembered under both tags.
        const bool elsewhere = pair_->has_two() && (&half == pair_->guest_half || current != native_);
        const std::uint64_t other = current == native_ ? guest_ : native_;
        if (elsewhere && machine.selects()) {
            for (std::size_t i = 0; i < count; ++i) machine.forget_page_of(other & root_tag_mask, addresses[i]);
        } else if (elsewhere) {
            machine.load(other, true);
            machine.load(current, false);
        }
        // All changes before this one have been told to this CPU, for it has the pair loaded.
        Place& place = places_[place_];
        (&half == pair_->guest_half ? place.guest_generation : place.personality_generation) = half.generation();
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
        pair_ = &to;
        if (to.personality_half && machine.tags()) return take_tagged(machine, to, guest_runs);
        native_ = to.native;
        guest_ = to.guest;
        machine.offer(native_, guest_);
        machine.load(guest_runs ? guest_ : native_, false);
    }

    // Apart, so that the usual way saves no registers for it.
    template <class Machine> [[gnu::noinline]] void take_tagged(Machine& machine, const RootPair& to, bool guest_runs) {
        // Read before anything is forgotten: what changes meanwhile is forgotten once more.
        const bool current = find_place(to);
        native_ = to.native | tag(false) | root_keeps;
        guest_ = to.has_two() ? to.guest | tag(true) | root_keeps : native_;
        machine.offer(native_, guest_);
        const std::uint64_t root = guest_runs ? guest_ : native_;
        if (current)
            machine.load(root, false);
        else
            forget_pair(machine, root);
    }

    // Forgets what is remembered of both roots; `root` is current then.
    template <class Machine> void forget_pair(Machine& machine, std::uint64_t root) {
        const bool other_remembered = pair_->has_two() && machine.tags();
        const std::uint64_t other = root == native_ ? guest_ : native_;
        if (other_remembered && !machine.selects()) machine.load(other, true);
        machine.load(root, true);
        // Behind the register: it may have held another pair's root under this very tag, and would fill it again.
        if (other_remembered && machine.selects()) machine.forget_tag(other & root_tag_mask);
    }

    const RootPair* pair_ = &no_roots;
    std::uint64_t native_ = 0;
    std::uint64_t guest_ = 0;
    std::size_t place_ = 0;
    std::size_t next_ = 0;
    Place places_[places];
};

} // namespace kernel
