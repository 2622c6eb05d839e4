// A container looks for the management API. Arguments are ADDRESS:PORT; each is asked for /_ping, as the Docker CLI does.
//
// Prints a line for each: `reach ADDRESS:PORT api` (it answered as the API does), `open` (something took the connection) or `closed` and why.
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int patience_milliseconds = 4000;

// Null where the connection stands, else why it does not.
const char* connect_to(int socket, const sockaddr_in& address) {
    if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return nullptr;
    if (errno != EINPROGRESS)
        return strerror(errno);
    pollfd wait{socket, POLLOUT, 0};
    if (poll(&wait, 1, patience_milliseconds) != 1)
        return "no answer";
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return strerror(errno);
    return error == 0 ? nullptr : strerror(error);
}

bool is_api(int socket) {
    static const char request[] = "GET /_ping HTTP/1.0\r\nHost: node\r\n\r\n";
    if (send(socket, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
        return false;
    char answer[4096] = {};
    std::size_t size = 0;
    pollfd wait{socket, POLLIN, 0};
    while (size < sizeof answer - 1 && poll(&wait, 1, patience_milliseconds) == 1) {
        const ssize_t got = recv(socket, answer + size, sizeof answer - 1 - size, 0);
        if (got <= 0)
            break;
        size += static_cast<std::size_t>(got);
    }
    return strstr(answer, "Api-Version") != nullptr || strstr(answer, "API-Version") != nullptr;
}

} // namespace

int main(int count, char** arguments) {
    for (int i = 1; i < count; ++i) {
        char name[64];
        snprintf(name, sizeof name, "%s", arguments[i]);
        char* const colon = strchr(name, ':');
        sockaddr_in address{};
        address.sin_family = AF_INET;
        if (colon == nullptr)
            return 2;
        *colon = '\0';
        address.sin_port = htons(static_cast<unsigned short>(atoi(colon + 1)));
        if (inet_pton(AF_INET, name, &address.sin_addr) != 1)
            return 2;
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (socket < 0)
            return 3;
        const char* const why = connect_to(socket, address);
        if (why != nullptr)
            printf("reach %s closed: %s\n", arguments[i], why);
        else
            printf("reach %s %s\n", arguments[i], is_api(socket) ? "api" : "open");
        fflush(stdout);
        close(socket);
    }
    return 0;
}
