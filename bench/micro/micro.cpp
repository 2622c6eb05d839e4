// Operations of Linux programs, timed: one line `NAME NANOSECONDS` each. Static, runs on Linux and on ThemeliOS alike. Under
// `-icount shift=0,sleep=off` a nanosecond is an instruction. `_mib` is for each MiB, `page_fault` for each page.
// Usage: micro [NAME...]
#include "bench/micro/measure.hpp"

#include <cstring>

namespace {

struct Test {
    const char* name;
    void (*run)();
};
// Each fork copies what is mapped and open: what has large buffers comes after those that are measured, and what has a thread, whose stack stays mapped, last.
constexpr Test tests[] = {{"getpid", micro::getpid_call},
                          {"yield", micro::sched_yield_call},
                          {"clock", micro::clock_call},
                          {"signal", micro::signal_to_oneself},
                          {"wake", micro::futex_wake_nobody},
                          {"read_zero", micro::read_zero},
                          {"open_close", micro::open_close},
                          {"stat", micro::stat_call},
                          {"create", micro::create_unlink},
                          {"pipe", micro::pipe_ping_pong},
                          {"tcp", micro::tcp_ping_pong},
                          {"fork", micro::fork_wait},
                          {"exec", micro::fork_exec_wait},
                          {"spawn", micro::spawn_wait},
                          {"mmap", micro::map_touch},
                          {"faults", micro::page_faults},
                          {"directory", micro::read_directory},
                          {"file_write", micro::file_write},
                          {"file_read", micro::file_read},
                          {"connect", micro::tcp_connect_close},
                          {"tcp_stream", micro::tcp_stream},
                          {"unix_stream", micro::unix_stream},
                          {"futex", micro::futex_ping_pong},
                          {"epoll", micro::epoll_ping_pong},
                          {"thread", micro::thread_create_join}};

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
