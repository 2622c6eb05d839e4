// Unit tests of the network: one stack for the whole program, a wire that collects frames, a clock that tests move.
#pragma once
#include "lwip/pbuf.h"

#include "linux/net/stack.hpp"
#include "linux/net/inet_socket.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace personality::net::test {

inline constexpr std::uint32_t own_address = 0x020011ac, gateway = 0x010011ac, peer = 0x030011ac; // 172.17.0.2, .1, .3
inline constexpr std::uint64_t own_mac = 0x020000005402;                                          // 02:54:00:00:00:02

// What happens while a socket waits; false: nothing more will, and the wait ends by a signal.
extern std::function<bool()> while_asleep;

void pass_time(std::uint64_t milliseconds);
// Time in which the stack's timers are not called, as while they say that nothing is due.
void pause(std::uint64_t milliseconds);

class TestWire final : public Wire {
public:
    bool transmit(const pbuf& frame) override;
    void batch_done() override { ++batches; }
    void arrive(const std::vector<std::uint8_t>& bytes);

    std::vector<std::vector<std::uint8_t>> sent;
    unsigned batches = 0;
    bool full = false;
};

// Starts the stack at the first call.
TestWire& wire();

} // namespace personality::net::test
