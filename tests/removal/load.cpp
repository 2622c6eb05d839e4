// What is removed, and who is not to feel it. Usage: load serve | ask ADDRESS | processes | threads | sparse | mappings
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::uint16_t port = 8080;

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

long now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// Threads of the container, by its own control group.
unsigned long tasks() {
    unsigned long found = 0;
    std::FILE* const file = std::fopen("/sys/fs/cgroup/pids.current", "r");
    if (file == nullptr || std::fscanf(file, "%lu", &found) != 1)
        die("pids.current");
    std::fclose(file);
    return found;
}

// "ready SIZE TASKS": how many there are of what it makes, and of the container's threads.
[[noreturn]] void ready(unsigned long size) {
    std::printf("ready %lu %lu\n", size, tasks());
    std::fflush(stdout);
    while (true)
        pause();
}

sockaddr_in at(std::uint32_t address) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = address;
    return name;
}

constexpr unsigned stall = 500'000; // microseconds

// Answers until SIGUSR1 has it answer nobody for a while: then whoever watches is to see that.
[[noreturn]] void serve() {
    std::signal(SIGUSR1, [](int) { usleep(stall); });
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

// Asks again and again, and tells fifty times a second the time and how long the slowest answer since took.
[[noreturn]] void ask(const char* address) {
    const sockaddr_in name = at(inet_addr(address));
    constexpr std::string_view request = "GET / HTTP/1.0\r\n\r\n";
    long worst = 0, told = now();
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
        worst = std::max(worst, end - begin);
        if (end - told > 20'000'000) {
            std::printf("%ld %ld\n", end, worst);
            std::fflush(stdout);
            worst = 0;
            told = end;
        }
        const timespec nap{0, 5'000'000};
        nanosleep(&nap, nullptr);
    }
}

char* shared(std::size_t size, int file) {
    void* const place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
    if (place == MAP_FAILED)
        die("mmap");
    return static_cast<char*>(place);
}

int memory_file(std::size_t size) {
    const int file = memfd_create("load", 0);
    if (file < 0 || ftruncate(file, static_cast<off_t>(size)) < 0)
        die("memfd");
    return file;
}

// Every process makes more of them, for as long as there is room.
[[noreturn]] void processes() {
    auto& count = *reinterpret_cast<std::atomic<unsigned long>*>(shared(4096, -1));
    const pid_t first = getpid();
    ++count;
    for (pid_t child; (child = fork()) >= 0;)
        count += child == 0 ? 1 : 0;
    if (getpid() == first) {
        // The last ones may not have run yet.
        while (count < tasks())
            sched_yield();
        ready(count);
    }
    while (true)
        pause();
}

[[noreturn]] void threads() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    pthread_t thread;
    unsigned long count = 1;
    while (pthread_create(&thread, &attributes, [](void*) -> void* { while (true) pause(); }, nullptr) == 0)
        ++count;
    ready(count);
}

[[noreturn]] void sparse() {
    constexpr std::size_t size = 128ul << 30, step = 64ul << 20;
    char* const place = shared(size, memory_file(size));
    for (std::size_t i = 0; i < size; i += step)
        place[i] = 1;
    ready(size >> 30);
}

[[noreturn]] void mappings() {
    constexpr std::size_t page = 4096;
    const int file = memory_file(page);
    constexpr int count = 4096;
    for (int i = 0; i < count; ++i)
        *shared(page, file) = 1;
    ready(count);
}

} // namespace

int main(int count, char** words) {
    const std::string_view mode = count > 1 ? words[1] : "";
    if (mode == "serve")
        serve();
    if (mode == "ask" && count > 2)
        ask(words[2]);
    if (mode == "processes")
        processes();
    if (mode == "threads")
        threads();
    if (mode == "sparse")
        sparse();
    if (mode == "mappings")
        mappings();
    return 2;
}
