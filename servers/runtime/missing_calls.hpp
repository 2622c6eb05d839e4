// Linux calls that sandboxes asked for and that the personality does not have: a sum by call, and which sandbox asked last.
//
// What is told here was written inside a container's border. There is a place for each number that there is, and for no other, so nobody takes another one's; and what one sandbox adds in
// its life is bounded, so no sum is one sandbox' to fill.
#pragma once
#include "abi/runtime.hpp"
#include "abi/sandbox.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace runtime {

// What one sandbox may still add.
class MissingCallsAllowance {
public:
    static constexpr std::uint32_t calls_in_a_life = 1u << 24;
    // At most `wanted`, and less towards the end.
    std::uint32_t take(std::uint32_t wanted) {
        const std::uint32_t taken = std::min(wanted, left_);
        left_ -= taken;
        return taken;
    }

private:
    std::uint32_t left_ = calls_in_a_life;
};

class MissingCalls {
public:
    // Of a number that there is, and as far as the sandbox' allowance goes; once it has none left, it is not who asked last either.
    void note(std::uint64_t sandbox, std::uint32_t number, std::uint32_t count, MissingCallsAllowance& allowance) {
        if (number >= calls_.size())
            return;
        const std::uint32_t counted = allowance.take(count);
        if (counted == 0)
            return;
        Call& call = calls_[number];
        call.count = call.count > UINT32_MAX - counted ? UINT32_MAX : call.count + counted;
        call.sandbox = sandbox;
    }
    // Calls `visit` with an abi::runtime::MissingCall for each call that was asked for, by number.
    template <class Visit> void each(Visit visit) const {
        for (std::uint32_t number = 0; number < calls_.size(); ++number)
            if (calls_[number].count != 0)
                visit(abi::runtime::MissingCall{calls_[number].sandbox, number, calls_[number].count});
    }

private:
    struct Call {
        std::uint64_t sandbox = 0;
        std::uint32_t count = 0;
    };
    std::array<Call, abi::sandbox::linux_calls> calls_{};
};

} // namespace runtime
