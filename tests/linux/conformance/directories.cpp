#include "tests/linux/conformance/check.hpp"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace conformance {

static void list(const char* path) {
    std::vector<std::string> names;
    DIR* directory = opendir(path);
    if (directory == nullptr) {
        show("opendir", -1);
        return;
    }
    while (const dirent* entry = readdir(directory))
        names.push_back(std::string(entry->d_name) + (entry->d_type == DT_DIR ? "/" : ""));
    closedir(directory);
    std::sort(names.begin(), names.end());
    std::string line;
    for (const auto& name : names)
        line += name + " ";
    show_text(path, line.c_str());
}

static void renames() {
    mkdir("/tmp/dirs/one", 0755);
    mkdir("/tmp/dirs/two", 0755);
    close(open("/tmp/dirs/one/file", O_CREAT | O_WRONLY, 0600));
    show("rmdir not empty", rmdir("/tmp/dirs/one"));
    show("rename directory over full", rename("/tmp/dirs/two", "/tmp/dirs/one"));
    show("rename directory over empty", rename("/tmp/dirs/one", "/tmp/dirs/two"));
    list("/tmp/dirs");
    list("/tmp/dirs/two");
    show("rename into itself", rename("/tmp/dirs/two", "/tmp/dirs/two/sub"));
    show("rename file over directory", rename("/tmp/dirs/two/file", "/tmp/dirs/two"));
    show("rename missing", rename("/tmp/dirs/none", "/tmp/dirs/x"));
    mkdir("/tmp/dirs/three", 0755);
    show("rename directory over file", rename("/tmp/dirs/three", "/tmp/dirs/two/file"));
    show("rename noreplace", renameat2(AT_FDCWD, "/tmp/dirs/three", AT_FDCWD, "/tmp/dirs/two", RENAME_NOREPLACE));
    show("rename exchange", renameat2(AT_FDCWD, "/tmp/dirs/three", AT_FDCWD, "/tmp/dirs/two", RENAME_EXCHANGE));
    list("/tmp/dirs/three");
}

void directories() {
    show("mkdir", mkdir("/tmp/dirs", 0755));
    show("mkdir again", mkdir("/tmp/dirs", 0755));
    show("mkdir missing parent", mkdir("/tmp/none/x", 0755));
    list("/tmp/dirs");
    renames();
    show("chdir", chdir("/tmp/dirs/three"));
    char path[256];
    show_text("getcwd", getcwd(path, sizeof path) != nullptr ? path : "null");
    show("getcwd small", getcwd(path, 3) == nullptr && errno == ERANGE);
    show("chdir up", chdir("../.."));
    show_text("getcwd", getcwd(path, sizeof path));
    show("chdir to file", chdir("/tmp/dirs/three/file"));
    const int directory = open("/tmp/dirs", O_RDONLY | O_DIRECTORY);
    show("openat", openat(directory, "three/file", O_RDONLY) >= 0);
    show("openat not a directory", openat(0x7fff, "x", O_RDONLY));
    show("mkdirat", mkdirat(directory, "four", 0700));
    show("unlinkat directory", unlinkat(directory, "four", 0));
    show("unlinkat removedir", unlinkat(directory, "four", AT_REMOVEDIR));
    show("fstatat empty", fstatat(directory, "", nullptr, 0));
    struct stat info {};
    show("fstatat empty path", fstatat(directory, "", &info, AT_EMPTY_PATH));
    show("is directory", S_ISDIR(info.st_mode));
    show("root parent", stat("/../../tmp", &info));
    show("rmdir dot", rmdir("/tmp/dirs/."));
    show("rmdir file", rmdir("/tmp/dirs/three/file"));
    show("fchdir", fchdir(directory));
    show("access", access("three", R_OK | W_OK | X_OK));
    show("access missing", access("none", F_OK));
}

} // namespace conformance
