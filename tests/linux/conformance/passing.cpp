// What goes between processes: bytes through full pipes, descriptors and credentials through sockets, pages of shared mappings, events of epoll.
#include "tests/linux/conformance/check.hpp"

#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static char block[256 * 1024];

static void full_pipes() {
    int ends[2];
    pipe2(ends, O_NONBLOCK);
    show("smaller", fcntl(ends[1], F_SETPIPE_SZ, 4096));
    show("odd size", fcntl(ends[1], F_SETPIPE_SZ, 5000));
    show("partial write", write(ends[1], block, 10000));
    show("full", write(ends[1], block, 1));
    show("shrink below the content", fcntl(ends[1], F_SETPIPE_SZ, 4096));
    pollfd wait{ends[1], POLLOUT, 0};
    show("not writable", poll(&wait, 1, 0));
    show("read a page", read(ends[0], block, 4096));
    show("writable", poll(&wait, 1, 0));
    show("write that fits not", write(ends[1], block, 4096));
    fcntl(ends[1], F_SETFL, 0);
    fcntl(ends[0], F_SETFL, 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(write(ends[1], block, sizeof block) == sizeof block ? 0 : 1);
    }
    close(ends[1]);
    long total = 0;
    for (ssize_t got; (got = read(ends[0], block, 3000)) > 0;)
        total += got;
    show("all through a small pipe", total);
    int status = 0;
    waitpid(child, &status, 0);
    show("written in one call", status);
    // Writes of up to 4096 bytes do not mix.
    pipe(ends);
    for (int i = 0; i < 4; ++i)
        if (fork() == 0) {
            char line[500];
            std::memset(line, 'a' + i, sizeof line);
            for (int n = 0; n < 200; ++n)
                write(ends[1], line, sizeof line);
            _exit(0);
        }
    close(ends[1]);
    int whole = 0;
    for (int n = 0; n < 800; ++n) {
        char line[500];
        for (std::size_t got = 0; got < sizeof line;) {
            const ssize_t more = read(ends[0], line + got, sizeof line - got);
            if (more <= 0)
                return show("unexpected end", n);
            got += static_cast<std::size_t>(more);
        }
        whole += line[0] == line[499] && line[0] == line[250];
    }
    show("whole records", whole);
    while (wait4(-1, nullptr, 0, nullptr) > 0)
        ;
}

template <std::size_t size> struct Control {
    alignas(cmsghdr) char bytes[size] = {};
    char text[32] = {};
    iovec part{text, sizeof text};
    msghdr message{};
    Control() {
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = bytes;
        message.msg_controllen = size;
    }
};

static void send_descriptors(int socket, const int* list, int count) {
    Control<CMSG_SPACE(sizeof(int) * 4)> send;
    send.part.iov_len = 1;
    cmsghdr* const header = CMSG_FIRSTHDR(&send.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<unsigned>(count));
    std::memcpy(CMSG_DATA(header), list, sizeof(int) * static_cast<unsigned>(count));
    send.message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<unsigned>(count));
    show("sent descriptors", sendmsg(socket, &send.message, 0));
}

static void descriptors() {
    int pair[2], ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pipe(ends);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        close(ends[1]);
        Control<CMSG_SPACE(sizeof(int) * 4)> got;
        recvmsg(pair[1], &got.message, MSG_CMSG_CLOEXEC);
        const cmsghdr* const header = CMSG_FIRSTHDR(&got.message);
        int list[2] = {-1, -1};
        if (header != nullptr && header->cmsg_len == CMSG_LEN(sizeof list))
            std::memcpy(list, CMSG_DATA(header), sizeof list);
        write(list[1], "through", 7);
        _exit(fcntl(list[0], F_GETFD) == FD_CLOEXEC ? 0 : 1);
    }
    send_descriptors(pair[0], ends, 2);
    close(ends[1]);
    char text[16] = {};
    show("through a passed pipe", read(ends[0], text, sizeof text));
    int status = 0;
    waitpid(child, &status, 0);
    show("passed with close-on-exec", status);
    show("its end came with the child's", read(ends[0], text, sizeof text));
    const int both[2] = {pair[0], ends[0]};
    send_descriptors(pair[0], both, 2);
    Control<CMSG_SPACE(sizeof(int))> little;
    show("little room", recvmsg(pair[1], &little.message, 0));
    show("cut", (little.message.msg_flags & MSG_CTRUNC) != 0);
    send_descriptors(pair[0], both, 1);
    show("plain read drops them", read(pair[1], text, sizeof text));
    const int bad = 987;
    Control<CMSG_SPACE(sizeof(int))> wrong;
    cmsghdr* const header = CMSG_FIRSTHDR(&wrong.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof bad);
    std::memcpy(CMSG_DATA(header), &bad, sizeof bad);
    show("bad descriptor", sendmsg(pair[0], &wrong.message, 0));
}

static void credentials() {
    int pair[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    const int on = 1;
    show("passcred", setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    const pid_t child = fork();
    if (child == 0) {
        setgid(1000);
        setuid(1000);
        write(pair[0], "x", 1);
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    Control<CMSG_SPACE(sizeof(ucred))> got;
    show("received", recvmsg(pair[1], &got.message, 0));
    const cmsghdr* const header = CMSG_FIRSTHDR(&got.message);
    show("type", header != nullptr ? header->cmsg_type : -1);
    ucred who{};
    if (header != nullptr)
        std::memcpy(&who, CMSG_DATA(header), sizeof who);
    show("pid", who.pid == child);
    show("uid", who.uid);
    show("gid", who.gid);
    ucred peer{};
    socklen_t length = sizeof peer;
    int stream[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, stream);
    show("peercred", getsockopt(stream[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    show("is me", peer.pid == getpid() && peer.uid == 0);
    // An abstract name, and a receiver without a connection.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, "\0conformance", 12);
    constexpr socklen_t size = offsetof(sockaddr_un, sun_path) + 12;
    const int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    show("abstract bind", bind(receiver, reinterpret_cast<sockaddr*>(&address), size));
    show("abstract taken", bind(sender, reinterpret_cast<sockaddr*>(&address), size));
    show("sendto", sendto(sender, "abc", 3, 0, reinterpret_cast<sockaddr*>(&address), size));
    sockaddr_un from{};
    socklen_t from_length = sizeof from;
    char text[8];
    show("recvfrom", recvfrom(receiver, text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &from_length));
    show("sender without a name", from_length);
    close(receiver);
    show("name is gone", sendto(sender, "abc", 3, 0, reinterpret_cast<sockaddr*>(&address), size));
}

static sigjmp_buf out;
static siginfo_t fault;
static void mappings() {
    auto* shared = static_cast<volatile int*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const pid_t child = fork();
    if (child == 0) {
        while (shared[0] == 0)
            usleep(500);
        shared[1024] = shared[0] + 1;
        _exit(0);
    }
    shared[0] = 41;
    waitpid(child, nullptr, 0);
    show("both ways", shared[1024]);
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        fault = *info;
        siglongjmp(out, 1);
    };
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    char* const page = const_cast<char*>(reinterpret_cast<volatile char*>(shared)) + 4096;
    mprotect(page, 4096, PROT_READ);
    if (sigsetjmp(out, 1) == 0)
        page[123] = 1;
    show("address of the fault", fault.si_addr == page + 123);
    show("code", fault.si_code);
    show("value is untouched", shared[1024]);
    mprotect(page, 4096, PROT_NONE);
    if (sigsetjmp(out, 1) == 0)
        (void)*static_cast<volatile char*>(page + 7);
    show("address of the read", fault.si_addr == page + 7);
    munmap(page, 4096);
    if (sigsetjmp(out, 1) == 0)
        (void)*static_cast<volatile char*>(page + 9);
    show("code where nothing is", fault.si_code);
    const int file = memfd_create("short", 0);
    ftruncate(file, 4096);
    auto* beyond = static_cast<volatile char*>(mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file, 0));
    if (sigsetjmp(out, 1) == 0)
        (void)beyond[5000];
    show("behind the file", fault.si_signo);
    show("code behind the file", fault.si_code);
    show("read into a read-only page", read(file, const_cast<char*>(beyond), 10));
    int ends[2];
    pipe(ends);
    show("write from nowhere", write(ends[1], page, 10));
}

static void events() {
    int ends[2];
    pipe2(ends, O_NONBLOCK);
    const int set = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{EPOLLIN | EPOLLET, {}}, got[4];
    epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
    write(ends[1], "abc", 3);
    show("edge", epoll_wait(set, got, 4, 0));
    char byte;
    read(ends[0], &byte, 1);
    show("rest makes no edge", epoll_wait(set, got, 4, 0));
    write(ends[1], "d", 1);
    show("more makes one", epoll_wait(set, got, 4, 0));
    epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event);
    show("so does modify", epoll_wait(set, got, 4, 0));
    const int outer = epoll_create1(0);
    event.events = EPOLLIN;
    show("nested", epoll_ctl(outer, EPOLL_CTL_ADD, set, &event));
    show("nested loop", epoll_ctl(set, EPOLL_CTL_ADD, outer, &event));
    write(ends[1], "e", 1);
    show("through the nested", epoll_wait(outer, got, 4, 0));
    const int copy = dup(ends[0]);
    close(ends[0]);
    write(ends[1], "f", 1);
    show("a duplicate keeps it", epoll_wait(set, got, 4, 0));
    close(copy);
    show("gone with the last", epoll_wait(set, got, 4, 0));
    const int counter = eventfd(0, EFD_NONBLOCK);
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
    show("writable counter", epoll_wait(set, got, 4, 0) == 1 && got[0].events == EPOLLOUT);
    const pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        eventfd_write(counter, 5);
        _exit(0);
    }
    show("woken by a child", epoll_wait(set, got, 4, 20000) == 1 && got[0].events == (EPOLLIN | EPOLLOUT));
    waitpid(child, nullptr, 0);
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const itimerspec periodic{{0, 2'000'000}, {0, 2'000'000}};
    timerfd_settime(timer, 0, &periodic, nullptr);
    event.events = EPOLLIN;
    epoll_ctl(set, EPOLL_CTL_ADD, timer, &event);
    show("timer in the set", epoll_wait(set, got, 4, 20000));
    usleep(20000);
    std::uint64_t expiries = 0;
    read(timer, &expiries, sizeof expiries);
    show("expiries", expiries >= 5);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, nullptr);
    signal(SIGUSR1, [](int) {});
    kill(getpid(), SIGUSR1);
    sigemptyset(&mask);
    epoll_ctl(set, EPOLL_CTL_DEL, timer, nullptr);
    show("pwait lets the signal in", epoll_pwait(set, got, 4, 20000, &mask));
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    show("mask comes back", sigismember(&now, SIGUSR1));
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    event.events = EPOLLIN | EPOLLRDHUP;
    epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event);
    shutdown(pair[1], SHUT_WR);
    show("half closed", epoll_wait(set, got, 4, 1000) == 1 ? static_cast<long>(got[0].events) : -2);
    close(pair[1]);
    show("closed", epoll_wait(set, got, 4, 1000) == 1 ? static_cast<long>(got[0].events) : -2);
}

void passing() {
    full_pipes();
    descriptors();
    credentials();
    mappings();
    events();
}

} // namespace conformance
