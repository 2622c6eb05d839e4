#include "linux/ipc/signal_file.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"
#include "linux/signal/signal_info.hpp"

#include <cstring>

namespace personality {

namespace {

struct GuestInfo { // struct signalfd_siginfo
    std::uint32_t number;
    std::int32_t error, code;
    std::uint32_t pid, uid;
    std::int32_t descriptor;
    std::uint32_t timer, band, overrun, trap;
    std::int32_t status, integer;
    std::uint64_t pointer, user_time, system_time, address;
    std::uint16_t address_lsb;
    std::uint8_t rest[46];
};
static_assert(sizeof(GuestInfo) == 128);

constinit WaitQueue readers;

GuestInfo guest_info(const SignalInfo& info) {
    GuestInfo out{};
    out.number = static_cast<std::uint32_t>(info.number);
    out.error = info.error;
    out.code = info.code;
    const auto value = [&](std::uint64_t given) {
        out.pointer = given;
        out.integer = static_cast<std::int32_t>(given);
    };
    if (info.code == signal_code::timer) {
        out.timer = static_cast<std::uint32_t>(info.timer.id);
        out.overrun = static_cast<std::uint32_t>(info.timer.overrun);
        value(info.timer.value);
    } else if (info.number == signal_number::child && info.code > 0) {
        out.pid = static_cast<std::uint32_t>(info.child.pid);
        out.uid = info.child.uid;
        out.status = info.child.status;
        out.user_time = static_cast<std::uint64_t>(info.child.user_time);
        out.system_time = static_cast<std::uint64_t>(info.child.system_time);
    } else if (info.code > 0 && info.code != signal_code::kernel) {
        out.address = info.fault.address;
    } else {
        out.pid = static_cast<std::uint32_t>(info.sender.pid);
        out.uid = info.sender.uid;
        value(info.code < 0 && info.code != signal_code::tkill ? info.sender.value : 0);
    }
    return out;
}

} // namespace

WaitQueue& signal_readers() { return readers; }

SignalFile::SignalFile(SignalSet mask, std::uint32_t open_flags, Take take, Pending pending) : mask_(mask), take_(take), pending_(pending) {
    flags = open_flag::read_write | (open_flags & open_flag::nonblock);
}

void SignalFile::set_mask(SignalSet mask) {
    mask_ = mask;
    readers.wake();
}

LinuxResult<std::size_t> SignalFile::read(std::span<std::byte> to) {
    if (to.size() < sizeof(GuestInfo))
        return fail(Errno::EINVAL);
    std::size_t done = 0;
    while (to.size() - done >= sizeof(GuestInfo)) {
        SignalInfo info;
        if (take_(mask_, info)) {
            const GuestInfo out = guest_info(info);
            std::memcpy(to.data() + done, &out, sizeof out);
            done += sizeof out;
            continue;
        }
        if (done != 0)
            break;
        if (nonblocking())
            return fail(Errno::EAGAIN);
        TRY(block(readers));
    }
    return done;
}

LinuxResult<void> SignalFile::stat(KernelStat& stat) {
    anonymous_stat(stat, 1, 0600);
    return {};
}

std::uint32_t SignalFile::poll() { return (pending_() & mask_) != 0 ? poll_event::readable : 0u; }

} // namespace personality
