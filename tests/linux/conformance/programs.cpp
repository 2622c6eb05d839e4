// How programs start programs: execve with arguments and environment, interpreters, posix_spawn, fork out of a program with threads.
#include "tests/linux/conformance/check.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace conformance {

static char self[] = "/bin/test-conformance", print[] = "print-arguments";

static int status_of(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

template <class Body> static int in_child(Body body) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        body();
        std::fflush(stdout);
        _exit(0);
    }
    return status_of(child);
}

static void script(const char* path, const char* text, mode_t mode = 0755) {
    unlink(path);
    const int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    write(file, text, std::strlen(text));
    fchmod(file, mode);
    close(file);
}

static void executions() {
    char first[] = "one", empty[] = "", name[] = "A=1", other[] = "B=two words";
    char* const arguments[] = {self, print, first, empty, nullptr};
    char* const environment[] = {name, other, nullptr};
    show("execve", in_child([&] { execve(self, arguments, environment); _exit(99); }));
    show("execvpe", in_child([&] {
             setenv("PATH", "/nowhere:/bin", 1);
             char short_name[] = "test-conformance";
             char* const words[] = {short_name, print, nullptr};
             execvpe(short_name, words, environment);
             _exit(99);
         }));
    show("fexecve", in_child([&] {
             const int file = open(self, O_RDONLY);
             execveat(file, "", arguments, environment, AT_EMPTY_PATH);
             _exit(99);
         }));
    show("no arguments", in_child([&] {
             char* const none[] = {nullptr};
             execve(self, none, none);
             _exit(errno == EINVAL ? 1 : 99);
         }) != 99);
    script("/tmp/script", "#!/bin/test-conformance print-arguments\nnot read\n");
    char path[] = "/tmp/script";
    char* const words[] = {path, first, nullptr};
    show("script", in_child([&] { execve(path, words, environment); _exit(99); }));
    script("/tmp/script2", "#! /tmp/script  with spaces \n");
    char path2[] = "/tmp/script2";
    char* const words2[] = {path2, first, nullptr};
    show("script of a script", in_child([&] { execve(path2, words2, environment); _exit(99); }));
    script("/tmp/script3", "#!\n");
    show("script without name", in_child([&] { execve("/tmp/script3", words2, environment); _exit(errno); }));
    script("/tmp/script4", "#!/tmp/script4\n");
    show("script of itself", in_child([&] { execve("/tmp/script4", words2, environment); _exit(errno); }));
    const int writer = open("/tmp/busy", O_CREAT | O_RDWR, 0755);
    show("busy", in_child([&] { execve("/tmp/busy", words2, environment); _exit(errno); }));
    close(writer);
    show("handlers are reset, ignored stay", in_child([&] {
             signal(SIGUSR1, [](int) {});
             signal(SIGUSR2, SIG_IGN);
             char show_signals[] = "print-signals";
             char* const list[] = {self, show_signals, nullptr};
             execve(self, list, environment);
             _exit(99);
         }));
    show("descriptors", in_child([&] {
             dup2(1, 20);
             fcntl(20, F_SETFD, FD_CLOEXEC);
             dup2(1, 21);
             open("/dev/null", O_RDONLY | O_CLOEXEC);
             char show_descriptors[] = "print-descriptors";
             char* const list[] = {self, show_descriptors, nullptr};
             execve(self, list, environment);
             _exit(99);
         }));
    show("exec from a thread", in_child([&] {
             std::thread([&] { execve(self, arguments, environment); }).join();
             _exit(99);
         }));
}

static void spawns() {
    char words[] = "spawned", name[] = "C=3";
    char* const arguments[] = {self, print, words, nullptr};
    char* const environment[] = {name, nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int ends[2];
    pipe(ends);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    pid_t child = 0;
    show("posix_spawn", posix_spawn(&child, self, &actions, nullptr, arguments, environment));
    close(ends[1]);
    char text[400] = {};
    std::size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += static_cast<std::size_t>(got);
    show("spawned exit", status_of(child));
    show_text("spawned text", text);
    show("spawn missing", posix_spawn(&child, "/bin/none", nullptr, nullptr, arguments, environment));
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    // Both print: the child first.
    const int grouped = posix_spawn(&child, self, nullptr, &attributes, arguments, environment);
    const int group_status = status_of(child);
    show("spawn group", grouped);
    show("spawned group exit", group_status);
    show("system", system("exit 3") >= 0);
}

static void threaded_forks() {
    std::atomic<bool> stop{false};
    std::atomic<long> turns{0};
    std::thread busy([&] {
        while (!stop)
            ++turns;
    });
    while (turns == 0)
        std::this_thread::yield();
    int sum = 0;
    for (int i = 0; i < 20; ++i)
        sum += in_child([&] {
            // Only the caller goes on in the child: the counter stands still.
            void* block = std::malloc(100000);
            std::free(block);
            const long before = turns;
            usleep(1000);
            _exit(before == turns ? 1 : 0);
        });
    stop = true;
    busy.join();
    show("children of a threaded program", sum);
    show("fork from a thread", [] {
        int result = 0;
        std::thread([&] { result = in_child([] { _exit(static_cast<int>(gettid() == getpid()) + 1); }); }).join();
        return result;
    }());
    show("thread exit keeps the process", in_child([] {
             std::thread([] { usleep(20000); _exit(5); }).detach();
             pthread_exit(nullptr);
         }));
}

void programs() {
    executions();
    spawns();
    threaded_forks();
}

} // namespace conformance
