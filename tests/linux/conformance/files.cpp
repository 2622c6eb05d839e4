#include "tests/linux/conformance/check.hpp"

#include <algorithm>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace conformance {

static void open_errors() {
    show("open missing", open("/tmp/conf/none", O_RDONLY));
    show("open missing parent", open("/tmp/conf/none/x", O_RDWR | O_CREAT, 0600));
    show("open directory for writing", open("/tmp/conf", O_WRONLY));
    show("open empty path", open("", O_RDONLY));
    show("open file as directory", open("/tmp/conf/a", O_RDONLY | O_DIRECTORY));
    show("open below a file", open("/tmp/conf/a/b", O_RDONLY));
    show("open exclusive existing", open("/tmp/conf/a", O_RDWR | O_CREAT | O_EXCL, 0600));
    show("open trailing slash", open("/tmp/conf/a/", O_RDONLY));
    show("open long name", open((std::string("/tmp/conf/") + std::string(300, 'x')).c_str(), O_RDONLY));
    show("open long path", open(std::string(5000, '/').append("tmp").c_str(), O_RDONLY));
    show("read bad descriptor", read(987, nullptr, 0));
    show("close bad descriptor", close(987));
    char byte = 0;
    const int directory = open("/tmp/conf", O_RDONLY);
    show("read directory", read(directory, &byte, 1));
    close(directory);
    const int writer = open("/tmp/conf/a", O_WRONLY);
    show("read from write-only", read(writer, &byte, 1));
    show("read into bad pointer", read(open("/tmp/conf/a", O_RDONLY), reinterpret_cast<void*>(16), 1));
    close(writer);
}

static void positions(int file) {
    show("seek to 100", lseek(file, 100, SEEK_SET));
    show("write past the end", write(file, "tail", 4));
    show("size with hole", lseek(file, 0, SEEK_END));
    show("seek before start", lseek(file, -1, SEEK_SET));
    show("seek bad whence", lseek(file, 0, 77));
    char buffer[8] = {};
    show("pread hole", pread(file, buffer, 4, 50));
    show("hole byte", buffer[0]);
    show("pread past end", pread(file, buffer, 4, 1000));
    show("pread negative", pread(file, buffer, 4, -1));
    show("pwrite", pwrite(file, "AB", 2, 0));
    show("position kept", lseek(file, 0, SEEK_CUR));
    show("truncate shorter", ftruncate(file, 10));
    show("truncate longer", ftruncate(file, 20));
    show("truncate negative", ftruncate(file, -1));
    show("size after truncate", lseek(file, 0, SEEK_END));
    iovec parts[2] = {{buffer, 1}, {buffer + 1, 1}};
    show("preadv", preadv(file, parts, 2, 0));
    show_text("preadv bytes", std::string(buffer, 2).c_str());
    show("readv too many", readv(file, parts, 2000));
}

// More in one call than any buffer on the way is likely to have.
static void devices_give_all() {
    std::string large(3 << 20, 'x');
    // Of the last bytes, which a read that gives less than it says leaves as they were; a random one is so by chance.
    const auto end_is_new = [&] {
        const std::string_view end = std::string_view(large).substr(large.size() - 4096);
        const bool is_new = std::ranges::count(end, 'x') < 256;
        large.assign(large.size(), 'x');
        return is_new;
    };
    for (const char* name : {"/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/null"}) {
        const int device = open(name, O_RDWR);
        show(name, read(device, large.data(), large.size()));
        show("its end is new", end_is_new());
        show("from a place", pread(device, large.data(), large.size(), 4096));
        show("its end is new", end_is_new());
        iovec parts[2] = {{large.data(), 1 << 20}, {large.data() + (1 << 20), 1 << 20}};
        show("into two buffers", readv(device, parts, 2));
        show("their end is new", end_is_new());
        show("written", write(device, large.data(), large.size()));
        close(device);
    }
}

static void append_and_dup() {
    const int file = open("/tmp/conf/append", O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0644);
    write(file, "one", 3);
    lseek(file, 0, SEEK_SET);
    show("append ignores position", write(file, "two", 3));
    show("append size", lseek(file, 0, SEEK_END));
    const int copy = dup(file);
    lseek(copy, 1, SEEK_SET);
    show("dup shares position", lseek(file, 0, SEEK_CUR));
    show("dup2 same", dup2(file, file) == file);
    show("dup3 same", dup3(file, file, 0));
    show("dup2 bad", dup2(987, 5));
    show("cloexec off", fcntl(copy, F_GETFD));
    show("dupfd cloexec", fcntl(fcntl(file, F_DUPFD_CLOEXEC, 100), F_GETFD));
    show("lowest from 100", fcntl(file, F_DUPFD, 100));
    show("getfl", fcntl(file, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    show("setfl", fcntl(file, F_SETFL, O_NONBLOCK));
    show("getfl after", fcntl(file, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
}

static void links_and_modes() {
    show("link", link("/tmp/conf/a", "/tmp/conf/hard"));
    struct stat info {};
    stat("/tmp/conf/a", &info);
    show("link count", static_cast<long>(info.st_nlink));
    show("link existing", link("/tmp/conf/a", "/tmp/conf/hard"));
    show("symlink", symlink("a", "/tmp/conf/soft"));
    char target[16] = {};
    show("readlink", readlink("/tmp/conf/soft", target, sizeof target));
    show("readlink of file", readlink("/tmp/conf/a", target, sizeof target));
    show("lstat is link", lstat("/tmp/conf/soft", &info) == 0 && S_ISLNK(info.st_mode));
    show("link size", info.st_size);
    show("open nofollow", open("/tmp/conf/soft", O_RDONLY | O_NOFOLLOW));
    symlink("loop", "/tmp/conf/loop");
    show("open loop", open("/tmp/conf/loop", O_RDONLY));
    symlink("nowhere", "/tmp/conf/dangling");
    show("stat dangling", stat("/tmp/conf/dangling", &info));
    show("creat through dangling", close(open("/tmp/conf/dangling", O_CREAT | O_WRONLY, 0600)));
    show("target made", access("/tmp/conf/nowhere", F_OK));
    show("chmod", chmod("/tmp/conf/a", 04751));
    stat("/tmp/conf/a", &info);
    show("mode", info.st_mode);
    umask(027);
    close(open("/tmp/conf/masked", O_CREAT | O_WRONLY, 0666));
    stat("/tmp/conf/masked", &info);
    show("umask applied", info.st_mode);
    show("umask returns old", umask(022));
    show("unlink missing", unlink("/tmp/conf/none"));
    show("unlink directory", unlink("/tmp/conf"));
    const int held = open("/tmp/conf/masked", O_RDWR);
    show("unlink open file", unlink("/tmp/conf/masked"));
    show("write to unlinked", write(held, "x", 1));
    fstat(held, &info);
    show("links of unlinked", static_cast<long>(info.st_nlink));
    close(held);
    timespec stamps[2] = {{111, 5}, {222, 7}};
    show("utimensat", utimensat(AT_FDCWD, "/tmp/conf/a", stamps, 0));
    stat("/tmp/conf/a", &info);
    show("mtime", info.st_mtim.tv_sec);
    show("mtime ns", info.st_mtim.tv_nsec);
}

void files() {
    mkdir("/tmp/conf", 0755);
    const int file = open("/tmp/conf/a", O_RDWR | O_CREAT | O_TRUNC, 0644);
    show_ok("create", file);
    show("write", write(file, "hello", 5));
    open_errors();
    positions(file);
    devices_give_all();
    append_and_dup();
    links_and_modes();
    show("flock", flock(file, LOCK_EX | LOCK_NB));
    const int other = open("/tmp/conf/a", O_RDWR);
    show("flock taken", flock(other, LOCK_EX | LOCK_NB));
    const int out = open("/tmp/conf/out", O_RDWR | O_CREAT | O_TRUNC, 0644);
    off_t from = 0;
    show("sendfile", sendfile(out, file, &from, 20));
    show("sendfile offset", from);
    show("ioctl on file", isatty(file));
    show("fsync", fsync(file));
}

} // namespace conformance
