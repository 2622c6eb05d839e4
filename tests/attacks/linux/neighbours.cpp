// A container looks for the processes of another one. `victim` runs until it is killed, with all that could be found: processes, an abstract socket name, a shared
// futex, files. `attack` tries to reach them. `both` does both in one container, where the attack must succeed: so it finds what there is to be found.
//
// `attack` prints a line for each thing it reached, and `neighbours: PROBES probes, REACHED reached` last.
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr pid_t last_pid = 600;
constexpr char canary_path[] = "/tmp/neighbour-canary";
constexpr char canary_text[] = "the neighbour's";
void* const futex_place = reinterpret_cast<void*>(0x10'0000'0000);
constexpr std::size_t page = 4096;

int probes = 0, reached = 0;

void probe(bool success, const char* what, long which) {
    ++probes;
    if (!success)
        return;
    ++reached;
    std::printf("reached %s %ld\n", what, which);
}

sockaddr_un abstract_name(socklen_t& length) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, "neighbour", 9);
    length = offsetof(sockaddr_un, sun_path) + 10;
    return address;
}

// A word in a file that both map, at the same place: where the futex table were shared by address or by file, a wake would come through.
int* shared_word() {
    const int file = open("/tmp/neighbour-futex", O_RDWR | O_CREAT, 0666);
    if (file < 0 || ftruncate(file, page) != 0)
        return nullptr;
    void* const at = mmap(futex_place, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    close(file);
    return at == MAP_FAILED ? nullptr : static_cast<int*>(at);
}

[[noreturn]] void sleeper() {
    if (int* const word = shared_word())
        while (syscall(SYS_futex, word, FUTEX_WAIT, 0, nullptr, nullptr, 0) != 0 && errno == EINTR) {}
    for (;;)
        pause();
}

// As its stat file has it, proc(5).
bool sleeps(pid_t pid) {
    char path[64], text[512];
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const int file = open(path, O_RDONLY);
    const ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size < 0 ? 0 : size] = 0;
    const char* const name_end = std::strrchr(text, ')');
    return name_end != nullptr && name_end[1] == ' ' && name_end[2] == 'S';
}

// Returns when all is in place.
void set_up_victim() {
    const int canary = open(canary_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (canary < 0 || write(canary, canary_text, sizeof canary_text) != sizeof canary_text)
        std::exit(2);
    close(canary);
    socklen_t length;
    const sockaddr_un address = abstract_name(length);
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(listener, 4) != 0)
        std::exit(2);
    pid_t children[4];
    for (pid_t& child : children)
        if ((child = fork()) == 0)
            sleeper();
    for (const pid_t child : children)
        while (!sleeps(child))
            usleep(1000);
}

void probe_process(pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    probe(access(path, F_OK) == 0, "by /proc", pid);
    std::snprintf(path, sizeof path, "/proc/%d/root%s", pid, canary_path);
    probe(access(path, F_OK) == 0, "files by /proc", pid);
    probe(kill(pid, 0) == 0, "by kill", pid);
    probe(syscall(SYS_tgkill, pid, pid, 0) == 0, "by tgkill", pid);
    probe(getpgid(pid) >= 0, "by getpgid", pid);
    errno = 0;
    probe(getpriority(PRIO_PROCESS, static_cast<id_t>(pid)) != -1 || errno == 0, "by getpriority", pid);
    const long descriptor = syscall(SYS_pidfd_open, pid, 0);
    probe(descriptor >= 0, "by pidfd_open", pid);
    if (descriptor >= 0)
        close(static_cast<int>(descriptor));
    probe(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0, "by ptrace", pid);
}

int attack(pid_t spared) {
    for (pid_t pid = 1; pid <= last_pid; ++pid)
        if (pid != getpid() && pid != spared)
            probe_process(pid);
    // The listing shows nobody whom guessing does not.
    if (DIR* const folder = opendir("/proc")) {
        while (const dirent* const entry = readdir(folder))
            if (const int pid = std::atoi(entry->d_name); pid > 0 && pid != getpid() && pid != spared)
                probe(true, "by the list of /proc", pid);
        closedir(folder);
    }
    socklen_t length;
    const sockaddr_un address = abstract_name(length);
    const int caller = socket(AF_UNIX, SOCK_STREAM, 0);
    probe(connect(caller, reinterpret_cast<const sockaddr*>(&address), length) == 0, "an abstract socket", 0);
    probe(access(canary_path, F_OK) == 0, "a file", 0);
    if (int* const word = shared_word())
        probe(syscall(SYS_futex, word, FUTEX_WAKE, 100, nullptr, nullptr, 0) > 0, "a futex", 0);
    // All that may be signalled.
    signal(SIGTERM, SIG_IGN);
    probe(kill(-1, SIGTERM) == 0, "somebody by kill -1", 0);
    std::printf("neighbours: %d probes, %d reached\n", probes, reached);
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    const char* const mode = count == 2 ? arguments[1] : "";
    if (std::strcmp(mode, "attack") == 0) {
        // Not as process 1, which is special; its parent is its own container's.
        const pid_t child = fork();
        if (child == 0)
            std::_Exit((attack(getppid()), std::fflush(stdout), 0));
        signal(SIGTERM, SIG_IGN);
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
    }
    if (std::strcmp(mode, "both") == 0) {
        signal(SIGTERM, SIG_IGN);
        const pid_t parent = getpid();
        set_up_victim();
        const pid_t child = fork();
        if (child == 0)
            std::_Exit((attack(parent), std::fflush(stdout), 0));
        int status = 0;
        waitpid(child, &status, 0);
        return 0;
    }
    if (std::strcmp(mode, "victim") == 0) {
        set_up_victim();
        std::printf("victim ready\n");
        std::fflush(stdout);
        // Ends with 0 only if every child lived until standard input ended and the canary is as it was.
        char byte;
        while (read(0, &byte, 1) > 0) {}
        int status = 0;
        const bool alive = waitpid(-1, &status, WNOHANG) == 0;
        char text[64] = {};
        const int canary = open(canary_path, O_RDONLY);
        const bool whole = canary >= 0 && read(canary, text, sizeof text) == sizeof canary_text && std::strcmp(text, canary_text) == 0;
        std::printf("victim: children %s, canary %s\n", alive ? "alive" : "lost", whole ? "whole" : "changed");
        return alive && whole ? 0 : 1;
    }
    return 2;
}
