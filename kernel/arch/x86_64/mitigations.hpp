// What this processor needs so that one domain does not read another's data, or steer its speculation, through what both leave in it. Chosen from what the processor says
// of itself, through an interface that tests stand in for: `Machine` has cpuid(leaf) → CpuidResult, read_msr(number), write_msr(number, value).
#pragma once
#include <cstdint>

namespace kernel::arch {

// Intel SDM volume 4, table 2-2; AMD64 Architecture Programmer's Manual volume 2, 3.2.9
namespace speculation {
inline constexpr std::uint32_t control = 0x48, command = 0x49, properties = 0x10a, efer = 0xc0000080; // MSRs
inline constexpr std::uint64_t control_ibrs = 1 << 0, control_stibp = 1 << 1;
inline constexpr std::uint64_t command_ibpb = 1 << 0;
inline constexpr std::uint64_t efer_automatic_ibrs = 1 << 21;
} // namespace speculation

// Why enhanced_ibrs and automatic_ibrs are two: the one is a bit of SPEC_CTRL, the other one of EFER. Either is set once and holds in the kernel from then on.
struct Mitigations {
    bool enhanced_ibrs = false;       // Intel since Cascade Lake
    bool automatic_ibrs = false;      // AMD since Zen 4
    bool stibp = false;               // the other hardware thread of a core does not train this one's branches
    bool ibpb = false;                // branch predictions are forgotten at a change of domain
    bool fill_return_stack = false;   // return predictions too, which IBPB leaves on some
    bool clear_buffers = false;       // VERW at a change of domain: MDS, TAA, RFDS
    bool unprotected_branches = false; // the processor is steered across privileges and has nothing that is set once against it
    bool unprotected_meltdown = false; // user mode reads what is mapped for the kernel
};

template <class Machine> Mitigations choose_mitigations(Machine& machine) {
    Mitigations chosen;
    const auto vendor = machine.cpuid(0);
    const bool intel = vendor.ebx == 0x756e6547, amd = vendor.ebx == 0x68747541 || vendor.ebx == 0x6f677948; // "Genu", "Auth", "Hygo"
    if (intel) {
        const auto seven = vendor.eax >= 7 ? machine.cpuid(7) : decltype(vendor){};
        const bool has_control = (seven.edx >> 26 & 1) != 0;
        const std::uint64_t properties = (seven.edx >> 29 & 1) != 0 ? machine.read_msr(speculation::properties) : 0;
        const auto property = [&](unsigned bit) { return (properties >> bit & 1) != 0; };
        chosen.ibpb = has_control;
        chosen.stibp = (seven.edx >> 27 & 1) != 0;
        chosen.enhanced_ibrs = has_control && property(1);
        chosen.unprotected_branches = !chosen.enhanced_ibrs;
        chosen.unprotected_meltdown = !property(0);
        const bool transactions = (seven.ebx >> 11 & 1) != 0;
        const bool sampled = !property(5) || (transactions && !property(8)); // not MDS_NO; not TAA_NO
        const bool files = property(28) && !property(27);                    // RFDS_CLEAR and not RFDS_NO
        chosen.clear_buffers = ((seven.edx >> 10 & 1) != 0 && sampled) || files;
    } else if (amd) {
        const std::uint32_t last = machine.cpuid(0x80000000).eax;
        const std::uint32_t sizes = last >= 0x80000008 ? machine.cpuid(0x80000008).ebx : 0;
        chosen.ibpb = (sizes >> 12 & 1) != 0;
        chosen.stibp = (sizes >> 15 & 1) != 0;
        chosen.automatic_ibrs = last >= 0x80000021 && (machine.cpuid(0x80000021).eax >> 8 & 1) != 0;
        chosen.unprotected_branches = !chosen.automatic_ibrs;
    }
    chosen.fill_return_stack = chosen.ibpb;
    return chosen;
}

// What is set once. On each CPU.
template <class Machine> void start_mitigations(Machine& machine, const Mitigations& chosen) {
    const std::uint64_t control = (chosen.enhanced_ibrs ? speculation::control_ibrs : 0) | (chosen.stibp ? speculation::control_stibp : 0);
    if (control != 0)
        machine.write_msr(speculation::control, control);
    if (chosen.automatic_ibrs)
        machine.write_msr(speculation::efer, machine.read_msr(speculation::efer) | speculation::efer_automatic_ibrs);
}

// Beside the last untrusted domain of a CPU: trusted code ran after it.
constexpr std::uint64_t trusted_since = 1ull << 63;

// Before code of `domain` runs; takes it down as the last one. Domain 0 is trusted code: between two turns of one domain it leaves no predictions that matter, but data of its own
// in the buffers. Machine has also fill_return_stack() and clear_buffers().
template <class Machine> void enter_domain(Machine& machine, const Mitigations& chosen, std::uint64_t& last, std::uint64_t domain) {
    if (domain == 0) {
        last |= trusted_since;
        return;
    }
    if (chosen.clear_buffers && last != domain)
        machine.clear_buffers();
    const std::uint64_t before = last & ~trusted_since;
    last = domain;
    if (before == 0 || before == domain)
        return;
    if (chosen.ibpb)
        machine.write_msr(speculation::command, speculation::command_ibpb);
    if (chosen.fill_return_stack)
        machine.fill_return_stack();
}

} // namespace kernel::arch
