// The border between domains in what the processor remembers. A domain is code that trusts itself alone: one container's personality with all its guests.
#pragma once
#include <cstdint>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/mitigations.hpp"

namespace kernel::arch {

// On each CPU, before it runs user mode. The first CPU's choice is everyone's.
void start_domains();
const Mitigations& mitigations();
// enter_domain's alone: whether trusted code counts, and what is not usual, away from the registers of who calls it.
extern constinit bool trusted_code_is_noted;
[[clang::preserve_most]] void change_domain(std::uint64_t domain);
// Before code of `domain` runs on this CPU, interrupts off. 0: trusted code. Number: the process'.
inline void enter_domain(std::uint64_t domain) {
    const std::uint64_t last = here()->last_domain;
    if (domain != last && (domain != 0 || (trusted_code_is_noted && last < trusted_since))) [[unlikely]]
        change_domain(domain);
}

} // namespace kernel::arch
