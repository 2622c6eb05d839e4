#include "tests/linux/conformance/check.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}
static const sockaddr* plain(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

static void tcp() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    auto address = loopback(0);
    show("bind", bind(listener, plain(address), sizeof address));
    show("bind twice", bind(listener, plain(address), sizeof address));
    show("listen", listen(listener, 5));
    socklen_t size = sizeof address;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    show("port given", ntohs(address.sin_port) != 0);
    const int other = socket(AF_INET, SOCK_STREAM, 0);
    show("bind taken", bind(other, plain(address), sizeof address));
    show("send unconnected", send(other, "x", 1, MSG_NOSIGNAL));
    show("connect", connect(other, plain(address), sizeof address));
    show("connect again", connect(other, plain(address), sizeof address));
    const int server = accept(listener, nullptr, nullptr);
    show_ok("accept", server);
    show("send", send(other, "hello", 5, 0));
    char buffer[64] = {};
    show("peek", recv(server, buffer, 3, MSG_PEEK));
    show("receive all", recv(server, buffer, 5, MSG_WAITALL));
    show_text("received", buffer);
    show("dontwait", recv(server, buffer, 5, MSG_DONTWAIT));
    show("shutdown", shutdown(other, SHUT_WR));
    show("end", recv(server, buffer, 5, 0));
    show("half open send", send(server, "back", 4, 0));
    show("half open receive", recv(other, buffer, 4, MSG_WAITALL));
    close(server);
    show("end from peer", recv(other, buffer, 4, 0));
    show("send after shutdown", send(other, "x", 1, MSG_NOSIGNAL));
    close(other);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    show("accept nothing", accept(listener, nullptr, nullptr));
    close(listener);
    const int refused = socket(AF_INET, SOCK_STREAM, 0);
    show("connect refused", connect(refused, plain(address), sizeof address));
    const int asynchronous = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    // Linux says so at once, or later where its thread for network packets is behind.
    int error = connect(asynchronous, plain(address), sizeof address) == 0 ? 0 : errno;
    pollfd wait{asynchronous, POLLOUT, 0};
    show("poll", poll(&wait, 1, 100000));
    const bool pending = error == EINPROGRESS;
    socklen_t length = sizeof error;
    if (pending)
        getsockopt(asynchronous, SOL_SOCKET, SO_ERROR, &error, &length);
    show_text("connect nonblocking", strerrorname_np(error));
    error = -1;
    show("no error left", getsockopt(asynchronous, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0);
}

// A server that closes first keeps the connection in TIME-WAIT. The client may come again from the same port.
static void same_ends() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    auto address = loopback(0), own = loopback(0);
    socklen_t size = sizeof address;
    show("same ends: bind", bind(listener, plain(address), sizeof address));
    show("same ends: listen", listen(listener, 5));
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    for (int round = 0; round < 5; ++round) {
        const int client = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
        setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        show("same ends: bind client", bind(client, plain(own), sizeof own));
        getsockname(client, reinterpret_cast<sockaddr*>(&own), &size);
        show("same ends: connect", connect(client, plain(address), sizeof address));
        const int server = accept(listener, nullptr, nullptr);
        char buffer[1000] = {};
        show("same ends: send", send(client, buffer, sizeof buffer, 0));
        show("same ends: receive", recv(server, buffer, sizeof buffer, MSG_WAITALL));
        close(server);
        show("same ends: end", recv(client, buffer, sizeof buffer, 0));
        close(client);
    }
    close(listener);
}

static void bulk() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    auto address = loopback(0);
    bind(listener, plain(address), sizeof address);
    listen(listener, 1);
    socklen_t size = sizeof address;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const pid_t child = fork();
    static unsigned char block[10000];
    if (child == 0) {
        const int out = socket(AF_INET, SOCK_STREAM, 0);
        connect(out, plain(address), sizeof address);
        for (unsigned i = 0; i < 200; ++i) {
            std::memset(block, static_cast<int>(i), sizeof block);
            for (std::size_t done = 0; done < sizeof block;)
                done += static_cast<std::size_t>(write(out, block + done, sizeof block - done));
        }
        _exit(0);
    }
    const int in = accept(listener, nullptr, nullptr);
    unsigned long sum = 0, total = 0;
    for (long n; (n = read(in, block, sizeof block)) > 0;) {
        total += static_cast<unsigned long>(n);
        for (long i = 0; i < n; ++i)
            sum += block[i];
    }
    show("bulk bytes", static_cast<long>(total));
    show("bulk sum", static_cast<long>(sum));
    waitpid(child, nullptr, 0);
}

static void udp() {
    const int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0);
    auto address = loopback(0);
    bind(one, plain(address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(one, reinterpret_cast<sockaddr*>(&address), &size);
    show("sendto", sendto(two, "datagram", 8, 0, plain(address), sizeof address));
    char buffer[4];
    show("truncated", recv(one, buffer, sizeof buffer, 0));
    sendto(two, "datagram", 8, 0, plain(address), sizeof address);
    show("real length", recv(one, buffer, sizeof buffer, MSG_TRUNC));
    show("empty datagram", sendto(two, "", 0, 0, plain(address), sizeof address));
    show("receive empty", recv(one, buffer, sizeof buffer, 0));
    show("no destination", send(two, "x", 1, 0));
    show("dontwait", recv(one, buffer, sizeof buffer, MSG_DONTWAIT));
}

static void unix_sockets() {
    int pair[2];
    show("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    int ends[2];
    pipe(ends);
    char byte = 'f';
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    show("send descriptor", sendmsg(pair[0], &message, 0));
    std::memset(control, 0, sizeof control);
    message.msg_controllen = sizeof control;
    show("receive descriptor", recvmsg(pair[1], &message, 0));
    int received = -1;
    std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    write(received, "through", 7);
    char text[16] = {};
    read(ends[0], text, sizeof text);
    show_text("through passed descriptor", text);
    close(pair[1]);
    show("broken", send(pair[0], "x", 1, MSG_NOSIGNAL));
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    send(pair[0], "first", 5, 0);
    send(pair[0], "second", 6, 0);
    show("records", recv(pair[1], text, sizeof text, 0));
    show("second record cut", recv(pair[1], text, 3, 0));
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/tmp/sock");
    unlink("/tmp/sock");
    show("unix bind", bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address));
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    show("not listening", connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address));
    listen(listener, 1);
    show("unix connect", connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address));
    show_ok("unix accept", accept(listener, nullptr, nullptr));
    show("bind in use", bind(socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&address), sizeof address));
}

void sockets() {
    show("bad family", socket(77, SOCK_STREAM, 0));
    show("bad type", socket(AF_INET, 77, 0));
    show("not a socket", listen(0, 1) < 0 && (errno == ENOTSOCK || errno == EOPNOTSUPP));
    tcp();
    same_ends();
    bulk();
    udp();
    unix_sockets();
}

} // namespace conformance
