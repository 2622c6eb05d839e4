#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace conformance {

static void epolls() {
    int ends[2];
    pipe2(ends, O_NONBLOCK);
    const int set = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{EPOLLIN, {.u64 = 11}};
    show("add", epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
    show("add twice", epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
    show("modify unknown", epoll_ctl(set, EPOLL_CTL_MOD, ends[1], &event));
    show("add itself", epoll_ctl(set, EPOLL_CTL_ADD, set, &event));
    const int file = open("/tmp/polled", O_CREAT | O_RDWR, 0600);
    show("add file", epoll_ctl(set, EPOLL_CTL_ADD, file, &event));
    epoll_event got[4];
    show("nothing yet", epoll_wait(set, got, 4, 0));
    write(ends[1], "x", 1);
    show("ready", epoll_wait(set, got, 4, 1000));
    show("data", static_cast<long>(got[0].data.u64));
    show("level again", epoll_wait(set, got, 4, 0));
    event.events = EPOLLIN | EPOLLET;
    epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event);
    show("edge first", epoll_wait(set, got, 4, 0));
    show("edge second", epoll_wait(set, got, 4, 0));
    write(ends[1], "x", 1);
    show("edge after write", epoll_wait(set, got, 4, 0));
    event.events = EPOLLIN | EPOLLONESHOT;
    epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event);
    show("oneshot first", epoll_wait(set, got, 4, 0));
    show("oneshot second", epoll_wait(set, got, 4, 0));
    event.events = EPOLLIN;
    epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event);
    close(ends[1]);
    show("hang up", epoll_wait(set, got, 4, 0));
    show("events", got[0].events);
    show("zero events asked", epoll_wait(set, got, 0, 0));
    close(ends[0]);
    show("closed leaves the set", epoll_wait(set, got, 4, 0));
}

static void events() {
    const int counter = eventfd(3, EFD_NONBLOCK);
    unsigned long value = 0;
    show("read counter", read(counter, &value, 8));
    show("value", static_cast<long>(value));
    show("empty", read(counter, &value, 8));
    value = 5;
    show("write", write(counter, &value, 8));
    show("write again", write(counter, &value, 8));
    read(counter, &value, 8);
    show("sum", static_cast<long>(value));
    value = ~0ul;
    show("write all ones", write(counter, &value, 8));
    show("short read", read(counter, &value, 4));
    const int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    read(semaphore, &value, 8);
    show("semaphore", static_cast<long>(value));
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    show("timer idle", read(timer, &value, 8));
    itimerspec soon{{0, 1'000'000}, {0, 1'000'000}};
    timerfd_settime(timer, 0, &soon, nullptr);
    pollfd wait{timer, POLLIN, 0};
    show("timer fires", poll(&wait, 1, 100000));
    show("timer read", read(timer, &value, 8));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const int queue = signalfd(-1, &set, SFD_NONBLOCK);
    signalfd_siginfo info{};
    show("signalfd empty", read(queue, &info, sizeof info));
    raise(SIGUSR1);
    show("signalfd read", read(queue, &info, sizeof info));
    show("signalfd number", info.ssi_signo);
}

void polling() {
    epolls();
    events();
    int ends[2];
    pipe(ends);
    pollfd waits[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {987, POLLIN, 0}};
    show("poll", poll(waits, 3, 0));
    show("reader", waits[0].revents);
    show("writer", waits[1].revents);
    show("bad", waits[2].revents);
    show("poll timeout", poll(waits, 1, 5));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[1], &set);
    timeval none{0, 0};
    show("select", select(ends[1] + 1, nullptr, &set, nullptr, &none));
    show("select set", FD_ISSET(ends[1], &set));
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    close(ends[1]);
    show("select end", select(ends[0] + 1, &set, nullptr, nullptr, &none));
    show("select negative", select(-1, nullptr, nullptr, nullptr, &none));
}

} // namespace conformance
