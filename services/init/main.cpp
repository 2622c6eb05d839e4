// The first program of the management sandbox: starts the services, starts again what ended, and reaps.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "services/common/log.hpp"

namespace {

constexpr long first_pause_ms = 100;
constexpr long longest_pause_ms = 5000;
constexpr long good_run_seconds = 10; // after such a run the pause begins anew

struct Service {
    std::vector<std::string> words;
    pid_t process = -1;
    long pause_ms = first_pause_ms;
    timespec started{};
};

timespec now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

// Archives of the images that a node has from the start.
std::vector<std::string> archives(const char* folder) {
    std::vector<std::string> result;
    if (DIR* directory = ::opendir(folder)) {
        while (const dirent* entry = ::readdir(directory)) {
            const std::string name = entry->d_name;
            if (name.ends_with(".tar")) result.push_back(std::string(folder) + "/" + name);
        }
        ::closedir(directory);
    }
    std::ranges::sort(result);
    return result;
}

bool start(Service& service) {
    std::vector<char*> words;
    for (std::string& word : service.words) words.push_back(word.data());
    words.push_back(nullptr);
    const char* environment[] = {"PATH=/bin", "HOME=/", nullptr};
    const pid_t process = ::fork();
    if (process == 0) {
        ::execve(words[0], words.data(), const_cast<char**>(environment));
        services::log_line("cannot execute " + service.words[0] + ": " + std::strerror(errno));
        ::_exit(127);
    }
    if (process < 0) {
        services::log_line("cannot start " + service.words[0] + ": " + std::strerror(errno));
        return false;
    }
    service.process = process;
    service.started = now();
    return true;
}

void start_again(Service& service) {
    do {
        const timespec pause{service.pause_ms / 1000, service.pause_ms % 1000 * 1'000'000};
        ::nanosleep(&pause, nullptr);
        service.pause_ms = std::min(service.pause_ms * 2, longest_pause_ms);
    } while (!start(service));
}

std::string words_of(int status) {
    return WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status))
                               : "ended with " + std::to_string(WEXITSTATUS(status));
}

} // namespace

int main() {
    services::set_log_name("init");
    Service engine{{"/bin/engine"}};
    for (std::string& archive : archives("/images")) engine.words.push_back(std::move(archive));
    if (!start(engine)) start_again(engine);
    for (;;) {
        int status = 0;
        const pid_t process = ::waitpid(-1, &status, 0);
        if (process < 0) {
            // Without a child there is nothing to wait for: the service is gone.
            if (errno == EINTR) continue;
            services::log_line(std::string("cannot wait: ") + std::strerror(errno));
            start_again(engine);
            continue;
        }
        if (process != engine.process) continue; // an orphan
        services::log_line("the engine " + words_of(status) + " and is started again");
        if (now().tv_sec - engine.started.tv_sec >= good_run_seconds) engine.pause_ms = first_pause_ms;
        start_again(engine);
    }
}
