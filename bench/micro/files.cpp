#include "bench/micro/measure.hpp"

#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace micro {

namespace {

constexpr const char* data = "/tmp/micro.data";

// A file that has no name any more.
int make_file() {
    const int file = open(data, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || unlink(data) != 0)
        die(data);
    return file;
}

void write_mebibyte(int file, const std::vector<char>& chunk) {
    for (std::size_t at = 0; at < mebibyte; at += chunk.size())
        if (pwrite(file, chunk.data(), chunk.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(chunk.size()))
            die("pwrite");
}

} // namespace

void read_zero() {
    const int zero = open("/dev/zero", O_RDONLY);
    char byte;
    measure("read_zero", 500, [&] {
        if (read(zero, &byte, 1) != 1)
            die("read");
    });
    close(zero);
}

void open_close() {
    measure("open_close", 100, [] { close(open("/bin/busybox", O_RDONLY)); });
}

void stat_call() {
    measure("stat", 100, [] {
        struct stat info {};
        stat("/bin/busybox", &info);
    });
}

void create_unlink() {
    measure("create_unlink", 100, [] { close(make_file()); });
}

void read_directory() {
    constexpr int entries = 1000;
    const std::string folder = "/tmp/micro.entries";
    const auto name = [&](int entry) { return folder + "/entry-" + std::to_string(entry); };
    if (mkdir(folder.c_str(), 0700) != 0)
        die("mkdir");
    for (int i = 0; i < entries; ++i)
        if (mknod(name(i).c_str(), S_IFREG | 0600, 0) != 0)
            die("mknod");
    const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
    std::vector<char> buffer(32 << 10); // as much as C libraries ask for
    measure("getdents_thousand", 5, [&] {
        lseek(directory, 0, SEEK_SET);
        long size = 0, all = 0;
        while ((size = syscall(SYS_getdents64, directory, buffer.data(), buffer.size())) > 0)
            all += size;
        // Each entry has 19 bytes and its name.
        if (size < 0 || all < entries * 19)
            die("getdents64");
    });
    close(directory);
    for (int i = 0; i < entries; ++i)
        unlink(name(i).c_str());
    rmdir(folder.c_str());
}

// Bytes that are in memory already.
void file_read() {
    const int file = make_file();
    std::vector<char> chunk(chunk_size);
    write_mebibyte(file, chunk);
    measure("file_read_mib", 4, [&] {
        for (std::size_t at = 0; at < mebibyte; at += chunk.size())
            if (pread(file, chunk.data(), chunk.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(chunk.size()))
                die("pread");
    });
    close(file);
}

// Into a file that is empty each time, so that its memory is found too.
void file_write() {
    const int file = make_file();
    const std::vector<char> chunk(chunk_size);
    measure("file_write_mib", 4, [&] {
        if (ftruncate(file, 0) != 0)
            die("ftruncate");
        write_mebibyte(file, chunk);
    });
    close(file);
}

} // namespace micro
