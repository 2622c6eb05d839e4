#include "kernel/core/panic.hpp"

#include "kernel/arch/apic.hpp"
#include "kernel/arch/console.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/core/log.hpp"
#include "kernel/arch/physical.hpp"

namespace kernel {

namespace {

void print(const char* text, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i)
        arch::console_put(text[i]);
}

template <class... T> void print_line(const char* format, T... arguments) {
    const std::uint64_t list[] = {static_cast<std::uint64_t>(arguments)..., 0};
    char line[256];
    print(line, format_message(line, format, list, sizeof...(T)));
    arch::console_put('\n');
}

} // namespace

// Takes no lock: whoever holds one may be the one that panics.
void panic_message(const char* format, const std::uint64_t* arguments, unsigned count) {
    arch::interrupts_off();
    static constinit bool again = false;
    if (!again) {
        again = true;
        log_show_rest();
        print("PANIC: ", 7);
        char line[256];
        print(line, format_message(line, format, arguments, count));
        arch::console_put('\n');
        print_line("  the image is moved by %x", image_slide());
        const auto* frame = static_cast<const std::uint64_t*>(__builtin_frame_address(0));
        for (int depth = 0; depth < 16 && reinterpret_cast<std::uint64_t>(frame) >= direct_map_base && (reinterpret_cast<std::uint64_t>(frame) & 7) == 0; ++depth) {
            print_line("  at %x", frame[1]);
            const auto* next = reinterpret_cast<const std::uint64_t*>(frame[0]);
            if (next <= frame)
                break;
            frame = next;
        }
        arch::send_interrupt_to_others(arch::vector::halt);
    }
    // Ends a QEMU that has the debug exit device; elsewhere nothing listens there.
    arch::out32(0xf4, 0x7f);
    arch::halt_for_ever();
}

} // namespace kernel

// The compiler's own checks come here.
extern "C" [[noreturn]] void __cxa_pure_virtual() { kernel::panic("pure virtual call"); }
extern "C" {
[[gnu::used]] constinit std::uint64_t __stack_chk_guard = 0; // named by code that the compiler makes after everything else
[[noreturn, gnu::used]] void __stack_chk_fail() { kernel::panic("a stack frame was written over"); }
}
extern "C" [[noreturn]] void abort() { kernel::panic("abort"); }
void operator delete(void*) noexcept { kernel::panic("delete in the kernel"); }
void operator delete(void*, std::size_t) noexcept { kernel::panic("delete in the kernel"); }
