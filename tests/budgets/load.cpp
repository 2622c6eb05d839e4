// Who uses a container's budget, and tells by the guest's clock what came of it.
// Usage: load spin THREADS SECONDS | sleep THREADS SECONDS | places SECONDS | eat MIB | serve | ask ADDRESS | pace
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cpuid.h>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <pthread.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::uint16_t port = 8080;
constexpr long millisecond = 1'000'000;
// Of the usual period of a limit a whole number: what is told is of whole periods.
constexpr long row = 200 * millisecond;
constexpr unsigned most_threads = 64;

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

long read_clock(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) < 0)
        die("clock_gettime");
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

long now() { return read_clock(CLOCK_MONOTONIC); }

void sleep_until(long deadline) {
    const timespec time{deadline / 1'000'000'000, deadline % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

void start(void* (*work)(void*), void* argument, pthread_t& thread) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32768);
    if (pthread_create(&thread, &attributes, work, argument) != 0)
        die("pthread_create");
}

struct alignas(64) Work {
    std::atomic<std::uint64_t> count{0};
};
Work works[most_threads];

void* compute(void* argument) {
    Work& work = *static_cast<Work*>(argument);
    for (std::uint64_t count = 1;; ++count)
        work.count.store(count, std::memory_order_relaxed);
}

void start_computing(unsigned threads) {
    if (threads > most_threads)
        die("threads");
    pthread_t thread;
    for (unsigned i = 0; i < threads; ++i)
        start(compute, &works[i], thread);
}

// At the same times as every other one that spins: "TIME WORK PROCESSOR-TIME", all since the start.
int spin(unsigned threads, long duration) {
    const long begin = now();
    start_computing(threads);
    for (long next = begin / row * row; next - begin < duration;) {
        next += row;
        sleep_until(next);
        const long at = now();
        const long used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        std::uint64_t sum = 0;
        for (const Work& work : works)
            sum += work.count.load(std::memory_order_relaxed);
        std::printf("%ld %lu %ld\n", at, sum, used);
        std::fflush(stdout);
    }
    return 0;
}

// Tells how often it slept, and how late it was at worst, in nanoseconds.
int sleep_again_and_again(unsigned threads, long duration) {
    start_computing(threads);
    constexpr long nap = 10 * millisecond;
    long latest = 0;
    unsigned naps = 0;
    for (const long end = now() + duration; now() < end; ++naps) {
        const long before = now();
        const timespec time{0, nap};
        nanosleep(&time, nullptr);
        latest = std::max(latest, now() - before - nap);
    }
    std::printf("%u %ld\n", naps, latest);
    return 0;
}

// How often somebody was seen on which processor, by getcpu and by the processor's own word. In memory that children share.
constexpr unsigned seen_processors = 8;
struct Seen {
    std::atomic<std::uint64_t> told[seen_processors];
    std::atomic<std::uint64_t> found[seen_processors];

    void look() {
        unsigned cpu = seen_processors;
        if (syscall(SYS_getcpu, &cpu, nullptr, nullptr) != 0 || cpu >= seen_processors)
            die("getcpu");
        ++told[cpu];
        look_alone();
    }

    // Without a call: nothing but an interrupt leads into the kernel. The number of the local APIC is at the top of EBX (Intel SDM, CPUID leaf 1); QEMU numbers them from 0 on.
    void look_alone() {
        unsigned a = 0, b = 0, c = 0, d = 0;
        __cpuid(1, a, b, c, d);
        ++found[std::min(b >> 24, seen_processors - 1)];
    }
};
enum Doing : unsigned { computes, sleeps, forks, creates, doings };

// Where its threads are while they compute, after each nap, in each child and in each thread that is new: for each of those a line, of each processor how
// often getcpu told it and then of each how often CPUID did.
int places(long duration) {
    void* const memory = mmap(nullptr, sizeof(Seen) * doings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("mmap");
    Seen* const seen = static_cast<Seen*>(memory);
    seen[computes].look();
    pthread_t thread;
    const auto compute_and_look = [](void* at) -> void* {
        while (true) {
            for (int i = 0; i < 50; ++i)
                static_cast<Seen*>(at)->look_alone();
            static_cast<Seen*>(at)->look();
        }
    };
    for (int i = 0; i < 3; ++i)
        start(compute_and_look, &seen[computes], thread);
    for (const long end = now() + duration; now() < end;) {
        sleep_until(now() + millisecond);
        seen[sleeps].look();
        start([](void* at) -> void* { static_cast<Seen*>(at)->look(); return nullptr; }, &seen[creates], thread);
        pthread_join(thread, nullptr);
        const pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            seen[forks].look();
            sleep_until(now() + millisecond);
            seen[forks].look();
            _exit(0);
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child || status != 0)
            die("waitpid");
    }
    for (unsigned doing = 0; doing < doings; ++doing) {
        for (const auto* counts : {seen[doing].told, seen[doing].found})
            for (unsigned cpu = 0; cpu < seen_processors; ++cpu)
                std::printf("%lu ", counts[cpu].load());
        std::puts("");
    }
    return 0;
}

// A timer is always about to go off: a guest that waits does not go on by more than that.
[[noreturn]] void pace() {
    while (true)
        sleep_until(now() + millisecond);
}

int eat(std::size_t size) {
    std::printf("%ld\n", now());
    std::fflush(stdout);
    void* const place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        die("mmap");
    constexpr std::size_t page = 4096;
    for (std::size_t i = 0; i < size; i += page)
        static_cast<volatile char*>(place)[i] = 1;
    return 0;
}

sockaddr_in at(std::uint32_t address) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = address;
    return name;
}

// Answers until SIGUSR1 has it answer nobody for a while: then whoever watches is to see that.
[[noreturn]] void serve() {
    std::signal(SIGUSR1, [](int) { usleep(50'000); });
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in name = at(INADDR_ANY);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0 || listen(listener, 16) < 0)
        die("listen");
    while (true) {
        const int client = accept(listener, nullptr, nullptr);
        if (client < 0)
            die("accept");
        char request[512];
        constexpr std::string_view answer = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        if (read(client, request, sizeof request) > 0)
            (void)!write(client, answer.data(), answer.size());
        close(client);
    }
}

// Asks again and again; a few times a second it tells of every answer when it came and how long it took: "TIME TOOK TIME TOOK ...".
[[noreturn]] void ask(const char* address) {
    const sockaddr_in name = at(inet_addr(address));
    constexpr std::string_view request = "GET / HTTP/1.0\r\n\r\n";
    long told = now();
    while (true) {
        const long begin = now();
        const int server = socket(AF_INET, SOCK_STREAM, 0);
        char answer[512];
        if (connect(server, reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0 || write(server, request.data(), request.size()) < 0)
            die("connect");
        if (read(server, answer, sizeof answer) <= 0 || std::strncmp(answer, "HTTP/1.0 200", 12) != 0)
            die("answer");
        close(server);
        const long end = now();
        std::printf("%ld %ld ", end, end - begin);
        if (end - told > row) {
            std::puts("");
            std::fflush(stdout);
            told = end;
        }
        const timespec nap{0, millisecond};
        nanosleep(&nap, nullptr);
    }
}

unsigned number(const char* word) { return static_cast<unsigned>(std::strtoul(word, nullptr, 10)); }
long seconds(const char* word) { return static_cast<long>(number(word)) * 1'000'000'000; }

} // namespace

int main(int count, char** words) {
    const std::string_view mode = count > 1 ? words[1] : "";
    if (mode == "spin" && count > 3)
        return spin(number(words[2]), seconds(words[3]));
    if (mode == "sleep" && count > 3)
        return sleep_again_and_again(number(words[2]), seconds(words[3]));
    if (mode == "places" && count > 2)
        return places(seconds(words[2]));
    if (mode == "eat" && count > 2)
        return eat(std::size_t{number(words[2])} << 20);
    if (mode == "serve")
        serve();
    if (mode == "ask" && count > 2)
        ask(words[2]);
    if (mode == "pace")
        pace();
    return 2;
}
