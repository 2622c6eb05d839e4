// How signals arrive: flags of sigaction, alternate stacks, children, timers, signalfd.
#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>

namespace conformance {

static volatile sig_atomic_t depth, deepest, raised, calls, value_sum;
static siginfo_t last;

static void record(int, siginfo_t* info, void*) {
    last = *info;
    calls = calls + 1;
    value_sum = value_sum * 10 + info->si_value.sival_int;
}
static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags = 0, int blocked = 0) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    if (blocked != 0)
        sigaddset(&action.sa_mask, blocked);
    sigaction(number, &action, nullptr);
}
static void nest(int number, siginfo_t*, void*) {
    depth = depth + 1;
    if (depth > deepest)
        deepest = depth;
    raised = raised + 1;
    if (raised < 3)
        raise(number);
    depth = depth - 1;
}
static sigset_t set_of(int one, int two = 0) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (two != 0)
        sigaddset(&set, two);
    return set;
}

static void flags() {
    install(SIGUSR1, nest);
    raise(SIGUSR1);
    show("blocked while handled", deepest);
    deepest = 0;
    raised = 0;
    install(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    show("nodefer nests", deepest);
    install(SIGUSR1, record, static_cast<int>(SA_RESETHAND));
    raise(SIGUSR1);
    struct sigaction now {};
    sigaction(SIGUSR1, nullptr, &now);
    show("handler is reset", now.sa_handler == SIG_DFL);
    install(SIGUSR1, [](int, siginfo_t*, void*) {
        raise(SIGUSR2);
        sigset_t pending;
        sigpending(&pending);
        show("blocked by sa_mask", sigismember(&pending, SIGUSR2));
    }, 0, SIGUSR2);
    install(SIGUSR2, record);
    calls = 0;
    raise(SIGUSR1);
    show("delivered after the handler", calls);
    // A handler may change where the program goes on, and its mask.
    install(SIGUSR1, [](int, siginfo_t*, void* context) { sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, SIGWINCH); });
    raise(SIGUSR1);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    show("mask from the context", sigismember(&mask, SIGWINCH));
    install(SIGILL, [](int, siginfo_t* info, void* context) {
        show("address of the instruction", info->si_addr == reinterpret_cast<void*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]));
        static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
    });
    asm volatile("ud2");
    show("went on behind", 1);
}

static void interruptions() {
    const timespec minute{60, 0};
    install(SIGALRM, record, SA_RESTART);
    const int set = epoll_create1(0);
    epoll_event event{};
    {
        const Alarms alarms;
        show("nanosleep is not restarted", nanosleep(&minute, nullptr));
        show("poll is not restarted", poll(nullptr, 0, 60000));
        show("epoll_wait is not restarted", epoll_wait(set, &event, 1, 60000));
        show("pause", pause());
    }
    close(set);
    const pid_t child = fork();
    if (child == 0) {
        usleep(100000);
        _exit(7);
    }
    int status = 0;
    const Alarms alarms;
    show("waitpid is restarted", waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
    signal(SIGALRM, SIG_IGN);
    const timespec brief{0, 80'000'000};
    show("ignored signals end no sleep", nanosleep(&brief, nullptr));
}

static char alternate[65536];
static void stacks() {
    stack_t stack{};
    stack.ss_sp = alternate;
    stack.ss_size = 100;
    show("alternate stack too small", sigaltstack(&stack, nullptr));
    stack.ss_size = sizeof alternate;
    stack.ss_flags = 77;
    show("alternate stack bad flags", sigaltstack(&stack, nullptr));
    stack.ss_flags = 0;
    sigaltstack(&stack, nullptr);
    install(SIGUSR1, [](int, siginfo_t*, void*) {
        stack_t now{};
        sigaltstack(nullptr, &now);
        show("on the stack", now.ss_flags);
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        show("change while on it", sigaltstack(&none, nullptr));
    }, SA_ONSTACK);
    raise(SIGUSR1);
    stack_t now{};
    sigaltstack(nullptr, &now);
    show("off the stack", now.ss_flags);
    const pid_t child = fork();
    if (child == 0) {
        // Where the stack has overflowed, only the alternate one is left.
        install(SIGSEGV, [](int, siginfo_t*, void*) { _exit(21); }, SA_ONSTACK);
        asm volatile("mov $0x1000, %%rsp; push %%rax" ::: "memory");
        _exit(99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    show("overflow is handled", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
}

static void queued() {
    const sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    for (int i = 1; i <= 3; ++i) {
        sigval value{};
        value.sival_int = i;
        sigqueue(getpid(), SIGRTMIN + 1, value);
        sigqueue(getpid(), SIGRTMIN, value);
    }
    install(SIGRTMIN, record);
    install(SIGRTMIN + 1, record);
    value_sum = 0;
    siginfo_t info{};
    show("lowest first", sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 1 && info.si_code == SI_QUEUE);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    // Linux builds the frames of all pending signals before the first handler runs, so the last one runs first.
    show("values in the order of handlers", value_sum);
}

static void children() {
    install(SIGCHLD, record, SA_RESTART);
    calls = 0;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    siginfo_t info{};
    kill(child, SIGSTOP);
    show("waitid stopped", waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED));
    show("code", info.si_code);
    // Linux may tell waitid first, here as below.
    for (const volatile int& told = last.si_code; told != CLD_STOPPED;)
        usleep(1000);
    show("signal told", last.si_code);
    kill(child, SIGCONT);
    show("waitid continued", waitid(P_PID, static_cast<id_t>(child), &info, WCONTINUED));
    show("code", info.si_code);
    // Linux tells waitid first; the child itself sends the signal, once it runs. A later one must not find it pending.
    for (const volatile int& told = last.si_code; told != CLD_CONTINUED;)
        usleep(1000);
    kill(child, SIGKILL);
    show("waitid killed", waitid(P_ALL, 0, &info, WEXITED));
    show("code", info.si_code);
    show("status", info.si_status);
    show("pid", info.si_pid == child);
    show("told of the death", last.si_code == CLD_KILLED && last.si_status == SIGKILL && last.si_pid == child);
    install(SIGCHLD, record, SA_RESTART | SA_NOCLDSTOP);
    calls = 0;
    child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(3);
    }
    waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED);
    show("no signal for a stop", calls);
    kill(child, SIGCONT);
    waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
    waitid(P_PID, static_cast<id_t>(child), &info, WEXITED);
    show("exit status", info.si_status);
    install(SIGCHLD, record, SA_RESTART | SA_NOCLDWAIT);
    calls = 0;
    child = fork();
    if (child == 0)
        _exit(1);
    show("nobody to wait for", waitpid(child, nullptr, 0));
    show("but told", calls);
    signal(SIGCHLD, SIG_DFL);
    info = {};
    show("waitid without children", waitid(P_ALL, 0, &info, WEXITED));
}

static void descriptors() {
    const sigset_t set = set_of(SIGCHLD, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const int file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signalfd_siginfo info[3];
    show("signalfd empty", read(file, info, sizeof info));
    show("signalfd short", read(file, info, 100));
    show("signalfd write", write(file, info, sizeof info));
    const int poller = epoll_create1(0);
    epoll_event event{EPOLLIN, {}};
    epoll_ctl(poller, EPOLL_CTL_ADD, file, &event);
    show("nothing yet", epoll_wait(poller, &event, 1, 0));
    const pid_t child = fork();
    if (child == 0)
        _exit(9);
    show("told by epoll", epoll_wait(poller, &event, 1, 100000));
    sigval value{};
    value.sival_int = 77;
    sigqueue(getpid(), SIGUSR1, value);
    show("two at once", read(file, info, sizeof info) / static_cast<long>(sizeof info[0]));
    show("first", info[0].ssi_signo);
    show("value", info[0].ssi_int);
    show("second", info[1].ssi_signo);
    show("second status", info[1].ssi_status);
    show("second code", info[1].ssi_code);
    waitpid(child, nullptr, 0);
    const sigset_t other = set_of(SIGUSR2);
    show("change", signalfd(file, &other, 0) == file);
    kill(getpid(), SIGUSR1);
    show("not its signal any more", epoll_wait(poller, &event, 1, 0));
    show("signalfd of another file", signalfd(poller, &other, 0));
    show("signalfd bad flags", signalfd(-1, &other, 1));
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

static void timers() {
    install(SIGUSR1, record);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 42;
    timer_t timer;
    show("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
    const sigset_t set = set_of(SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const itimerspec periodic{{0, 1'000'000}, {0, 1'000'000}};
    show("timer_settime", timer_settime(timer, 0, &periodic, nullptr));
    usleep(50000);
    siginfo_t info{};
    show("signal", sigwaitinfo(&set, &info));
    show("code", info.si_code == SI_TIMER);
    show("value", info.si_value.sival_int);
    show("overrun", info.si_overrun > 3);
    show("timer_getoverrun", timer_getoverrun(timer) > 3);
    itimerspec now{};
    show("timer_gettime", timer_gettime(timer, &now));
    show("interval", now.it_interval.tv_nsec);
    show("armed", now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 1'000'000);
    const itimerspec off{};
    show("disarm", timer_settime(timer, 0, &off, &now));
    show("old interval", now.it_interval.tv_nsec);
    timer_gettime(timer, &now);
    show("disarmed", now.it_value.tv_nsec + now.it_interval.tv_nsec);
    const itimerspec wrong{{0, 0}, {0, 2'000'000'000}};
    show("bad time", timer_settime(timer, 0, &wrong, nullptr));
    const itimerspec past{{0, 0}, {0, 1}};
    const timespec none{0, 0}, minute{60, 0};
    while (sigtimedwait(&set, &info, &none) > 0)
        ;
    timer_settime(timer, TIMER_ABSTIME, &past, nullptr);
    show("absolute in the past", sigtimedwait(&set, &info, &minute));
    show("timer_delete", timer_delete(timer));
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    show("bad clock", timer_create(99, &event, &timer));
    event.sigev_signo = 99;
    show("bad signal", timer_create(CLOCK_MONOTONIC, &event, &timer));
    event.sigev_signo = SIGUSR1;
    event.sigev_notify = 77;
    show("bad notice", timer_create(CLOCK_MONOTONIC, &event, &timer));
    // The C library's notice by a function runs on a thread of its own.
    static volatile int ran;
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_value.sival_int = 5;
    event.sigev_notify_function = [](sigval value) { ran = value.sival_int; };
    show("by thread", timer_create(CLOCK_REALTIME, &event, &timer));
    const itimerspec once{{0, 0}, {0, 1'000'000}};
    timer_settime(timer, 0, &once, nullptr);
    while (ran == 0)
        usleep(1000);
    show("ran", ran);
    timer_delete(timer);
}

void delivery() {
    flags();
    interruptions();
    stacks();
    queued();
    children();
    descriptors();
    timers();
}

} // namespace conformance
