// Lines to standard error, which the personality hands to the node's log.
#pragma once
#include <string_view>

namespace services {

// One line "SERVICE: text", written whole.
void log_line(std::string_view text);
void set_log_name(std::string_view name);

} // namespace services
