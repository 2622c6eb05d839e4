// Usage: test-conformance [SECTION...]; all sections without an argument. Each runs in a child, so one that dies is seen and the others go on.
// The words print-arguments, print-signals and print-descriptors make it show what an exec gave it.
#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <sys/wait.h>
#include <unistd.h>

namespace {
constexpr conformance::Section sections[] = {
    {"files", conformance::files},         {"directories", conformance::directories}, {"pipes", conformance::pipes},
    {"processes", conformance::processes}, {"signals", conformance::signals},         {"memory", conformance::memory},
    {"threads", conformance::threads},     {"polling", conformance::polling},         {"sockets", conformance::sockets},
    {"times", conformance::times},         {"programs", conformance::programs},       {"delivery", conformance::delivery},
    {"names", conformance::names},         {"passing", conformance::passing},         {"locks", conformance::locks},       {"futexes", conformance::futexes},
    {"lies", conformance::lies},           {"survival", conformance::survival},   {"processors", conformance::processors},
    {"privileges", conformance::privileges},
};

bool wanted(const char* name, int count, char** names) {
    if (count == 0)
        return true;
    for (int i = 0; i < count; ++i)
        if (std::strcmp(names[i], name) == 0)
            return true;
    return false;
}

void print_arguments(int argc, char** argv) {
    for (int i = 0; i < argc; ++i)
        std::printf("argument %d: '%s'\n", i, argv[i]);
    for (char** at = environ; *at != nullptr; ++at)
        std::printf("environment: '%s'\n", *at);
    std::printf("leader: %d\n", getpid() == gettid());
}

void print_signals() {
    for (const int number : {SIGUSR1, SIGUSR2}) {
        struct sigaction action {};
        sigaction(number, nullptr, &action);
        std::printf("signal %d: %s\n", number, action.sa_handler == SIG_DFL ? "default" : action.sa_handler == SIG_IGN ? "ignored" : "handled");
    }
}

void print_descriptors() {
    for (int i = 0; i < 64; ++i)
        if (fcntl(i, F_GETFD) >= 0)
            std::printf("descriptor %d\n", i);
}

// Shows what an exec gave, where the first word asks for it.
bool show_execution(int argc, char** argv) {
    const char* const word = argc > 1 ? argv[1] : "";
    if (argv[0][0] == '\0' || std::strcmp(word, "print-arguments") == 0) // without any argument Linux gives an empty name
        print_arguments(argc, argv);
    else if (std::strcmp(word, "print-signals") == 0)
        print_signals();
    else if (std::strcmp(word, "print-descriptors") == 0)
        print_descriptors();
    else
        return false;
    return true;
}
} // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (show_execution(argc, argv))
        return 0;
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
