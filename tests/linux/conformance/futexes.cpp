// Waits and wake-ups at futex words: bits, other processes, signals, and what others see of who waits.
#include "tests/linux/conformance/check.hpp"

#include <atomic>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace conformance {

namespace {

using Word = std::atomic<int>;

long futex(Word* word, int operation, int value, unsigned bits = FUTEX_BITSET_MATCH_ANY) { return syscall(SYS_futex, word, operation, value, nullptr, nullptr, bits); }

// Wakes until somebody was there.
long wake_somebody(Word* word, int operation, int count, unsigned bits = FUTEX_BITSET_MATCH_ANY) {
    long woken = 0;
    while ((woken = futex(word, operation, count, bits)) == 0)
        sched_yield();
    return woken;
}

// Until it sleeps, as its stat file has it.
void until_asleep(const char* path) {
    char text[512], state = 0;
    while (state != 'S') {
        sched_yield();
        const int file = open(path, O_RDONLY);
        const long size = read(file, text, sizeof text - 1);
        close(file);
        text[size < 0 ? 0 : size] = 0;
        const char* const name_end = std::strrchr(text, ')');
        state = name_end != nullptr ? name_end[2] : 0;
    }
}
void until_thread_asleep(int thread) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    until_asleep(path);
}
void until_process_asleep(pid_t process) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/stat", process);
    until_asleep(path);
}
// A thread has put its number there, and sleeps.
void until_asleep(const std::atomic<int>& id) {
    while (id == 0)
        sched_yield();
    until_thread_asleep(id);
}

void bits() {
    Word word{0};
    show("wait without bits", futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, 0));
    show("wait for bits, changed", futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, 1));
    show("the same by the real clock", futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, 1));
    std::atomic<int> ids[3] = {0, 0, 0};
    std::atomic<int> awake{0};
    std::thread threads[3];
    for (int i = 0; i < 3; ++i)
        threads[i] = std::thread([&, i] {
            ids[i] = static_cast<int>(syscall(SYS_gettid));
            while (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, 1u << i) != 0 && errno == EINTR)
                continue;
            ++awake;
        });
    for (const auto& id : ids)
        until_asleep(id);
    show("wake for other bits", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, 0xf0));
    show("wake the second", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, 2));
    threads[1].join();
    show("wake the second again", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, 2));
    show("wake one that is for either", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 5));
    show("wake with any", futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX));
    threads[0].join();
    threads[2].join();
    show("awake", awake);
    show("wake none is wake one", futex(&word, FUTEX_WAKE_PRIVATE, 0));
    show("yield", sched_yield());
}

volatile sig_atomic_t handled = 0;
void handler(int) { handled = handled + 1; }

// The signal finds the thread in its wait, or the wait finds the signal: it is sent until it was handled.
void signals_in_waits() {
    for (const int flags : {0, SA_RESTART}) {
        struct sigaction action{};
        action.sa_handler = handler;
        action.sa_flags = flags;
        sigaction(SIGUSR1, &action, nullptr);
        handled = 0;
        Word word{0};
        std::atomic<int> id{0};
        std::atomic<long> result{99};
        std::atomic<int> error{0};
        std::thread waiter([&] {
            id = static_cast<int>(syscall(SYS_gettid));
            result = futex(&word, FUTEX_WAIT_PRIVATE, 0);
            error = errno;
        });
        until_asleep(id);
        syscall(SYS_tgkill, getpid(), id.load(), SIGUSR1);
        while (handled == 0)
            sched_yield();
        if (flags == SA_RESTART) {
            until_asleep(id);
            show("woken after the handler", wake_somebody(&word, FUTEX_WAKE_PRIVATE, 1));
        }
        waiter.join();
        errno = error;
        show(flags == SA_RESTART ? "restarted" : "interrupted", result);
        show("handled", handled);
    }
    signal(SIGUSR1, SIG_DFL);
}

// `word` is at one place in parent and child.
void between_processes(const char* name, Word* word, int private_flag) {
    *word = 0;
    const pid_t child = fork();
    if (child == 0) {
        while (futex(word, FUTEX_WAIT | private_flag, 0) != 0 && errno == EINTR)
            continue;
        _exit(7);
    }
    if (private_flag != 0) {
        until_process_asleep(child);
        show(name, futex(word, FUTEX_WAKE | private_flag, INT_MAX));
        kill(child, SIGKILL);
    } else {
        show(name, wake_somebody(word, FUTEX_WAKE, INT_MAX));
    }
    int status = 0;
    waitpid(child, &status, 0);
    show("status", status);
}

void shared_words() {
    auto* const anonymous = static_cast<Word*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    between_processes("anonymous", anonymous, 0);
    between_processes("private words of shared memory", anonymous, FUTEX_PRIVATE_FLAG);
    const int file = open("/tmp/futexes", O_RDWR | O_CREAT | O_TRUNC, 0600);
    auto* const early = reinterpret_cast<std::byte*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    show("wake past the file's end", futex(reinterpret_cast<Word*>(early), FUTEX_WAKE, 1));
    show("wait past the file's end", futex(reinterpret_cast<Word*>(early), FUTEX_WAIT, 0));
    show("grow", ftruncate(file, 8192));
    between_processes("a file that grew", reinterpret_cast<Word*>(early + 4096 + 64), 0);
    // Two mappings of the file are one place.
    auto* const again = reinterpret_cast<std::byte*>(mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file, 0));
    Word* const one = reinterpret_cast<Word*>(early + 16);
    std::thread waiter([&] {
        while (futex(one, FUTEX_WAIT, 0) != 0 && errno == EINTR)
            continue;
    });
    show("by another mapping", wake_somebody(reinterpret_cast<Word*>(again + 16), FUTEX_WAKE, 1));
    waiter.join();
    munmap(again, 8192);
    munmap(early, 8192);
    munmap(anonymous, 8192);
    close(file);
    unlink("/tmp/futexes");
    auto* const none = static_cast<Word*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    show("wait where nothing is readable", futex(none, FUTEX_WAIT_PRIVATE, 0));
    show("wake there", futex(none, FUTEX_WAKE_PRIVATE, 1));
    munmap(none, 4096);
    show("wake where nothing is", futex(none, FUTEX_WAKE_PRIVATE, 1));
    show("wake a shared word where nothing is", futex(none, FUTEX_WAKE, 1));
    char here;
    show("wait below the stack", futex(reinterpret_cast<Word*>((reinterpret_cast<unsigned long>(&here) - 65536) & ~3ul), FUTEX_WAIT_PRIVATE, 1));
}

void ends() {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        Word word{0};
        for (;;)
            futex(&word, FUTEX_WAIT_PRIVATE, 0);
    }
    until_process_asleep(child);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    show("stopped", WIFSTOPPED(status));
    kill(child, SIGCONT);
    until_process_asleep(child);
    show("goes on waiting", waitpid(child, &status, WNOHANG));
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    show("ended by", status);
    // A process ends while its threads wait.
    child = fork();
    if (child == 0) {
        static Word word{0};
        static std::atomic<int> ids[8];
        for (auto& id : ids)
            std::thread([&id] {
                id = static_cast<int>(syscall(SYS_gettid));
                for (;;)
                    futex(&word, FUTEX_WAIT_PRIVATE, 0);
            }).detach();
        for (const auto& id : ids)
            until_asleep(id);
        _exit(5);
    }
    waitpid(child, &status, 0);
    show("with threads", status);
}

} // namespace

void futexes() {
    bits();
    signals_in_waits();
    shared_words();
    ends();
}

} // namespace conformance
