#include "bench/micro/measure.hpp"

#include <atomic>
#include <csignal>
#include <linux/futex.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace micro {

namespace {

constexpr std::size_t page_size = 4096;

long futex(std::atomic<int>& word, int operation, int value) { return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0); }

char* map(std::size_t size) {
    void* const place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        die("mmap");
    return static_cast<char*>(place);
}

volatile std::sig_atomic_t signals = 0;

} // namespace

void getpid_call() {
    measure("getpid", 1000, [] { syscall(SYS_getpid); });
}

void sched_yield_call() {
    measure("sched_yield", 500, [] { syscall(SYS_sched_yield); });
}

// Not through the vDSO: what a program pays that was built without it.
void clock_call() {
    timespec time{};
    measure("clock_gettime_call", 500, [&] { syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time); });
}

void signal_to_oneself() {
    std::signal(SIGUSR1, [](int) { signals = signals + 1; });
    const pid_t self = getpid();
    measure("signal_to_oneself", 100, [&] {
        const auto before = signals;
        kill(self, SIGUSR1);
        if (signals != before + 1)
            die("kill");
    });
    std::signal(SIGUSR1, SIG_DFL);
}

void futex_wake_nobody() {
    std::atomic<int> word{0};
    measure("futex_wake_nobody", 500, [&] { futex(word, FUTEX_WAKE, 1); });
}

// Two threads that hand a turn back and forth, as mutexes and condition variables do.
void futex_ping_pong() {
    std::atomic<int> turns[2] = {0, 0};
    std::atomic<bool> over{false};
    const auto pass = [&](int from) {
        turns[from] = 0;
        turns[1 - from] = 1;
        futex(turns[1 - from], FUTEX_WAKE, 1);
    };
    const auto wait = [&](int at) {
        while (turns[at] == 0)
            futex(turns[at], FUTEX_WAIT, 0);
    };
    std::thread other([&] {
        for (;;) {
            wait(1);
            if (over)
                return;
            pass(1);
        }
    });
    measure("futex_ping_pong", 100, [&] {
        pass(0);
        wait(0);
    });
    over = true;
    pass(0);
    other.join();
}

void thread_create_join() {
    measure("thread_create_join", 20, [] { std::thread([] {}).join(); });
}

void fork_wait() {
    measure("fork_exit_wait", 10, [] {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, nullptr, 0);
    });
}

void fork_exec_wait() {
    measure("fork_exec_wait", 10, [] {
        const pid_t child = fork();
        if (child == 0) {
            execl("/bin/micro", "micro", "nothing", nullptr);
            _exit(1);
        }
        waitpid(child, nullptr, 0);
    });
}

void spawn_wait() {
    char program[] = "micro", argument[] = "nothing";
    char* const arguments[] = {program, argument, nullptr};
    measure("posix_spawn_wait", 10, [&] {
        pid_t child = 0;
        if (posix_spawn(&child, "/bin/micro", nullptr, nullptr, arguments, environ) != 0)
            die("posix_spawn");
        waitpid(child, nullptr, 0);
    });
}

// Beside a page that stays, as most are: otherwise Linux makes and frees page tables too, how many depends on where the address space's random layout puts the page.
// The page that stays is not writable, so that Linux need not join the two areas and split them again.
void map_touch() {
    char* const neighbour = map(2 * page_size);
    neighbour[0] = 1;
    munmap(neighbour + page_size, page_size);
    mprotect(neighbour, page_size, PROT_READ);
    measure("mmap_touch_munmap", 100, [] {
        char* const page = map(page_size);
        page[0] = 1;
        munmap(page, page_size);
    });
    munmap(neighbour, page_size);
}

void page_faults() {
    constexpr std::size_t size = 64 * mebibyte;
    char* const area = map(size);
    // Otherwise Linux would fault once for 512 pages.
    madvise(area, size, MADV_NOHUGEPAGE);
    char* next = area;
    measure("page_fault", size / page_size / rounds, [&] {
        *next = 1;
        next += page_size;
    });
    munmap(area, size);
}

} // namespace micro
