// Locks between threads and processes, as the C library builds them from futexes.
#include "tests/linux/conformance/check.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace conformance {

struct Shared {
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    pthread_barrier_t barrier;
    pthread_rwlock_t table;
    sem_t count;
    int value, written;
};

static Shared* make_shared() {
    auto* shared = static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pthread_mutexattr_t mutex;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->mutex, &mutex);
    pthread_condattr_t turn;
    pthread_condattr_init(&turn);
    pthread_condattr_setpshared(&turn, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->turn, &turn);
    pthread_barrierattr_t barrier;
    pthread_barrierattr_init(&barrier);
    pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &barrier, 3);
    pthread_rwlockattr_t table;
    pthread_rwlockattr_init(&table);
    pthread_rwlockattr_setpshared(&table, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&shared->table, &table);
    sem_init(&shared->count, 1, 0);
    return shared;
}

static void between_processes() {
    Shared* const shared = make_shared();
    for (int i = 0; i < 2; ++i)
        if (fork() == 0) {
            pthread_barrier_wait(&shared->barrier);
            for (int n = 0; n < 2000; ++n) {
                pthread_mutex_lock(&shared->mutex);
                ++shared->value;
                pthread_mutex_unlock(&shared->mutex);
            }
            for (int n = 0; n < 2000; ++n) {
                pthread_rwlock_wrlock(&shared->table);
                ++shared->written;
                pthread_rwlock_unlock(&shared->table);
            }
            sem_post(&shared->count);
            _exit(0);
        }
    pthread_barrier_wait(&shared->barrier);
    sem_wait(&shared->count);
    sem_wait(&shared->count);
    show("semaphore is empty", sem_trywait(&shared->count));
    wait(nullptr);
    wait(nullptr);
    show("counted under the mutex", shared->value);
    show("counted under the write lock", shared->written);
    shared->value = 0;
    const pid_t waiter = fork();
    if (waiter == 0) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->value == 0)
            pthread_cond_wait(&shared->turn, &shared->mutex);
        pthread_mutex_unlock(&shared->mutex);
        _exit(shared->value);
    }
    usleep(10000);
    pthread_mutex_lock(&shared->mutex);
    shared->value = 6;
    pthread_cond_broadcast(&shared->turn);
    pthread_mutex_unlock(&shared->mutex);
    int status = 0;
    waitpid(waiter, &status, 0);
    show("condition between processes", WEXITSTATUS(status));
    // A holder that dies leaves the mutex to the next, who is told.
    const pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(&shared->mutex);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, nullptr, 0);
    show("owner died", pthread_mutex_lock(&shared->mutex) == EOWNERDEAD);
    show("made consistent", pthread_mutex_consistent(&shared->mutex));
    show("unlock", pthread_mutex_unlock(&shared->mutex));
    std::thread([&] { pthread_mutex_lock(&shared->mutex); }).join();
    show("a thread died", pthread_mutex_lock(&shared->mutex) == EOWNERDEAD);
    pthread_mutex_unlock(&shared->mutex);
    show("lost for good", pthread_mutex_lock(&shared->mutex) == ENOTRECOVERABLE);
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 10'000'000;
    if (until.tv_nsec >= 1'000'000'000) {
        until.tv_nsec -= 1'000'000'000;
        ++until.tv_sec;
    }
    show("timed wait", sem_timedwait(&shared->count, &until));
}

static long futex(std::atomic<int>* word, int operation, int value, unsigned long fourth = 0, std::atomic<int>* second = nullptr, int third = 0) {
    return syscall(SYS_futex, word, operation, value, fourth, second, third);
}

static void moving() {
    static std::atomic<int> one{0}, two{0};
    std::atomic<int> woken{0};
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 4; ++i)
        sleepers.emplace_back([&] {
            while (futex(&one, FUTEX_WAIT_PRIVATE, 0) < 0 && errno == EINTR)
                ;
            ++woken;
        });
    show("compare fails", futex(&one, FUTEX_CMP_REQUEUE_PRIVATE, 1, 10, &two, 5));
    long moved = 0;
    // The four may still be on their way to sleep.
    while (moved < 4) {
        moved += futex(&one, FUTEX_CMP_REQUEUE_PRIVATE, 0, 10, &two, 0);
        usleep(1000);
    }
    show("moved", moved);
    show("nobody left", futex(&one, FUTEX_WAKE_PRIVATE, 10));
    show("wake two", futex(&two, FUTEX_WAKE_PRIVATE, 2));
    show("wake by operation", futex(&one, FUTEX_WAKE_OP_PRIVATE, 1, 10, &two, FUTEX_OP(FUTEX_OP_ADD, 7, FUTEX_OP_CMP_EQ, 0)));
    show("added", two);
    for (auto& sleeper : sleepers)
        sleeper.join();
    show("all awake", woken);
    show("wake no bits", futex(&one, FUTEX_WAKE_BITSET_PRIVATE, 1, 0, nullptr, 0));
}

static void errors() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_t mutex;
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutex_lock(&mutex);
    show("deadlock is seen", pthread_mutex_lock(&mutex) == EDEADLK);
    int unlocked = 0;
    std::thread([&] { unlocked = pthread_mutex_unlock(&mutex); }).join();
    show("unlock of another's", unlocked == EPERM);
    pthread_mutex_unlock(&mutex);
    std::thread target([] {
        pause();
    });
    usleep(10000);
    show("cancel", pthread_cancel(target.native_handle()));
    target.join();
    show("joined", 1);
}

void locks() {
    between_processes();
    moving();
    errors();
}

} // namespace conformance
