// The other half of pointers.cpp: no call takes bytes from, or puts bytes to, an address that is not the program's. Each call is right but for its pointer, so that the
// pointer is all that can refuse it; each place is the personality's or the kernel's, where there is something to be had.
//
// With the argument `take` only bytes of the personality's program are asked for: what then comes back shows that the attack sees a weakness, and the personality lives to
// say so (it would not, taken by its own bytes for a time to sleep or written over).
//
// Prints one line a finding, and `contents: CALLS calls, FINDINGS findings` last. Runs on Linux too, where it must find nothing.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t places[] = {
    0xffff'8000'0020'0000, // the personality's program
    0xffff'8010'0000'0000, // its heap
    0xffff'8070'0000'1000, // its stacks
    0xffff'807f'0000'0000, // its thread pages
    0xffff'a000'0000'0000, // the kernel's direct map
    0xffff'ffff'8000'0000, // the kernel's image
};
constexpr std::size_t length = 64;
int calls = 0, findings = 0;

// What `result` says must be that the address is bad. A call that is not there at all touches nothing, and is not counted.
void expect(const char* name, std::uint64_t place, long result) {
    if (result == -1 && errno == ENOSYS)
        return;
    ++calls;
    if (result == -1 && errno == EFAULT)
        return;
    ++findings;
    std::printf("%s at %#llx: result %ld, error %d\n", name, static_cast<unsigned long long>(place), result, result == -1 ? errno : 0);
}

// The raw call: the library must not look at the pointer first.
template <class... T> long call(long number, T... arguments) { return syscall(number, (long)(arguments)...); }

struct Descriptors {
    int pipe_in, pipe_out, socket, file;
};

// Bytes out of the place.
void take(std::uint64_t at, const Descriptors& d) {
    const iovec vector{reinterpret_cast<void*>(at), length};
    const msghdr message{nullptr, 0, const_cast<iovec*>(&vector), 1, nullptr, 0, 0};
    expect("write", at, call(SYS_write, d.pipe_out, at, length));
    expect("writev", at, call(SYS_writev, d.pipe_out, &vector, 1));
    expect("writev's vector", at, call(SYS_writev, d.pipe_out, at, 1));
    expect("pwrite64", at, call(SYS_pwrite64, d.file, at, length, 0));
    expect("write to a file", at, call(SYS_write, d.file, at, length));
    expect("sendto", at, call(SYS_sendto, d.socket, at, length, 0, 0, 0));
    expect("sendmsg", at, call(SYS_sendmsg, d.socket, &message, 0));
    expect("sendmsg's header", at, call(SYS_sendmsg, d.socket, at, 0));
    expect("open", at, call(SYS_open, at, O_RDONLY));
    expect("mkdir", at, call(SYS_mkdir, at, 0700));
    expect("execve", at, call(SYS_execve, at, 0, 0));
    expect("nanosleep", at, call(SYS_nanosleep, at, 0));
    expect("poll", at, call(SYS_poll, at, 1, 0));
}

// Bytes into the place.
void put(std::uint64_t at, const Descriptors& d) {
    const iovec vector{reinterpret_cast<void*>(at), length};
    const char content[length] = {};
    (void)!write(d.pipe_out, content, sizeof content);
    expect("read", at, call(SYS_read, d.pipe_in, at, length));
    expect("readv", at, call(SYS_readv, d.pipe_in, &vector, 1));
    char drained[4 * length];
    (void)!read(d.pipe_in, drained, sizeof drained);
    expect("pread64", at, call(SYS_pread64, d.file, at, length, 0));
    expect("fstat", at, call(SYS_fstat, d.file, at));
    expect("uname", at, call(SYS_uname, at));
    expect("getcwd", at, call(SYS_getcwd, at, length));
    expect("getrandom", at, call(SYS_getrandom, at, length, 0));
    expect("clock_gettime", at, call(SYS_clock_gettime, CLOCK_REALTIME, at));
    expect("pipe2", at, call(SYS_pipe2, at, 0));
    expect("socketpair", at, call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, at));
    expect("rt_sigprocmask", at, call(SYS_rt_sigprocmask, SIG_BLOCK, 0, at, 8));
    expect("getrlimit", at, call(SYS_getrlimit, RLIMIT_NOFILE, at));
    expect("sysinfo", at, call(SYS_sysinfo, at));
    expect("times", at, call(SYS_times, at));
}

} // namespace

int main(int count, char** arguments) {
    const bool only_take = count > 1 && strcmp(arguments[1], "take") == 0;
    setvbuf(stdout, nullptr, _IOLBF, 0);
    int ends[2], sockets[2];
    const int file = open("/tmp/contents", O_RDWR | O_CREAT | O_TRUNC, 0600);
    const char content[length] = {};
    if (file < 0 || write(file, content, sizeof content) != sizeof content || pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) != 0)
        return 2;
    const Descriptors d{ends[0], ends[1], sockets[0], file};
    for (const std::uint64_t at : places) {
        if (only_take)
            expect("write", at, call(SYS_write, d.pipe_out, at, length));
        else
            take(at, d);
        // Nothing may have gone through on the way to the refusal.
        pollfd came{d.pipe_in, POLLIN, 0};
        if (poll(&came, 1, 0) != 0) {
            char bytes[16] = {};
            const long got = read(d.pipe_in, bytes, sizeof bytes);
            ++findings;
            std::printf("%ld bytes of %#llx came back, from %02x %02x %02x %02x on\n", got, static_cast<unsigned long long>(at), bytes[0] & 0xff, bytes[1] & 0xff,
                        bytes[2] & 0xff, bytes[3] & 0xff);
        }
        if (only_take)
            break;
        put(at, d);
    }
    unlink("/tmp/contents");
    std::printf("contents: %d calls, %d findings\n", calls, findings);
    return findings == 0 ? 0 : 1;
}
