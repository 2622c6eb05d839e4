// Which processors a thread runs on: its own choice, what a child and a new thread take over, and where the system tells it.
#include "tests/linux/conformance/check.hpp"

#include <cstdint>
#include <cstdlib>
#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

namespace {

// The calls themselves: libc's give more than they do.
long get(pid_t id, std::size_t bytes, void* mask) { return syscall(SYS_sched_getaffinity, id, bytes, mask); }
long set(pid_t id, std::size_t bytes, const void* mask) { return syscall(SYS_sched_setaffinity, id, bytes, mask); }

std::uint64_t own_mask(pid_t id = 0) {
    std::uint64_t words[16] = {}; // as many as a large machine needs
    return get(id, sizeof words, words) > 0 ? words[0] : 0;
}

bool runs_on(std::uint64_t mask) {
    for (int i = 0; i < 200; ++i) {
        unsigned cpu = 0;
        if (syscall(SYS_getcpu, &cpu, nullptr, nullptr) != 0 || cpu > 63 || (mask >> cpu & 1) == 0)
            return false;
        sched_yield();
    }
    return true;
}

// Whether a line of /proc/self/status has `value`.
bool status_says(const char* name, const char* value) {
    char text[8192] = {};
    const int file = open("/proc/thread-self/status", O_RDONLY);
    const auto length = read(file, text, sizeof text - 1);
    close(file);
    char* const line = length > 0 ? strstr(text, name) : nullptr;
    if (line == nullptr)
        return false;
    char* const end = strchr(line, '\n');
    if (end != nullptr)
        *end = 0;
    return strcmp(line + strlen(name), value) == 0;
}

void* thread_mask(void* to) {
    *static_cast<std::uint64_t*>(to) = own_mask();
    return nullptr;
}

} // namespace

void processors() {
    const std::uint64_t all = own_mask();
    show("some", all != 0);
    show("runs on them", runs_on(all));

    // The highest and the lowest may be the same one.
    const std::uint64_t one = all & ~(all - 1);
    std::uint64_t high = all;
    while ((high & (high - 1)) != 0)
        high &= high - 1;
    for (const std::uint64_t mask : {one, high}) {
        show("choose one", set(0, sizeof mask, &mask));
        show("it is chosen", own_mask() == mask && own_mask(gettid()) == mask);
        show("and run on", runs_on(mask));
    }
    char number[8];
    std::snprintf(number, sizeof number, "\t%d", __builtin_ctzll(high));
    show("status tells", status_says("Cpus_allowed_list:", number));

    std::uint64_t inherited = 0;
    pthread_t thread;
    pthread_create(&thread, nullptr, thread_mask, &inherited);
    pthread_join(thread, nullptr);
    show("a thread inherits", inherited == high);
    const pid_t child = fork();
    if (child == 0)
        _exit(own_mask() == high && runs_on(high) ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    show("a child inherits", status);

    // Of another process.
    const pid_t waiting = fork();
    if (waiting == 0) {
        for (;;)
            pause();
    }
    show("choose for a child", set(waiting, sizeof all, &all));
    show("it has them all", own_mask(waiting) == all);
    show("the caller has not", own_mask() == high);
    kill(waiting, SIGKILL);
    waitpid(waiting, &status, 0);
    show("one that has ended", set(waiting, sizeof all, &all));
    show("its mask", get(waiting, 128, &inherited));

    // Processors that are not there are left out of what is asked for; none is refused, and nothing is changed.
    const std::uint64_t more = UINT64_MAX;
    show("more than all", set(0, sizeof more, &more));
    show("are all", own_mask() == all);
    const std::uint64_t none = 0;
    show("none", set(0, sizeof none, &none));
    show("no bytes", set(0, 0, &all));
    show("all still", own_mask() == all);
    void* const gone = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone, 4096);
    show("a bad pointer", set(0, sizeof all, gone));
    show("a bad pointer to read", get(0, 128, gone));
    show("a bad pointer of nobody", set(-1, sizeof all, gone));
    show("nobody", set(-1, sizeof all, &all));
    show("nobody's", get(-1, 128, &inherited));
    show("an odd size", get(0, 127, &inherited));
    show("a size too small", get(0, 0, &inherited));
    show("whole words", get(0, 128, &inherited) % 8);
}

} // namespace conformance
