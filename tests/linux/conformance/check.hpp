// Prints what a system did. The program runs on Linux and on ThemeliOS, and both must print the same; so nothing is printed that may differ between two
// Linux machines (addresses, ids, times).
#pragma once
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/time.h>

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

// SIGALRM again and again while it lives: one that came before the call that it is to interrupt does no harm.
struct Alarms {
    Alarms() { set(20000); }
    ~Alarms() { set(0); }
    Alarms(const Alarms&) = delete;
    Alarms& operator=(const Alarms&) = delete;

private:
    static void set(long microseconds) {
        const itimerval setting{{0, microseconds}, {0, microseconds}};
        setitimer(ITIMER_REAL, &setting, nullptr);
    }
};

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
void programs();
void lies();
void delivery();
void names();
void passing();
void locks();
void futexes();
void survival();
void processors();
void privileges();

} // namespace conformance
