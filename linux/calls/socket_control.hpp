// Ancillary data of messages (cmsg(3)): descriptors and credentials of AF_UNIX, the address and lifetime of IPv4 packets.
#pragma once
#include "linux/calls/socket_support.hpp"

namespace personality {

// Files in a request may be the last references, and their destructors want the lock.
class FilesGuard {
public:
    explicit FilesGuard(FileBundle& files) : files_(files) {}
    ~FilesGuard() {
        if (files_.size() != 0) {
            SandboxLock lock;
            files_.clear();
        }
    }

private:
    FileBundle& files_;
};

// What a program sends along, into `request`. Errors: EINVAL, EBADF, EPERM (credentials of others), EFAULT, ENOBUFS. Lock not held.
LinuxResult<void> load_control(Task& task, Socket& socket, std::uint64_t address, std::uint64_t length, SendRequest& request);
// Writes what came along, into at most `room` bytes, and says how many; descriptors are installed. What does not fit is lost and sets MSG_CTRUNC. Lock not held.
LinuxResult<std::uint64_t> store_control(Task& task, Socket& socket, std::uint64_t address, std::uint64_t room, std::uint32_t flags, ReceiveRequest& request);

} // namespace personality
