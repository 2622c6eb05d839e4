// Names of containers.
#pragma once
#include <string>

namespace engine {

bool is_container_name(const std::string& name);
// "adjective_noun" from random bytes; with `attempt` above 0 a digit follows.
std::string made_up_name(int attempt);

} // namespace engine
