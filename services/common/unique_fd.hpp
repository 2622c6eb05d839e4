// A file descriptor that is closed with its owner, and reads and writes that go on after signals and short counts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace services {

class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset();

private:
    int fd_ = -1;
};

// Writes all bytes, waiting for room where the descriptor does not block. False at the first failure (errno tells).
bool write_all(int fd, const void* data, std::size_t size);
// Writes all bytes at a position of a file.
bool write_all_at(int fd, const void* data, std::size_t size, std::uint64_t offset);
// One read that goes on after signals. As read(2).
std::ptrdiff_t read_some(int fd, void* buffer, std::size_t size);
// Waits until `fd` is ready for `events` or `other` (-1: none) is readable or gone. Returns true where `fd` is ready.
bool wait_ready(int fd, short events, int other = -1);
// An AF_UNIX or abstract address of a path; throws std::system_error where it is too long or cannot be reached.
UniqueFd connect_unix(std::string_view path, int type);

} // namespace services
