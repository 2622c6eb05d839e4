// Small operations, timed: one line `NAME NANOSECONDS` each, the median of several rounds. Static, runs on Linux and on ThemeliOS alike. Under
// `-icount shift=0,sleep=off` a nanosecond is an instruction.
// Usage: micro [NAME...]
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

long now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

// Runs `body` `count` times in each of nine rounds and prints the median of a single one.
template <class Body> void measure(const char* name, int count, Body body) {
    std::vector<long> rounds;
    for (int round = 0; round < 9; ++round) {
        const long start = now();
        for (int i = 0; i < count; ++i)
            body();
        rounds.push_back((now() - start) / count);
    }
    std::sort(rounds.begin(), rounds.end());
    std::printf("%s %ld\n", name, rounds[rounds.size() / 2]);
    std::fflush(stdout);
}

void getpid_call() {
    measure("getpid", 1000, [] { syscall(SYS_getpid); });
}

void sched_yield_call() {
    measure("sched_yield", 500, [] { syscall(SYS_sched_yield); });
}

long futex(std::atomic<int>& word, int operation, int value) { return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0); }

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

void futex_wake_nobody() {
    std::atomic<int> word{0};
    measure("futex_wake_nobody", 500, [&] { futex(word, FUTEX_WAKE, 1); });
}

void open_close() {
    measure("open_close", 100, [] { close(open("/bin/busybox", O_RDONLY)); });
}

void stat_call() {
    measure("stat", 100, [] {
        struct stat info {};
        stat("/bin/busybox", &info);
    });
}

void read_zero() {
    const int zero = open("/dev/zero", O_RDONLY);
    char byte;
    measure("read_zero", 500, [&] {
        if (read(zero, &byte, 1) != 1)
            die("read");
    });
    close(zero);
}

// Two processes that hand a byte back and forth over the given descriptors.
void ping_pong(const char* name, int mine_in, int mine_out, int other_in, int other_out) {
    const pid_t child = fork();
    char byte = 0;
    if (child == 0) {
        if (other_in != mine_in)
            close(mine_in), close(mine_out);
        while (read(other_in, &byte, 1) == 1)
            if (write(other_out, &byte, 1) != 1)
                break;
        _exit(0);
    }
    measure(name, 100, [&] {
        if (write(mine_out, &byte, 1) != 1 || read(mine_in, &byte, 1) != 1)
            die(name);
    });
    kill(child, 9);
    waitpid(child, nullptr, 0);
}

void pipe_ping_pong() {
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0)
        die("pipe");
    ping_pong("pipe_ping_pong", back[0], there[1], there[0], back[1]);
}

void tcp_ping_pong() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 1) != 0)
        die("listen");
    socklen_t size = sizeof address;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        die("connect");
    const int server = accept(listener, nullptr, nullptr);
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ping_pong("tcp_ping_pong", client, client, server, server);
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

void map_touch() {
    measure("mmap_touch_munmap", 100, [] {
        auto* page = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        page[0] = 1;
        munmap(page, 4096);
    });
}

struct Test {
    const char* name;
    void (*run)();
};
// The one with a thread comes last: what a thread's stack leaves mapped is copied by each fork.
constexpr Test tests[] = {{"getpid", getpid_call}, {"yield", sched_yield_call}, {"wake", futex_wake_nobody}, {"read_zero", read_zero},
                          {"open_close", open_close}, {"stat", stat_call}, {"pipe", pipe_ping_pong}, {"tcp", tcp_ping_pong},
                          {"fork", fork_wait}, {"exec", fork_exec_wait}, {"mmap", map_touch}, {"futex", futex_ping_pong}};

} // namespace

int main(int argc, char** argv) {
    for (const auto& test : tests) {
        bool wanted = argc == 1;
        for (int i = 1; i < argc; ++i)
            wanted |= std::strcmp(argv[i], test.name) == 0;
        if (wanted)
            test.run();
    }
    return 0;
}
