// What takes signals: the end that events of lower layers are reported to.
#pragma once
#include <cstdint>

namespace kernel {

class SignalTarget {
public:
    // Sets bits; 0 does nothing. From any context, interrupts included; with locks of the reporting object held.
    virtual void signal(std::uint64_t bits) = 0;

protected:
    ~SignalTarget() = default;
};

} // namespace kernel
