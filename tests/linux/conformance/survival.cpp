// What must end does, and what must go on does: waits that a signal ends, signals that are waited for, threads that are made while their process ends, and process 1.
#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static void nap(long milliseconds) {
    const timespec length{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    nanosleep(&length, nullptr);
}

// How a child ends that runs `body` and gets SIGKILL after a while.
static void show_killed(const char* name, void (*body)()) {
    const pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    nap(50);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    show(name, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

// A hang-up is no event for a set that asks for exceptions or for room alone.
static void select_over_hang_up() {
    int ends[2];
    pipe(ends);
    close(ends[1]);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    select(ends[0] + 1, nullptr, nullptr, &set, nullptr);
}

static void select_times_out() {
    int ends[2];
    pipe(ends);
    close(ends[1]);
    fd_set exceptions, readable;
    FD_ZERO(&exceptions);
    FD_SET(ends[0], &exceptions);
    timeval limit{0, 20000};
    show("select for exceptions only", select(ends[0] + 1, nullptr, nullptr, &exceptions, &limit));
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    limit = {0, 20000};
    show("select for reading", select(ends[0] + 1, &readable, nullptr, nullptr, &limit));
    close(ends[0]);
}

// The source grows as fast as it is read.
static void send_to_itself() {
    const int from = open("/tmp/endless", O_CREAT | O_RDWR, 0600), to = open("/tmp/endless", O_RDWR);
    unlink("/tmp/endless");
    static char some[65536];
    write(to, some, sizeof some);
    sendfile(to, from, nullptr, 0x7ffff000);
}

static void waited_for() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGURG);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const pid_t child = fork();
    if (child == 0) {
        nap(30);
        _exit(7);
    }
    timespec limit{100, 0};
    siginfo_t info;
    show("blocked and ignored by default, waited for", sigtimedwait(&set, &info, &limit));
    show("its status", info.si_status);
    waitpid(child, nullptr, 0);
    const pid_t sender = fork();
    if (sender == 0) {
        nap(30);
        kill(getppid(), SIGURG);
        _exit(0);
    }
    sigdelset(&set, SIGCHLD);
    show("sent meanwhile", sigtimedwait(&set, &info, &limit));
    waitpid(sender, nullptr, 0);
    sigaddset(&set, SIGCHLD);
    limit = {};
    while (sigtimedwait(&set, &info, &limit) > 0) {
    }
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

static volatile bool* go; // shared with the child

static void* spin(void*) {
    while (!*go)
        nap(1);
    for (;;) {
    }
}
static void* make_threads(void*) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_t made;
    for (int i = 0; i < 25 && pthread_create(&made, &attributes, spin, nullptr) == 0; ++i) {
    }
    for (;;)
        pause();
}

// Threads are made while another thread's exec or exit ends them all: none is left over.
static void made_while_ending(const char* name, bool exec) {
    go = static_cast<volatile bool*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int ended = 0;
    for (int round = 0; round < 12; ++round) {
        *go = false;
        const pid_t child = fork();
        if (child == 0) {
            pthread_t maker;
            for (int i = 0; i < 2; ++i)
                pthread_create(&maker, nullptr, make_threads, nullptr);
            nap(round % 6);
            *go = true;
            close(1);
            if (exec)
                execl("/proc/self/exe", "test-conformance", "nothing-of-this-name", nullptr);
            _exit(0);
        }
        int status = 0;
        bool over = false;
        for (int turn = 0; turn < 10'000 && !over; ++turn) {
            over = waitpid(child, &status, WNOHANG) == child;
            if (!over)
                nap(10);
        }
        ended += over;
        if (!over)
            kill(child, SIGKILL);
    }
    munmap(const_cast<bool*>(go), 4096);
    show(name, ended);
}

// Process 1 has no handler for SIGTERM: no way of sending it one ends the container.
static void process_one() {
    show("kill", kill(1, SIGTERM));
    // Left to process 1 by its maker, it ends with the signal that the maker chose.
    const pid_t maker = fork();
    if (maker == 0) {
        if (syscall(SYS_clone, SIGTERM, nullptr, nullptr, nullptr, nullptr) == 0)
            nap(30);
        _exit(0);
    }
    waitpid(maker, nullptr, 0);
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    show("owner", fcntl(ends[0], F_SETOWN, 1));
    fcntl(ends[0], F_SETSIG, SIGKILL);
    fcntl(ends[0], F_SETFL, O_ASYNC);
    write(ends[1], "x", 1);
    const pid_t sibling_maker = fork();
    if (sibling_maker == 0) {
        // The maker ended with SIGCHLD, so its sibling does too.
        const long made = syscall(SYS_clone, CLONE_PARENT | SIGUSR1, nullptr, nullptr, nullptr, nullptr);
        if (made == 0)
            _exit(0);
        nap(30);
        _exit(made > 0 ? 0 : 1);
    }
    int status = -1, children = 0;
    while (wait(&status) > 0)
        ++children;
    show("children of the maker's parent", children);
    nap(60);
    show_text("process 1", kill(1, 0) == 0 ? "lives" : "is gone");
}

// Sockets in flight within sockets: closing the last one ends them all.
static void nested_sockets() {
    int inner = -1;
    int made = 0;
    for (; made < 4000; ++made) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            break;
        if (inner >= 0) {
            char byte = 'x', room[CMSG_SPACE(sizeof(int))] = {};
            iovec piece{&byte, 1};
            msghdr message{};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            message.msg_control = room;
            message.msg_controllen = sizeof room;
            cmsghdr* const head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(head), &inner, sizeof(int));
            if (sendmsg(ends[1], &message, 0) != 1)
                break;
            close(inner);
        }
        close(ends[1]);
        inner = ends[0];
    }
    close(inner);
    show("many sockets in sockets", made >= 4);
}

// How deep epolls may lie in each other, counted in both directions, and what one without events reports.
static void nested_epolls() {
    int chain[8];
    epoll_event event{EPOLLIN, {}};
    for (int& one : chain)
        one = epoll_create1(0);
    for (int i = 1; i < 8; ++i)
        show("one more on top", epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &event));
    show("a circle", epoll_ctl(chain[0], EPOLL_CTL_ADD, chain[2], &event));
    for (const int one : chain)
        close(one);
    // Forty, each in all before it: there are too many ways for a walk that takes each of them.
    int many[40];
    int held = 0;
    for (int& one : many)
        one = epoll_create1(0);
    for (int i = 0; i < 40; ++i)
        for (int j = 0; j < i; ++j)
            held += epoll_ctl(many[i], EPOLL_CTL_ADD, many[j], &event) == 0;
    show("some were held", held > 0 && held < 780);
    for (const int one : many)
        close(one);
    int ends[2];
    pipe(ends);
    const int set = epoll_create1(0);
    event.events = 0;
    epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
    close(ends[1]);
    show("a hang-up that nobody asked for", epoll_wait(set, &event, 1, 1000));
    show("its events", event.events);
    close(ends[0]);
    close(set);
}

void survival() {
    show_killed("select over a hang-up, killed", select_over_hang_up);
    select_times_out();
    show_killed("sendfile to itself, killed", send_to_itself);
    waited_for();
    nested_sockets();
    nested_epolls();
    made_while_ending("exec ended with its siblings", true);
    made_while_ending("exit ended with its siblings", false);
    process_one();
}

} // namespace conformance
