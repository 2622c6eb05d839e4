#include "kernel/arch/x86_64/console.hpp"

#include "kernel/arch/x86_64/instructions.hpp"

namespace kernel::arch {

namespace {

constexpr std::uint16_t port = 0x3f8;
constinit bool present = false;
constinit unsigned room = 1;     // of its queue, when that is empty
constinit bool returned = false; // of a line's end, the first half is sent

bool is_empty() { return (in8(port + 5) & 0x20) != 0; }

void send(char character) {
    // A device that never becomes ready must not stop the kernel.
    for (unsigned i = 0; i < 100000 && !is_empty(); ++i) {
    }
    out8(port, static_cast<std::uint8_t>(character));
}

} // namespace

void initialize_console() {
    out8(port + 1, 0x00); // no interrupts
    out8(port + 3, 0x80);
    out8(port + 0, 0x01); // 115,200 baud
    out8(port + 1, 0x00);
    out8(port + 3, 0x03); // 8 bits, no parity, one stop bit
    out8(port + 2, 0xc7); // FIFO on and cleared
    out8(port + 4, 0x03);
    out8(port + 7, 0xa5); // the scratch register tells whether something is there
    present = in8(port + 7) == 0xa5;
    // A 16550A says that it uses its queue; before that there were some in which it did not work.
    room = (in8(port + 2) & 0xc0) == 0xc0 ? 16 : 1;
}

std::size_t console_write(std::string_view text) {
    if (!present) return text.size();
    if (!is_empty()) return 0;
    std::size_t taken = 0;
    for (unsigned left = room; left > 0 && taken < text.size(); --left) {
        const bool returns = text[taken] == '\n' && !returned;
        out8(port, static_cast<std::uint8_t>(returns ? '\r' : text[taken]));
        returned = returns;
        if (!returns) ++taken;
    }
    return taken;
}

void console_put(char character) {
    if (present) {
        if (character == '\n')
            send('\r');
        send(character);
    }
}

} // namespace kernel::arch
