// Prints what a system did. The program runs on Linux and on ThemeliOS, and both must print the same; so nothing is printed that may differ between two
// Linux machines (addresses, ids, times).
#pragma once
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace conformance {

// `name: value`, or `name: error NAME` when a call's result is negative.
inline void show(const char* name, long result) {
    if (result < 0)
        std::printf("%s: error %s\n", name, strerrorname_np(errno));
    else
        std::printf("%s: %ld\n", name, result);
}
inline void show_text(const char* name, const char* text) { std::printf("%s: %s\n", name, text); }
// For results whose value varies: only whether it worked.
inline void show_ok(const char* name, long result) {
    if (result < 0)
        std::printf("%s: error %s\n", name, strerrorname_np(errno));
    else
        std::printf("%s: ok\n", name);
}

struct Section {
    const char* name;
    void (*run)();
};
void files();
void directories();
void pipes();
void processes();
void signals();
void memory();
void threads();
void polling();
void sockets();
void times();

} // namespace conformance
