#include "kernel/arch/x86_64/domains.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/instructions.hpp"
#include "kernel/arch/x86_64/registers.hpp"

namespace kernel::arch {

namespace {

struct Processor {
    CpuidResult cpuid(std::uint32_t leaf) const { return arch::cpuid(leaf); }
    std::uint64_t read_msr(std::uint32_t number) const { return arch::read_msr(number); }
    void write_msr(std::uint32_t number, std::uint64_t value) { arch::write_msr(number, value); }
    // Returns that have no call are predicted from here: 32 entries, each of which would stop.
    void fill_return_stack() {
        asm volatile(".rept 32\n"
                     "call 1f\n"
                     "int3\n"
                     "1:\n"
                     ".endr\n"
                     "addq $256, %%rsp" ::: "memory", "cc");
    }
    // With the microcode that says MD_CLEAR, VERW of any segment overwrites the buffers.
    void clear_buffers() {
        const std::uint16_t selector = kernel_data;
        asm volatile("verw %0" ::"m"(selector) : "cc");
    }
};

constinit Mitigations chosen{};

} // namespace

constinit bool trusted_code_is_noted = false;

void start_domains() {
    Processor processor;
    if (this_cpu().index == 0)
        chosen = choose_mitigations(processor);
    start_mitigations(processor, chosen);
    trusted_code_is_noted = chosen.clear_buffers;
}

const Mitigations& mitigations() { return chosen; }

[[clang::preserve_most]] void change_domain(std::uint64_t domain) {
    Processor processor;
    enter_domain(processor, chosen, this_cpu().last_domain, domain);
}

} // namespace kernel::arch
