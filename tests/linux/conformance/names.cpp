// Files and their names as programs use them for safe replacement, temporary files, logs and locks.
#include "tests/linux/conformance/check.hpp"

#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static void put(const char* path, const char* text) {
    const int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    write(file, text, std::strlen(text));
    close(file);
}
static std::string content(int file) {
    char text[200];
    const ssize_t length = pread(file, text, sizeof text, 0);
    return length < 0 ? "unreadable" : std::string(text, static_cast<std::size_t>(length));
}
static std::string content(const char* path) {
    const int file = open(path, O_RDONLY);
    const std::string text = file < 0 ? strerrorname_np(errno) : content(file);
    close(file);
    return text;
}
static long links(int file) {
    struct stat info {};
    fstat(file, &info);
    return static_cast<long>(info.st_nlink);
}

static void renames() {
    put("/tmp/names/old", "old");
    put("/tmp/names/new", "new");
    const int held = open("/tmp/names/old", O_RDONLY);
    show("rename over an open file", rename("/tmp/names/new", "/tmp/names/old"));
    show_text("name", content("/tmp/names/old").c_str());
    show_text("held", content(held).c_str());
    show("links of the held", links(held));
    close(held);
    show("source is gone", access("/tmp/names/new", F_OK));
    mkdir("/tmp/names/dir", 0755);
    mkdir("/tmp/names/full", 0755);
    put("/tmp/names/full/file", "x");
    show("file over directory", rename("/tmp/names/old", "/tmp/names/dir"));
    show("directory over file", rename("/tmp/names/dir", "/tmp/names/old"));
    show("directory over full", rename("/tmp/names/dir", "/tmp/names/full"));
    show("full over directory", rename("/tmp/names/full", "/tmp/names/dir"));
    show("moved along", access("/tmp/names/dir/file", F_OK));
    show("into itself", rename("/tmp/names/dir", "/tmp/names/dir/below"));
    show("over itself", rename("/tmp/names/old", "/tmp/names/old"));
    link("/tmp/names/old", "/tmp/names/same");
    show("over a link of it", rename("/tmp/names/old", "/tmp/names/same"));
    show("both stay", access("/tmp/names/old", F_OK) + access("/tmp/names/same", F_OK));
    put("/tmp/names/b", "b");
    show("noreplace", renameat2(AT_FDCWD, "/tmp/names/old", AT_FDCWD, "/tmp/names/b", RENAME_NOREPLACE));
    show("exchange", renameat2(AT_FDCWD, "/tmp/names/old", AT_FDCWD, "/tmp/names/b", RENAME_EXCHANGE));
    show_text("exchanged", (content("/tmp/names/old") + " " + content("/tmp/names/b")).c_str());
    show("rename dot", rename("/tmp/names/.", "/tmp/names/other"));
    show("rename missing", rename("/tmp/names/none", "/tmp/names/other"));
    show("rmdir full", rmdir("/tmp/names/dir"));
    show("rmdir dot", rmdir("/tmp/names/dir/."));
    show("rmdir file", rmdir("/tmp/names/b"));
}

static void nameless() {
    const int temporary = open("/tmp/names", O_TMPFILE | O_RDWR, 0640);
    show_ok("tmpfile", temporary);
    show("write", write(temporary, "hidden", 6));
    show("links", links(temporary));
    const std::string path = "/proc/self/fd/" + std::to_string(temporary);
    show("give it a name", linkat(AT_FDCWD, path.c_str(), AT_FDCWD, "/tmp/names/given", AT_SYMLINK_FOLLOW));
    show_text("named", content("/tmp/names/given").c_str());
    const int sealed = open("/tmp/names", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    const std::string other = "/proc/self/fd/" + std::to_string(sealed);
    show("not with O_EXCL", linkat(AT_FDCWD, other.c_str(), AT_FDCWD, "/tmp/names/given2", AT_SYMLINK_FOLLOW));
    show("tmpfile for reading", open("/tmp/names", O_TMPFILE | O_RDONLY, 0640));
    put("/tmp/names/gone", "still here");
    const int file = open("/tmp/names/gone", O_RDWR);
    unlink("/tmp/names/gone");
    show("name is gone", access("/tmp/names/gone", F_OK));
    show_text("content stays", content(file).c_str());
    void* map = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    show("mapping stays", static_cast<char*>(map)[0]);
    put("/tmp/names/gone", "another");
    show_text("name is free", content("/tmp/names/gone").c_str());
    mkdir("/tmp/names/place", 0755);
    const int place = open("/tmp/names/place", O_RDONLY | O_DIRECTORY);
    rmdir("/tmp/names/place");
    show("create in a removed directory", openat(place, "x", O_CREAT | O_WRONLY, 0600));
    char name[] = "/tmp/names/XXXXXX";
    show_ok("mkstemp", mkstemp(name));
}

static void appending() {
    const int one = open("/tmp/names/log", O_CREAT | O_WRONLY | O_APPEND | O_TRUNC, 0600);
    const int two = open("/tmp/names/log", O_WRONLY | O_APPEND);
    write(one, "a", 1);
    write(two, "b", 1);
    write(one, "c", 1);
    show_text("appended", content("/tmp/names/log").c_str());
    show("pwrite appends too", pwrite(one, "d", 1, 0));
    show_text("appended", content("/tmp/names/log").c_str());
    fcntl(one, F_SETFL, 0);
    show("not appending any more", pwrite(one, "X", 1, 0));
    show_text("overwritten", content("/tmp/names/log").c_str());
    for (int i = 0; i < 4; ++i)
        if (fork() == 0) {
            for (int n = 0; n < 100; ++n)
                write(two, "0123456789", 10);
            _exit(0);
        }
    for (int i = 0; i < 4; ++i)
        wait(nullptr);
    show("all appended", lseek(two, 0, SEEK_END));
}

static void copies() {
    put("/tmp/names/from", "0123456789abcdef");
    const int from = open("/tmp/names/from", O_RDONLY), to = open("/tmp/names/to", O_CREAT | O_RDWR | O_TRUNC, 0600);
    off_t in = 4, out = 2;
    show("copy_file_range", copy_file_range(from, &in, to, &out, 8, 0));
    show("offsets", in * 100 + out);
    show("copied size", lseek(to, 0, SEEK_END));
    show("copy at the end", copy_file_range(from, &in, to, &out, 100, 0));
    show("copy behind the end", copy_file_range(from, &in, to, &out, 100, 0));
    show("copy bad flags", copy_file_range(from, &in, to, &out, 1, 1));
    int ends[2];
    pipe(ends);
    loff_t at = 10;
    show("splice from a file", splice(from, &at, ends[1], nullptr, 4, 0));
    show("offset", at);
    loff_t target = 0;
    show("splice to a file", splice(ends[0], nullptr, to, &target, 100, 0));
    show_text("spliced", content(to).substr(0, 4).c_str());
    show("splice without a pipe", splice(from, nullptr, to, nullptr, 4, 0));
    show("splice of an empty pipe", splice(ends[0], nullptr, to, nullptr, 4, SPLICE_F_NONBLOCK));
    off_t start = 6;
    show("sendfile to a pipe", sendfile(ends[1], from, &start, 3));
    char text[4] = {};
    read(ends[0], text, 3);
    show_text("sent", text);
    show("fallocate", fallocate(to, 0, 0, 100));
    show("size", lseek(to, 0, SEEK_END));
    show("keep size", fallocate(to, FALLOC_FL_KEEP_SIZE, 100, 100));
    show("size kept", lseek(to, 0, SEEK_END));
    show("punch", fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4));
    show("punched", content(to)[0]);
}

static void locks_of_files() {
    const int file = open("/tmp/names/lock", O_CREAT | O_RDWR, 0600);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = 10;
    lock.l_len = 10;
    show("lock", fcntl(file, F_SETLK, &lock));
    int ends[2];
    pipe(ends);
    const pid_t child = fork();
    if (child == 0) {
        struct flock mine {};
        mine.l_type = F_RDLCK;
        const int taken = fcntl(file, F_SETLK, &mine) < 0 ? errno : 0;
        mine.l_type = F_WRLCK;
        fcntl(file, F_GETLK, &mine);
        const bool seen = mine.l_type == F_WRLCK && mine.l_start == 10 && mine.l_len == 10 && mine.l_pid == getppid();
        mine = {};
        mine.l_type = F_WRLCK;
        mine.l_len = 10;
        const int beside = fcntl(file, F_SETLK, &mine);
        write(ends[1], "x", 1);
        mine.l_start = 15;
        mine.l_len = 1;
        const int waited = fcntl(file, F_SETLKW, &mine);
        _exit((taken == EAGAIN || taken == EACCES) + 2 * seen + 4 * (beside == 0) + 8 * (waited == 0));
    }
    char byte;
    read(ends[0], &byte, 1);
    usleep(20000);
    close(open("/tmp/names/lock", O_RDONLY)); // closing any descriptor of the file lets go of the process' locks
    int status = 0;
    waitpid(child, &status, 0);
    show("locks between processes", WEXITSTATUS(status));
    const int other = open("/tmp/names/lock", O_RDWR);
    lock = {};
    lock.l_type = F_WRLCK;
    show("lock of the description", fcntl(file, F_OFD_SETLK, &lock));
    show("taken by another description", fcntl(other, F_OFD_SETLK, &lock));
    close(file);
    show("free after close", fcntl(other, F_OFD_SETLK, &lock));
}

static void rights() {
    put("/tmp/names/mine", "x");
    chmod("/tmp/names/mine", 06755);
    struct stat info {};
    const pid_t child = fork();
    if (child == 0) {
        chown("/tmp/names/mine", 1000, 1000);
        struct stat after {};
        stat("/tmp/names/mine", &after);
        show("chown clears set-id bits", after.st_mode & 07777);
        setgid(1000);
        setuid(1000);
        show("chmod of one's own", chmod("/tmp/names/mine", 0400));
        show("open for writing", open("/tmp/names/mine", O_WRONLY));
        show("chown to another", chown("/tmp/names/mine", 0, 0));
        show("create in a closed directory", open("/tmp/names/closed", O_CREAT | O_WRONLY, 0600));
        show("unlink in a closed directory", unlink("/tmp/names/old"));
        show("access", access("/tmp/names/mine", W_OK));
        std::fflush(stdout);
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    show("root may write", access("/tmp/names/mine", W_OK));
    show("but not execute", access("/tmp/names/mine", X_OK));
    mkdir("/tmp/names/sticky", 01777);
    chmod("/tmp/names/sticky", 01777);
    put("/tmp/names/sticky/root", "x");
    const pid_t stranger = fork();
    if (stranger == 0) {
        setgid(1000);
        setuid(1000);
        show("unlink in a sticky directory", unlink("/tmp/names/sticky/root"));
        show_ok("create there", open("/tmp/names/sticky/own", O_CREAT | O_WRONLY, 0600));
        std::fflush(stdout);
        _exit(0);
    }
    waitpid(stranger, nullptr, 0);
    mkdir("/tmp/names/group", 02775);
    chown("/tmp/names/group", 0, 500);
    chmod("/tmp/names/group", 02775);
    mkdir("/tmp/names/group/below", 0755);
    stat("/tmp/names/group/below", &info);
    show("inherited group", info.st_gid);
    show("inherited bit", info.st_mode & S_ISGID);
}

void names() {
    mkdir("/tmp/names", 0755);
    renames();
    nameless();
    appending();
    copies();
    locks_of_files();
    rights();
}

} // namespace conformance
