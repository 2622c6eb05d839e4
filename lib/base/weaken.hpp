// Teeth for the attack tests. A test that a protection holds proves something only if it fails without the protection, so each line that protects asks here whether it is
// to be left out. In every build but the twin (CMake option THEMELIOS_TWIN) the answer is a constant, and nothing of this is in the program.
#pragma once
#include <cstdint>
#include <string_view>

namespace base {

// One protection each; the comment says what is left out.
enum class Weakness : std::uint8_t {
    none,
    handle_generation,  // kernel: a handle's generation is compared with its slot's
    handle_rights,      // kernel: a call's rights are compared with the slot's
    badge_change,       // kernel: a badge that is set stays
    restricted_bit,     // kernel: the thread's bit, not the instruction pointer, tells guest from personality
    guest_execute,      // kernel: the guest half is not executable in the personality's root
    native_call_place,  // kernel: a native call from outside the personality half ends the process
    native_pointer,     // kernel: pointers of native calls lie in the personality half
    deferred_end,       // kernel: an object that another one's end releases ends after it, not within it
    guest_pointer,      // personality: pointers of Linux calls lie in the guest half
    system_sandbox,     // switch: sandboxes that are not peers reach each other not at all
    uplink_gateway,     // switch: the uplink's own servers are asked for names alone
    log_writer,         // log: a line's writer is told by the badge, not by the text
};

#ifdef THEMELIOS_TWIN

struct WeaknessName {
    Weakness weakness;
    std::string_view name;
};

inline constexpr WeaknessName weakness_names[] = {
    {Weakness::handle_generation, "handle_generation"}, {Weakness::handle_rights, "handle_rights"},
    {Weakness::badge_change, "badge_change"},           {Weakness::restricted_bit, "restricted_bit"},
    {Weakness::guest_execute, "guest_execute"},         {Weakness::native_call_place, "native_call_place"},
    {Weakness::native_pointer, "native_pointer"},       {Weakness::deferred_end, "deferred_end"},
    {Weakness::guest_pointer, "guest_pointer"},         {Weakness::system_sandbox, "system_sandbox"},
    {Weakness::uplink_gateway, "uplink_gateway"},       {Weakness::log_writer, "log_writer"},
};

// What a search of a built file finds where it was built as a twin.
[[gnu::used, gnu::retain, gnu::section(".rodata.twin")]] inline constexpr char twin_marker[] = "ThemeliOS twin: may be weakened";

// Written once, before anything that asks runs.
inline constinit Weakness chosen_weakness = Weakness::none;

inline bool weakened(Weakness weakness) { return chosen_weakness == weakness; }

// Empty for none.
constexpr std::string_view weakness_name(Weakness weakness) {
    for (const WeaknessName& known : weakness_names)
        if (known.weakness == weakness)
            return known.name;
    return {};
}

// Chooses by name (the value of `weaken=` on the kernel's command line). False where no weakness has this name.
inline bool choose_weakness(std::string_view name) {
    for (const WeaknessName& known : weakness_names)
        if (known.name == name) {
            chosen_weakness = known.weakness;
            return true;
        }
    return false;
}

#else

constexpr bool weakened(Weakness) { return false; }

#endif

} // namespace base
