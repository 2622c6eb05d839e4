// Signal numbers (asm/signal.h of x86_64) and sets of them, as in the kernel's sigset_t: bit n - 1 is signal n.
#pragma once
#include <cstdint>

namespace personality {

namespace signal_number {
inline constexpr int hup = 1, interrupt = 2, quit = 3, ill = 4, trap = 5, abort = 6, bus = 7, fpe = 8, kill = 9, usr1 = 10, segv = 11, usr2 = 12, pipe = 13,
                     alarm = 14, term = 15, stkflt = 16, child = 17, cont = 18, stop = 19, tstp = 20, ttin = 21, ttou = 22, urgent = 23, xcpu = 24, xfsz = 25,
                     vtalrm = 26, prof = 27, winch = 28, io = 29, power = 30, sys = 31;
inline constexpr int first_realtime = 32, last = 64;
} // namespace signal_number

using SignalSet = std::uint64_t;
constexpr SignalSet signal_bit(int number) { return SignalSet{1} << (number - 1); }
constexpr bool valid_signal(int number) { return number >= 1 && number <= signal_number::last; }

// Never blocked, never handled.
inline constexpr SignalSet unblockable = signal_bit(signal_number::kill) | signal_bit(signal_number::stop);
// Sent by an instruction of the thread itself: delivered before all others, and fatal where they are blocked.
inline constexpr SignalSet synchronous = signal_bit(signal_number::ill) | signal_bit(signal_number::trap) | signal_bit(signal_number::bus) |
                                         signal_bit(signal_number::fpe) | signal_bit(signal_number::segv) | signal_bit(signal_number::sys);
inline constexpr SignalSet stopping = signal_bit(signal_number::stop) | signal_bit(signal_number::tstp) | signal_bit(signal_number::ttin) |
                                      signal_bit(signal_number::ttou);

enum class DefaultAction : std::uint8_t { terminate, core, ignore, stop };
constexpr DefaultAction default_action(int number) {
    using namespace signal_number;
    switch (number) {
    case quit: case ill: case trap: case abort: case bus: case fpe: case segv: case xcpu: case xfsz: case sys: return DefaultAction::core;
    case child: case cont: case urgent: case winch: return DefaultAction::ignore;
    case stop: case tstp: case ttin: case ttou: return DefaultAction::stop;
    default: return DefaultAction::terminate;
    }
}

} // namespace personality
