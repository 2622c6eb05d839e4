#include "tests/linux/conformance/check.hpp"

#include <csetjmp>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static volatile sig_atomic_t count, last_code, last_signal;
static volatile void* last_address;
static sigjmp_buf out;

static void note(int number, siginfo_t* info, void*) {
    count = count + 1;
    last_signal = number;
    last_code = info->si_code;
    last_address = info->si_addr;
}
static void jump(int number, siginfo_t* info, void* context) {
    note(number, info, context);
    siglongjmp(out, 1);
}
static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(number, &action, nullptr);
}

static void faults() {
    install(SIGSEGV, jump);
    install(SIGBUS, jump);
    install(SIGFPE, jump);
    install(SIGILL, jump);
    install(SIGTRAP, note);
    if (sigsetjmp(out, 1) == 0)
        *reinterpret_cast<volatile int*>(0x1234) = 1;
    show("segv code", last_code);
    show("segv address", reinterpret_cast<long>(last_address));
    void* page = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(out, 1) == 0)
        *static_cast<volatile int*>(page) = 1;
    show("access code", last_code);
    show("access address", last_address == page);
    if (sigsetjmp(out, 1) == 0)
        *reinterpret_cast<volatile int*>(0x8000'0000'0000'0000) = 1;
    show("non-canonical code", last_code);
    volatile int zero = 0;
    if (sigsetjmp(out, 1) == 0)
        asm volatile("xor %%edx, %%edx; mov $1, %%eax; divl %0" ::"m"(zero) : "eax", "edx");
    show("division signal", last_signal);
    show("division code", last_code);
    if (sigsetjmp(out, 1) == 0)
        asm volatile("ud2");
    show("illegal signal", last_signal);
    show("illegal code", last_code);
    if (sigsetjmp(out, 1) == 0)
        asm volatile("hlt");
    show("privileged signal", last_signal);
    show("privileged code", last_code);
    asm volatile("int3");
    show("trap signal", last_signal);
    show("trap code", last_code);
}

static void masks() {
    count = 0;
    install(SIGUSR1, note);
    install(SIGRTMIN, note);
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    sigval value{};
    sigqueue(getpid(), SIGRTMIN, value);
    sigqueue(getpid(), SIGRTMIN, value);
    sigpending(&pending);
    show("pending", sigismember(&pending, SIGUSR1));
    show("count while blocked", count);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    show("standard merge, realtime queue", count);
    show("block kill ignored", sigprocmask(SIG_BLOCK, &set, nullptr));
    siginfo_t info{};
    kill(getpid(), SIGUSR1);
    const timespec second{1, 0}, none{0, 0};
    show("sigtimedwait", sigtimedwait(&set, &info, &second));
    show("sigtimedwait code", info.si_code);
    show("sigtimedwait empty", sigtimedwait(&set, &info, &none));
    struct sigaction action {};
    show("sigaction kill", sigaction(SIGKILL, &action, nullptr) == -1 && errno == EINVAL);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

static void restarts() {
    int ends[2];
    pipe(ends);
    install(SIGALRM, note, 0);
    char byte = 0;
    {
        const Alarms alarms;
        show("read interrupted", read(ends[0], &byte, 1));
    }
    install(SIGALRM, note, SA_RESTART);
    const pid_t child = fork();
    if (child == 0) {
        const timespec wait{0, 60'000'000};
        nanosleep(&wait, nullptr);
        write(ends[1], "z", 1);
        _exit(0);
    }
    {
        const Alarms alarms;
        show("read restarted", read(ends[0], &byte, 1));
    }
    show("alarms", count >= 1);
    waitpid(child, nullptr, 0);
    sigset_t empty;
    sigemptyset(&empty);
    {
        const Alarms alarms;
        show("sigsuspend", sigsuspend(&empty));
    }
    alarm(100);
    const unsigned left = alarm(0);
    show("alarm left", left > 0 && left <= 100);
}

// Signals instead of waiting: O_ASYNC.
static void signal_driven() {
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    install(SIGIO, note);
    install(SIGRTMIN + 1, note);
    int on = 1;
    char byte = 0;
    count = 0;
    show("FIOASYNC", ioctl(ends[0], FIOASYNC, &on));
    show("O_ASYNC", (fcntl(ends[0], F_GETFL) & O_ASYNC) != 0);
    show("no owner", fcntl(ends[0], F_GETOWN));
    write(ends[1], "a", 1);
    show("signals to nobody", count);
    show("owner", fcntl(ends[0], F_SETOWN, getpid()));
    show("same owner", fcntl(ends[0], F_GETOWN) == getpid());
    show("missing owner", fcntl(ends[0], F_SETOWN, 3999999));
    write(ends[1], "b", 1);
    show("signals", count >= 1);
    show("signal is SIGIO", last_signal == SIGIO);
    show("bad signal", fcntl(ends[0], F_SETSIG, 65));
    show("F_SETSIG", fcntl(ends[0], F_SETSIG, SIGRTMIN + 1));
    show("F_GETSIG", fcntl(ends[0], F_GETSIG) == SIGRTMIN + 1);
    write(ends[1], "c", 1);
    show("chosen signal", last_signal == SIGRTMIN + 1);
    show("code", last_code == POLL_IN);
    show("off", fcntl(ends[0], F_SETFL, 0));
    count = 0;
    write(ends[1], "d", 1);
    show("signals after", count);
    read(ends[0], &byte, 1);
    const int file = memfd_create("x", 0);
    show("FIOASYNC of a file", ioctl(file, FIOASYNC, &on));
    close(file);
    close(ends[0]);
    close(ends[1]);
}

static char alternate[65536];
static volatile bool on_alternate;
static void where(int, siginfo_t*, void*) {
    char here;
    on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
}

void signals() {
    faults();
    masks();
    restarts();
    signal_driven();
    stack_t stack{};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    show("sigaltstack", sigaltstack(&stack, nullptr));
    install(SIGUSR2, where, SA_ONSTACK);
    raise(SIGUSR2);
    show("on alternate stack", on_alternate);
    install(SIGUSR2, where, 0);
    raise(SIGUSR2);
    show("on normal stack", !on_alternate);
    // Vector registers survive a handler that uses them.
    double value = 1.5;
    asm volatile("movsd %0, %%xmm7" ::"m"(value) : "xmm7");
    raise(SIGUSR1);
    double after = 0;
    asm volatile("movsd %%xmm7, %0" : "=m"(after));
    show("child signal", SIGCHLD);
    signal(SIGCHLD, SIG_IGN);
    const pid_t child = fork();
    if (child == 0)
        _exit(1);
    show("ignored children are not waited for", waitpid(child, nullptr, 0));
}

} // namespace conformance
