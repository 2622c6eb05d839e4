// The wait protocol of calls, answers, kicks, revocations, deadlines and ends: the kernel's own files (CMakeLists.txt), interleaved at every lock and at every access to what a
// thread's wait, its attention and a lease's generation are kept in.
//
// A state is the whole memory that the code can reach, and the live part of every stack. There is no specification in lock step: what each thread sees is compared with
// what the others did (world.cpp).
#pragma once
#include <string>
#include <vector>

#include "tests/explore/explorer.hpp"
#include "tests/explore/waits/machine.hpp"
#include "tests/explore/waits/world.hpp"

namespace explore {

struct WaitsBounds {
    Scenario scenario;
    // How often a thread that could go on is left for another one; every end and every sleep changes over for nothing.
    unsigned changes;
};

class WaitsModel {
public:
    struct Operation {
        std::uint8_t fiber = 0;
    };

    explicit WaitsModel(const WaitsBounds& bounds) : bounds_(bounds) { make_world(bounds.scenario); }
    WaitsModel(const WaitsModel&) = delete;

    static std::string text(const Operation& operation) { return "actor " + std::to_string(operation.fiber) + " goes on to its next stop"; }
    bool refused() const { return false; }
    std::string broken() const { return machine().broken ? machine().broken : ""; }

    std::vector<Operation> operations() const {
        std::vector<Operation> all;
        const bool stays = last_ >= 0 && may_run(static_cast<unsigned>(last_));
        for (std::uint8_t fiber = 0; fiber < max_actors; ++fiber)
            if (may_run(fiber) && (!stays || fiber == last_ || changes_ < bounds_.changes)) all.push_back({fiber});
        return all;
    }

    void apply(const Operation& operation) {
        if (last_ >= 0 && last_ != operation.fiber && may_run(static_cast<unsigned>(last_))) ++changes_;
        last_ = operation.fiber;
        run_fiber(operation.fiber);
        bool rests = true;
        for (unsigned fiber = 0; fiber < max_actors; ++fiber) rests &= !may_run(fiber);
        if (rests) check_rest(bounds_.scenario);
    }

    std::string key() const { return state_key() + static_cast<char>('0' + changes_) + static_cast<char>('0' + last_); }

private:
    WaitsBounds bounds_;
    unsigned changes_ = 0;
    int last_ = -1;
};

} // namespace explore
