// Random sequences of commands, and of one that breaks a property the shortest that still does.
#pragma once
#include <rapidcheck.h>

#include <cstdlib>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cores/models.hpp"

namespace cores {

inline std::ostream& operator<<(std::ostream& stream, const Command& command) {
    return stream << '{' << int{command.kind} << ", " << int{command.subject} << ", " << command.value << '}';
}

} // namespace cores

template <> struct rc::Arbitrary<cores::Command> {
    // Of all sizes from the first case on: a command means what its fields are modulo something, so that small numbers are not the simple ones.
    static Gen<cores::Command> arbitrary() {
        return gen::build<cores::Command>(gen::set(&cores::Command::kind, gen::resize(kNominalSize, gen::arbitrary<std::uint8_t>())),
                                          gen::set(&cores::Command::subject, gen::resize(kNominalSize, gen::arbitrary<std::uint8_t>())),
                                          gen::set(&cores::Command::value, gen::resize(kNominalSize, gen::arbitrary<std::uint16_t>())));
    }
};

namespace cores {

// Empty where no sequence broke a property; else what was broken, and by which. The seed and the bounds are fixed unless RC_PARAMS says otherwise; RapidCheck prints them.
inline std::string broken_by_random_commands(const Model& model) {
    ::setenv("RC_PARAMS", "seed=1 max_success=1000 max_size=160", 0);
    std::size_t steps = 0, runs = 0;
    const rc::detail::TestResult result = rc::detail::checkTestable([&](const std::vector<Command>& commands) {
        ++runs;
        steps += commands.size();
        model.run(commands);
    });
    std::printf("%s: %zu sequences, %zu commands\n", model.name, runs, steps);
    if (result.template is<rc::detail::SuccessResult>()) return {};
    std::ostringstream text;
    rc::detail::printResultMessage(result, text);
    return text.str();
}

} // namespace cores
