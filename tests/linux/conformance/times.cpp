#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <ctime>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

namespace conformance {

void times() {
    timespec before{}, after{};
    clock_gettime(CLOCK_MONOTONIC, &before);
    const timespec brief{0, 2'000'000};
    show("nanosleep", nanosleep(&brief, nullptr));
    clock_gettime(CLOCK_MONOTONIC, &after);
    show("slept enough", (after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec >= 2'000'000);
    const timespec wrong{0, 1'000'000'000};
    show("bad nanoseconds", nanosleep(&wrong, nullptr));
    show("bad clock", clock_gettime(99, &before));
    clock_gettime(CLOCK_REALTIME, &before);
    show("after 2020", before.tv_sec > 1577836800);
    show("cpu clock", clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before));
    show("resolution", clock_getres(CLOCK_MONOTONIC, &before));
    show("resolution ns", before.tv_nsec);
    clock_gettime(CLOCK_MONOTONIC, &before);
    show("absolute in the past", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, nullptr));
    signal(SIGALRM, [](int) {});
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    const timespec longer{60, 0};
    timespec left{};
    clock_gettime(CLOCK_MONOTONIC, &before);
    {
        const Alarms alarms;
        show("interrupted sleep", nanosleep(&longer, &left));
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    // What passed around the sleep is at least what passed in it.
    const auto milliseconds = [](const timespec& time) { return time.tv_sec * 1000 + time.tv_nsec / 1'000'000; };
    show("time left", milliseconds(left) < 60'000 && milliseconds(left) + milliseconds(after) - milliseconds(before) >= 59'990);
    timer_t timer;
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    show("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
    itimerspec when{{0, 0}, {0, 5'000'000}};
    sigset_t none, alarm;
    sigemptyset(&none);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, nullptr);
    show("timer_settime", timer_settime(timer, 0, &when, nullptr));
    show("timer signal", sigsuspend(&none));
    show("timer_delete", timer_delete(timer));
    show("timer_delete again", timer_delete(timer));
    rusage usage{};
    show("getrusage", getrusage(RUSAGE_SELF, &usage));
    show("getrusage bad", getrusage(static_cast<__rusage_who>(55), &usage));
}

} // namespace conformance
