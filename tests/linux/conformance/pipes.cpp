#include "tests/linux/conformance/check.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static void limits() {
    int ends[2];
    show("pipe2", pipe2(ends, O_NONBLOCK));
    static char block[4096];
    char byte = 0;
    show("read empty", read(ends[0], &byte, 1));
    long total = 0;
    for (;;) {
        const long n = write(ends[1], block, sizeof block);
        if (n < 0)
            break;
        total += n;
    }
    show("write full", -1);
    show("capacity", total);
    int queued = 0;
    show("fionread", ioctl(ends[0], FIONREAD, &queued));
    show("queued", queued);
    show("read one byte", read(ends[0], &byte, 1));
    show("atomic write refused", write(ends[1], block, sizeof block));
    show("getpipe", fcntl(ends[0], F_GETPIPE_SZ));
    show("seek", lseek(ends[0], 0, SEEK_SET));
    show("pread", pread(ends[0], &byte, 1, 0));
    show("write to read end", write(ends[0], &byte, 1));
    close(ends[1]);
    long drained = 0;
    for (long n; (n = read(ends[0], block, sizeof block)) > 0;)
        drained += n;
    show("drained", drained);
    show("end of file", read(ends[0], &byte, 1));
}

static void broken() {
    int ends[2];
    pipe(ends);
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    show("write broken", write(ends[1], "x", 1));
    signal(SIGPIPE, SIG_DFL);
    const pid_t child = fork();
    if (child == 0) {
        write(ends[1], "x", 1);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    show("killed by", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

static void across_fork() {
    int ends[2];
    pipe(ends);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (int i = 0; i < 1000; ++i)
            write(ends[1], "0123456789", 10);
        _exit(3);
    }
    close(ends[1]);
    long total = 0;
    char buffer[777];
    for (long n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        total += n;
    show("received", total);
    int status = 0;
    waitpid(child, &status, 0);
    show("child exit", WEXITSTATUS(status));
}

void pipes() {
    limits();
    broken();
    across_fork();
    unlink("/tmp/fifo");
    show("mkfifo", mkfifo("/tmp/fifo", 0600));
    show("open fifo writer without reader", open("/tmp/fifo", O_WRONLY | O_NONBLOCK));
    const int reader = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
    show_ok("open fifo reader", reader);
    const int writer = open("/tmp/fifo", O_WRONLY | O_NONBLOCK);
    show("fifo write", write(writer, "abc", 3));
    char buffer[8];
    show("fifo read", read(reader, buffer, sizeof buffer));
    show("fifo empty", read(reader, buffer, sizeof buffer));
    close(writer);
    show("fifo end", read(reader, buffer, sizeof buffer));
    int ends[2];
    show("pipe2 bad flag", pipe2(ends, 0x1));
    show("pipe bad pointer", pipe(reinterpret_cast<int*>(8)));
}

} // namespace conformance
