#include "tests/linux/conformance/check.hpp"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <linux/futex.h>
#include <mutex>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace conformance {

static long futex(std::atomic<int>* word, int operation, int value, const timespec* time = nullptr) {
    return syscall(SYS_futex, word, operation, value, time, nullptr, 0);
}

static void words() {
    std::atomic<int> word{5};
    show("wait changed", futex(&word, FUTEX_WAIT_PRIVATE, 4));
    const timespec brief{0, 5'000'000};
    show("wait timeout", futex(&word, FUTEX_WAIT_PRIVATE, 5, &brief));
    show("wake nobody", futex(&word, FUTEX_WAKE_PRIVATE, 10));
    show("unaligned", syscall(SYS_futex, reinterpret_cast<char*>(&word) + 1, FUTEX_WAIT_PRIVATE, 5, nullptr, nullptr, 0));
    show("bad address", syscall(SYS_futex, 16, FUTEX_WAIT_PRIVATE, 5, nullptr, nullptr, 0));
    show("unknown operation", futex(&word, 99, 0));
    const timespec wrong{0, 2'000'000'000};
    show("bad time", futex(&word, FUTEX_WAIT_PRIVATE, 5, &wrong));
}

static void counting() {
    std::mutex mutex;
    std::condition_variable turn;
    long total = 0;
    int ready = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < 8; ++i)
        workers.emplace_back([&] {
            for (int n = 0; n < 1000; ++n) {
                const std::lock_guard guard(mutex);
                ++total;
            }
            std::unique_lock lock(mutex);
            ++ready;
            turn.notify_all();
            turn.wait(lock, [&] { return ready == 8; });
        });
    for (auto& worker : workers)
        worker.join();
    show("counted", total);
}

static thread_local int own = 1;

void threads() {
    words();
    counting();
    int seen = 0;
    std::thread([&] { own = 2; seen = own; }).join();
    show("thread local other", seen);
    show("thread local mine", own);
    long group = 0, id = 0;
    std::thread([&] {
        group = getpid();
        id = syscall(SYS_gettid);
    }).join();
    show("same pid", group == getpid());
    show("own tid", id != group);
    static std::atomic<int> delivered{0};
    signal(SIGUSR1, [](int) { ++delivered; });
    std::atomic<bool> stop{false};
    std::thread target([&] {
        while (!stop)
            usleep(1000);
    });
    pthread_kill(target.native_handle(), SIGUSR1);
    while (delivered == 0)
        usleep(1000);
    stop = true;
    target.join();
    show("delivered to thread", delivered);
    show("tgkill wrong thread", syscall(SYS_tgkill, getpid(), 0x3ffffff, SIGUSR1));
    std::vector<std::thread> many;
    std::atomic<int> ran{0};
    for (int i = 0; i < 64; ++i)
        many.emplace_back([&] { ++ran; });
    for (auto& one : many)
        one.join();
    show("64 threads", ran);
}

} // namespace conformance
