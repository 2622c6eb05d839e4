// What the themes share. Each operation prints `NAME NANOSECONDS`, the median of several rounds.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace micro {

constexpr int rounds = 9;
constexpr std::size_t mebibyte = 1 << 20;
// What programs that copy give to one call.
constexpr std::size_t chunk_size = 64 << 10;

inline long now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

[[noreturn]] inline void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

// Runs `body` `count` times in each round and prints the median of a single one.
template <class Body> void measure(const char* name, int count, Body body) {
    std::array<long, rounds> each{};
    for (long& nanoseconds : each) {
        const long start = now();
        for (int i = 0; i < count; ++i)
            body();
        nanoseconds = (now() - start) / count;
    }
    std::sort(each.begin(), each.end());
    std::printf("%s %ld\n", name, each[rounds / 2]);
    std::fflush(stdout);
}

// Calls that touch nothing but their task, signals, processes, threads and memory.
void getpid_call();
void sched_yield_call();
void clock_call();
void signal_to_oneself();
void futex_wake_nobody();
void futex_ping_pong();
void thread_create_join();
void fork_wait();
void fork_exec_wait();
void spawn_wait();
void map_touch();
void page_faults();

// Files, by name and by descriptor.
void read_zero();
void open_close();
void stat_call();
void create_unlink();
void read_directory();
void file_read();
void file_write();

// Two that speak with one another.
void pipe_ping_pong();
void epoll_ping_pong();
void tcp_ping_pong();
void tcp_connect_close();
void tcp_stream();
void unix_stream();

} // namespace micro
