#include "services/common/unique_fd.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace services {

void UniqueFd::reset() {
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
}

bool wait_ready(int fd, short events, int other) {
    pollfd entries[2] = {{fd, events, 0}, {other, POLLIN, 0}};
    for (;;) {
        const int count = ::poll(entries, other >= 0 ? 2 : 1, -1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        if (entries[0].revents != 0)
            return true;
        if (entries[1].revents != 0)
            return false;
    }
}

bool write_all(int fd, const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t count = ::write(fd, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) {
            wait_ready(fd, POLLOUT);
            continue;
        }
        if (count <= 0)
            return false;
        at += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

bool write_all_at(int fd, const void* data, std::size_t size, std::uint64_t offset) {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t count = ::pwrite(fd, at, size, static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        at += count;
        size -= static_cast<std::size_t>(count);
        offset += static_cast<std::uint64_t>(count);
    }
    return true;
}

std::ptrdiff_t read_some(int fd, void* buffer, std::size_t size) {
    for (;;) {
        const ssize_t count = ::read(fd, buffer, size);
        if (count < 0 && errno == EINTR)
            continue;
        return count;
    }
}

UniqueFd connect_unix(std::string_view path, int type) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::system_error(ENAMETOOLONG, std::generic_category(), std::string(path));
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::system_error(errno, std::generic_category(), "connecting to " + std::string(path));
    return socket;
}

} // namespace services
