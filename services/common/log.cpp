#include "services/common/log.hpp"

#include <string>
#include <unistd.h>

#include "services/common/unique_fd.hpp"

namespace services {

namespace {
std::string& log_name() {
    static std::string name = "service";
    return name;
}
} // namespace

void set_log_name(std::string_view name) { log_name() = name; }

void log_line(std::string_view text) {
    std::string line = log_name() + ": " + std::string(text) + "\n";
    // A log that is gone must not end the service.
    (void)write_all(STDERR_FILENO, line.data(), line.size());
}

} // namespace services
