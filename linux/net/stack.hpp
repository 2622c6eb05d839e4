// The TCP/IP stack of the sandbox: lwIP with the loopback interface and, where the sandbox has a network, one Ethernet interface.
//
// Everything of lwIP happens under the sandbox lock. It calls back (data arrived, space in the send buffer) only out of its own functions, so from a socket's call,
// from `settle` or from the link's thread.
#pragma once
#include "abi/types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

struct pbuf;

namespace personality::net {

// IPv4 addresses as they travel: the first byte is the lowest of the number. The same for the MAC address, in the low 48 bits.
struct InterfaceSettings {
    std::uint32_t address = 0;
    std::uint32_t netmask = 0x0000ffff; // 255.255.0.0
    std::uint32_t gateway = 0;
    std::uint64_t mac = 0;
    std::uint16_t mtu = 1500;
};

// The cable of the Ethernet interface. Sandbox lock.
class Wire {
public:
    // False: no room now; the stack keeps the frame and offers it again by `flush`.
    virtual bool transmit(const pbuf& frame) = 0;
    // A batch of frames is complete, and timers may have changed: next_timer() may be earlier than the link's thread believes.
    virtual void batch_done() = 0;

protected:
    ~Wire() = default;
};

struct Counters {
    std::uint64_t received_bytes = 0, received_frames = 0, sent_bytes = 0, sent_frames = 0, dropped = 0;
};

// Once, before any other function. `secret` is random. No settings: loopback alone (the wire may still be there, for its timers).
void start_stack(std::span<const std::byte, 32> secret, const InterfaceSettings* settings, Wire* wire);
// Before calls into lwIP for TCP, unless it called: brings its clock, which stands while every connection rests, up to date.
void begin();
// After calls into lwIP and before the lock is let go: delivers what the sandbox sent to itself and completes the batch of frames.
void settle();
// Memory for a frame of `length` bytes from the wire, or null. It is as long as Ethernet's shortest frame, with zeros behind: lwIP relies on that.
pbuf* make_frame(std::uint16_t length);
// A frame from the wire; taken over.
void frame_arrived(pbuf* frame);
// Offers frames that are waiting to the wire. True where none is left.
bool flush();
bool frames_waiting();
// The cable is gone for good.
void unplug();
// When run_timers has to be called again.
abi::Deadline next_timer();
void run_timers();
// No connection has bytes that the peer has not acknowledged, or an end that it has not been told: what a sandbox waits for, for a while, before it goes.
bool all_sent();

const InterfaceSettings* interface_settings(); // null: loopback alone
const Counters& interface_counters();

} // namespace personality::net
