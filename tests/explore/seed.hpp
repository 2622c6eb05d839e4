// Errors put into copies of the state cores (tests/explore/seeds.py), each off until it is chosen here.
#pragma once
#include <string_view>

namespace explore {

inline std::string_view chosen_seed;

inline bool seeded(std::string_view name) { return chosen_seed == name; }

} // namespace explore
