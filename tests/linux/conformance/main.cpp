// Usage: conformance [SECTION...]; all sections without an argument. Each runs in a child, so one that dies is seen and the others go on.
#include "tests/linux/conformance/check.hpp"

#include <sys/wait.h>
#include <unistd.h>

namespace {
constexpr conformance::Section sections[] = {
    {"files", conformance::files},         {"directories", conformance::directories}, {"pipes", conformance::pipes},
    {"processes", conformance::processes}, {"signals", conformance::signals},         {"memory", conformance::memory},
    {"threads", conformance::threads},     {"polling", conformance::polling},         {"sockets", conformance::sockets},
    {"times", conformance::times},
};

bool wanted(const char* name, int count, char** names) {
    if (count == 0)
        return true;
    for (int i = 0; i < count; ++i)
        if (std::strcmp(names[i], name) == 0)
            return true;
    return false;
}
} // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    for (const auto& section : sections) {
        if (!wanted(section.name, argc - 1, argv + 1))
            continue;
        std::printf("== %s\n", section.name);
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            section.run();
            std::fflush(stdout);
            _exit(0);
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child)
            std::printf("waitpid failed\n");
        else if (status != 0)
            std::printf("section %s ended with status %#x\n", section.name, static_cast<unsigned>(status));
    }
    std::printf("== end\n");
    return 0;
}
