#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static int child_status(void (*body)()) {
    const pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

static void waits() {
    show("exit status", child_status([] { _exit(42); }));
    show("signal status", child_status([] { raise(SIGKILL); }));
    show("abort status", child_status([] {
             rlimit none{0, 0};
             setrlimit(RLIMIT_CORE, &none);
             raise(SIGABRT);
         }) & 0x7f);
    show("wait without children", wait(nullptr));
    show("waitpid stranger", waitpid(1, nullptr, 0));
    const pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int status = 0;
    show("nohang", waitpid(child, &status, WNOHANG));
    kill(child, SIGSTOP);
    show("stopped", waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) ? WSTOPSIG(status) : -2);
    kill(child, SIGCONT);
    show("continued", waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    kill(child, SIGTERM);
    siginfo_t info{};
    show("waitid nowait", waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT));
    show("si_code", info.si_code);
    show("si_status", info.si_status);
    show("still there", kill(child, 0));
    show("reaped", waitpid(child, &status, 0) == child);
    show("gone", kill(child, 0));
    show("waitid bad options", waitid(P_ALL, 0, &info, 0));
}

static void identities() {
    show("getppid matches", child_status([] { _exit(getppid() > 0 ? 1 : 2); }));
    show("setsid in leader", child_status([] {
             setsid();
             _exit(setsid() == -1 && errno == EPERM ? 5 : 6);
         }));
    show("pgid", child_status([] {
             setpgid(0, 0);
             _exit(getpgrp() == getpid() ? 7 : 8);
         }));
    show("uid", getuid());
    show("euid", geteuid());
    utsname name{};
    uname(&name);
    show_text("sysname", name.sysname);
    show_text("machine", name.machine);
    char comm[16] = {};
    prctl(PR_SET_NAME, "a-name-longer-than-fits");
    prctl(PR_GET_NAME, comm);
    show_text("comm", comm);
    show("priority", getpriority(PRIO_PROCESS, 0));
    show("kill bad signal", kill(getpid(), 99));
    show("kill nobody", kill(0x3ffffff, SIGTERM));
    show("drop to user", child_status([] {
             setgid(1000);
             setuid(1000);
             _exit(setuid(0) == -1 && errno == EPERM ? 9 : 10);
         }));
    show("dumpable", prctl(PR_GET_DUMPABLE));
    rlimit limit{};
    getrlimit(RLIMIT_STACK, &limit);
    show("stack limit", static_cast<long>(limit.rlim_cur));
}

static void executions() {
    char* const none[] = {nullptr};
    show("exec missing", execve("/nonexistent", none, none));
    show("exec directory", execve("/tmp", none, none));
    unlink("/tmp/not-a-program");
    const int file = open("/tmp/not-a-program", O_CREAT | O_WRONLY | O_TRUNC, 0755);
    write(file, "\x7f" "ELF but not really", 19);
    close(file);
    show("exec damaged", execve("/tmp/not-a-program", none, none));
    chmod("/tmp/not-a-program", 0644);
    show("exec without right", execve("/tmp/not-a-program", none, none));
    const int script = open("/tmp/script", O_CREAT | O_WRONLY | O_TRUNC, 0755);
    write(script, "#!/no/such/interpreter -x\n", 26);
    close(script);
    show("exec script without interpreter", execve("/tmp/script", none, none));
    show("exec bad pointer", execve(reinterpret_cast<char*>(8), none, none));
    // The program runs itself: descriptors that close on exec are gone, others are not.
    const pid_t child = fork();
    if (child == 0) {
        const int kept = open("/dev/null", O_RDONLY);
        fcntl(kept, F_DUPFD_CLOEXEC, 50);
        dup2(kept, 60);
        char self[] = "/proc/self/exe", section[] = "none";
        char* const arguments[] = {self, section, nullptr};
        char* const environment[] = {nullptr};
        execve(self, arguments, environment);
        _exit(99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    show("exec self", status);
}

static void vforks() {
    volatile int shared = 1;
    const pid_t child = vfork();
    if (child == 0) {
        shared = 2;
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    show("vfork shares memory", shared);
}

void processes() {
    waits();
    identities();
    executions();
    vforks();
}

} // namespace conformance
