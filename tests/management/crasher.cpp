// The first program of the management sandbox in a test: starts the services as the real one does, and ends a part of the sandbox once a container has the name that asks for it:
// `crash-engine`, `crash-program` (this one) or `crash-personality`. The last works only in the twin with the weakness `guest_pointer`: no program can do it otherwise.
#include <arpa/inet.h>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::string containers() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(2375);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        const std::string request = "GET /containers/json?all=1 HTTP/1.0\r\n\r\n";
        char bytes[4096];
        ssize_t count = write(fd, request.data(), request.size());
        while (count > 0 && (count = read(fd, bytes, sizeof bytes)) > 0)
            answer.append(bytes, static_cast<std::size_t>(count));
    }
    close(fd);
    return answer;
}

pid_t process_named(const std::string& wanted) {
    pid_t found = -1;
    DIR* const folder = opendir("/proc");
    while (const dirent* entry = folder != nullptr ? readdir(folder) : nullptr) {
        char name[32] = {};
        const int fd = open(("/proc/" + std::string(entry->d_name) + "/comm").c_str(), O_RDONLY);
        if (fd >= 0 && read(fd, name, sizeof name - 1) > 0 && name == wanted + "\n")
            found = atoi(entry->d_name);
        if (fd >= 0)
            close(fd);
    }
    if (folder != nullptr)
        closedir(folder);
    return found;
}

// Zeroes over whatever can be written of the personality's program.
void crash_personality() {
    const int zero = open("/dev/zero", O_RDONLY);
    for (std::uint64_t address = 0xffff'8000'0020'0000; address < 0xffff'8000'0080'0000; address += 4096)
        (void)!read(zero, reinterpret_cast<void*>(address), 4096);
    dprintf(2, "crasher: the personality is still there\n");
}

} // namespace

int main() {
    if (fork() == 0) {
        execl("/bin/init", "/bin/init", nullptr);
        _exit(127);
    }
    for (;;) {
        const std::string there = containers();
        if (there.find("\"/crash-engine\"") != std::string::npos)
            kill(process_named("engine"), SIGKILL);
        if (there.find("\"/crash-program\"") != std::string::npos)
            return 3;
        if (there.find("\"/crash-personality\"") != std::string::npos)
            crash_personality();
        const timespec pause{0, 100'000'000};
        nanosleep(&pause, nullptr);
    }
}
