#include "bench/micro/measure.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstdint>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace micro {

namespace {

// Two processes that hand a byte back and forth over the given descriptors.
void ping_pong(const char* name, int mine_in, int mine_out, int other_in, int other_out) {
    const pid_t child = fork();
    char byte = 0;
    if (child == 0) {
        if (other_in != mine_in)
            close(mine_in), close(mine_out);
        while (read(other_in, &byte, 1) == 1)
            if (write(other_out, &byte, 1) != 1)
                break;
        _exit(0);
    }
    measure(name, 100, [&] {
        if (write(mine_out, &byte, 1) != 1 || read(mine_in, &byte, 1) != 1)
            die(name);
    });
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

// Another process reads what this one writes, and answers with a byte when it has each MiB.
void stream(const char* name, int mine, int other) {
    std::vector<char> chunk(chunk_size);
    const pid_t child = fork();
    if (child == 0) {
        close(mine);
        std::size_t all = 0;
        for (;;) {
            const ssize_t size = read(other, chunk.data(), chunk.size());
            if (size <= 0)
                _exit(0);
            all += static_cast<std::size_t>(size);
            if (all % mebibyte == 0 && write(other, chunk.data(), 1) != 1)
                _exit(1);
        }
    }
    measure(name, 4, [&] {
        for (std::size_t left = mebibyte; left != 0;) {
            const ssize_t size = write(mine, chunk.data(), std::min(left, chunk.size()));
            if (size <= 0)
                die(name);
            left -= static_cast<std::size_t>(size);
        }
        if (read(mine, chunk.data(), 1) != 1)
            die(name);
    });
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(mine);
    close(other);
}

int listen_at(sockaddr_in& address) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 1) != 0)
        die("listen");
    socklen_t size = sizeof address;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    return listener;
}

struct Pair {
    int client, server;
};

Pair connect_to(int listener, const sockaddr_in& address) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        die("connect");
    const int server = accept(listener, nullptr, nullptr);
    if (server < 0)
        die("accept");
    return {client, server};
}

Pair tcp_pair() {
    sockaddr_in address{};
    const int listener = listen_at(address);
    const Pair pair = connect_to(listener, address);
    close(listener);
    const int on = 1;
    for (const int end : {pair.client, pair.server})
        setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return pair;
}

// One end of what event loops do: it sleeps in epoll_wait until its eventfd has been written.
class Loop {
public:
    Loop() {
        epoll_event event{};
        event.events = EPOLLIN;
        if (event_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event) != 0)
            die("epoll_ctl");
    }
    ~Loop() {
        close(epoll_);
        close(event_);
    }
    void wait() const {
        epoll_event event{};
        std::uint64_t value = 0;
        if (epoll_wait(epoll_, &event, 1, -1) != 1 || read(event_, &value, sizeof value) != sizeof value)
            die("epoll_wait");
    }
    void wake() const {
        const std::uint64_t one = 1;
        if (write(event_, &one, sizeof one) != sizeof one)
            die("write");
    }

private:
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    int event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
};

} // namespace

void pipe_ping_pong() {
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0)
        die("pipe");
    ping_pong("pipe_ping_pong", back[0], there[1], there[0], back[1]);
}

void epoll_ping_pong() {
    const Loop mine, others;
    constexpr int count = 100;
    std::thread other([&] {
        for (int i = 0; i < count * rounds; ++i) {
            others.wait();
            mine.wake();
        }
    });
    measure("epoll_ping_pong", count, [&] {
        others.wake();
        mine.wait();
    });
    other.join();
}

void tcp_ping_pong() {
    const Pair pair = tcp_pair();
    ping_pong("tcp_ping_pong", pair.client, pair.client, pair.server, pair.server);
}

void tcp_connect_close() {
    sockaddr_in address{};
    const int listener = listen_at(address);
    measure("tcp_connect_close", 50, [&] {
        const Pair pair = connect_to(listener, address);
        close(pair.client);
        close(pair.server);
    });
    close(listener);
}

void tcp_stream() {
    const Pair pair = tcp_pair();
    stream("tcp_stream_mib", pair.client, pair.server);
}

void unix_stream() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        die("socketpair");
    stream("unix_stream_mib", ends[0], ends[1]);
}

} // namespace micro
