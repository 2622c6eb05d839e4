// What every socket can do, whatever its family. The calls in linux/calls copy between the guest and these structures.
#pragma once
#include "linux/core/file.hpp"
#include "linux/fs/constants.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <string_view>

namespace personality {

namespace address_family {
inline constexpr std::uint16_t unspecified = 0, local = 1, inet = 2, inet6 = 10, netlink = 16, packet = 17;
}
namespace socket_type {
inline constexpr std::uint32_t stream = 1, datagram = 2, raw = 3, sequential = 5, mask = 15, close_on_exec = 02000000, nonblock = 04000;
}
namespace message_flag {
inline constexpr std::uint32_t out_of_band = 1, peek = 2, control_truncated = 8, truncated = 0x20, dont_wait = 0x40, end_of_record = 0x80, wait_all = 0x100,
                               error_queue = 0x2000, no_signal = 0x4000, more = 0x8000, wait_for_one = 0x10000, close_on_exec = 0x40000000;
}
namespace socket_level {
inline constexpr int socket = 1, ip = 0, tcp = 6, udp = 17, ipv6 = 41;
}
namespace socket_option { // of level `socket`
inline constexpr int debug = 1, reuse_address = 2, type = 3, error = 4, dont_route = 5, broadcast = 6, send_buffer = 7, receive_buffer = 8, keep_alive = 9,
                     linger = 13, reuse_port = 15, pass_credentials = 16, peer_credentials = 17, receive_low = 18, receive_timeout = 20, send_timeout = 21,
                     bind_device = 25, timestamp = 29, accepting = 30, peer_security = 31, send_buffer_force = 32, receive_buffer_force = 33, mark = 36,
                     protocol = 38, domain = 39, busy_poll = 46;
}

// struct sockaddr of any family, as it travels.
struct SocketAddress {
    static constexpr std::size_t largest = 128;
    std::uint32_t length = 0;
    alignas(8) std::array<std::byte, largest> bytes{};

    std::uint16_t family() const {
        std::uint16_t value = 0;
        if (length >= sizeof value)
            std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
};

// struct ucred.
struct UnixCredentials {
    std::int32_t process = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
};
UnixCredentials current_unix_credentials();

// Files on their way through a socket.
class FileBundle {
public:
    static constexpr std::size_t largest = 253; // SCM_MAX_FD
    std::size_t size() const { return count_; }
    base::Ref<File>& operator[](std::size_t index) { return files_[index]; }
    LinuxResult<void> add(base::Ref<File> file);
    void clear() {
        files_.reset();
        count_ = capacity_ = 0;
    }

private:
    std::unique_ptr<base::Ref<File>[]> files_;
    std::size_t count_ = 0, capacity_ = 0;
};

struct SendRequest {
    std::span<const std::byte> data;
    const SocketAddress* to = nullptr;
    std::uint32_t flags = 0;
    FileBundle files; // taken over on success
    bool has_credentials = false;
    UnixCredentials credentials;
};

struct ReceiveRequest {
    std::span<std::byte> data;
    std::uint32_t flags = 0;
    // out
    SocketAddress from;             // length 0: none
    std::uint32_t result_flags = 0; // MSG_TRUNC ...
    std::size_t full_length = 0;    // of the message, which may be more than fitted
    FileBundle files;
    bool has_credentials = false;
    UnixCredentials credentials;
    std::uint32_t destination = 0;  // IPv4: the address that the message was sent to, as it travels; 0: not known
    std::uint8_t time_to_live = 0;  // of an IPv4 message
    std::int64_t arrived = 0;       // nanoseconds since 1970, where SO_TIMESTAMP asks for it; 0: not known
};

// Sandbox lock. Defaults: EOPNOTSUPP.
class Socket : public File {
public:
    Socket(std::uint16_t family, std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags);
    FileKind kind() const override { return FileKind::socket; }
    std::uint16_t family() const { return family_; }
    std::uint32_t type() const { return type_; }
    std::uint32_t protocol() const { return protocol_; }

    virtual LinuxResult<void> bind(const SocketAddress& address);
    virtual LinuxResult<void> listen(int backlog);
    virtual LinuxResult<base::Ref<File>> accept(SocketAddress& peer, std::uint32_t open_flags);
    virtual LinuxResult<void> connect(const SocketAddress& address);
    virtual LinuxResult<void> shutdown(bool reading, bool writing);
    virtual LinuxResult<void> local_address(SocketAddress& address);
    virtual LinuxResult<void> peer_address(SocketAddress& address);
    virtual LinuxResult<std::size_t> send(SendRequest& request) = 0;
    virtual LinuxResult<std::size_t> receive(ReceiveRequest& request) = 0;
    // `value` is the caller's copy. The level-`socket` options that all families share are answered here; families add theirs.
    virtual LinuxResult<void> set_option(int level, int name, std::span<const std::byte> value);
    // Fills `value`, returns the bytes used.
    virtual LinuxResult<std::size_t> get_option(int level, int name, std::span<std::byte> value);

    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override;
    LinuxResult<void> stat(KernelStat& stat) override;
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument) override;
    std::uint64_t number() const { return number_; }

protected:
    bool waits(std::uint32_t message_flags) const { return !nonblocking() && (message_flags & message_flag::dont_wait) == 0; }
    // When a wait that begins now ends, by SO_RCVTIMEO and SO_SNDTIMEO. A wait that ran out is EAGAIN.
    abi::Deadline receive_deadline() const;
    abi::Deadline send_deadline() const;
    // block, with the deadline's ETIMEDOUT as EAGAIN.
    static LinuxResult<void> wait_on(WaitQueue& queue, abi::Deadline deadline);
    // The pending error of SO_ERROR, which reading clears.
    virtual Errno take_error() { return Errno{0}; }
    virtual bool accepting() const { return false; }
    virtual std::size_t bytes_readable() { return 0; }

    struct Options {
        bool reuse_address = false, reuse_port = false, keep_alive = false, broadcast = false, pass_credentials = false, timestamp = false;
        std::uint32_t send_buffer = 212992, receive_buffer = 212992;
        std::uint64_t receive_timeout = 0, send_timeout = 0; // nanoseconds, 0 none
        bool linger = false;
        std::uint32_t linger_seconds = 0;
        std::uint32_t mark = 0;
    } options_;

private:
    std::uint16_t family_;
    std::uint32_t type_, protocol_;
    std::uint64_t number_;
};

// Is `file` a socket?
inline Socket* socket_of(File& file) { return file.kind() == FileKind::socket ? &static_cast<Socket&>(file) : nullptr; }

} // namespace personality
