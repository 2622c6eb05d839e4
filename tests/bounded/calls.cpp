// The Linux calls that move, map, copy or free most, at their largest, and how late the kernel lets a thread of the highest priority run meanwhile
// (linux/standalone/watch.hpp behind descriptor 3). Usage: bounded WATCHED_PROCESSORS LIMIT_NANOSECONDS [NAME...]
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t page = 4096, mebibyte = 1 << 20;
constexpr std::size_t gibibyte = 1ul << 30, tebibyte = 1ul << 40;
constexpr std::size_t resident = 32 * mebibyte; // of what has pages
constexpr std::size_t sparse_file = 128 * gibibyte;
constexpr std::size_t sparse_range = 32 * tebibyte;
constexpr int mappings = 4096;
constexpr int thread_count = 2000;
constexpr int watch_file = 3;


int processors = 1;
std::uint64_t limit = 0;
std::vector<std::string_view> only;
bool failed = false;
int measured = 0;

struct Watched {
    std::uint64_t latest, naps;
};

std::vector<Watched> watched() {
    std::vector<Watched> found(processors);
    const std::size_t size = found.size() * sizeof(Watched);
    if (read(watch_file, found.data(), size) != static_cast<ssize_t>(size)) {
        std::perror("nobody watches");
        std::exit(2);
    }
    return found;
}

long now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// Until everybody who watches has slept twice: what held them up is told by then.
void settle() {
    const auto before = watched();
    bool all = false;
    while (!all) {
        const timespec nap{0, 100'000};
        nanosleep(&nap, nullptr);
        const auto after = watched();
        all = true;
        for (int i = 0; i < processors; ++i)
            all = all && after[i].naps >= before[i].naps + 2;
    }
}

struct Row {
    const char* name;
    std::uint64_t late;
};
Row worst{"", 0};

// Does it and holds what it kept others waiting against the limit, but where a reason is known why that is passed: then it is told.
template <class Operation> void measure(const char* name, Operation&& operation, const char* excuse = nullptr) {
    settle();
    (void)write(watch_file, "", 1);
    errno = 0;
    const long begin = now();
    const bool done = operation();
    const int error = errno;
    const long length = now() - begin;
    settle();
    std::string line;
    std::uint64_t late = 0;
    for (const Watched& each : watched()) {
        line += " " + std::to_string(each.latest);
        late = std::max(late, each.latest);
    }
    std::printf("bounded %s:%s ns late in %ld ns%s%s\n", name, line.c_str(), length, excuse ? ", not held: " : "", excuse ? excuse : "");
    if (!done) {
        std::printf("FAIL %s: %s\n", name, std::strerror(error));
        failed = true;
    }
    if (late > limit && !excuse) {
        std::printf("FAIL %s: %lu ns\n", name, late);
        failed = true;
    }
    std::fflush(stdout);
    ++measured;
    if (!excuse && late >= worst.late)
        worst = {name, late};
}

[[noreturn]] void die(const char* what) {
    std::printf("FAIL %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

char* mapped(std::size_t size, int protection = PROT_READ | PROT_WRITE, int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, int file = -1) {
    void* const at = mmap(nullptr, size, protection, flags, file, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return static_cast<char*>(at);
}

void touch(char* at, std::size_t size, std::size_t step = page) {
    for (std::size_t i = 0; i < size; i += step)
        at[i] = 1;
}

int memory_file(std::size_t size, bool filled = false) {
    const int file = memfd_create("bounded", 0);
    if (file < 0 || ftruncate(file, static_cast<off_t>(size)) < 0)
        die("memfd");
    if (filled) {
        const std::string block(mebibyte, 'x');
        for (std::size_t at = 0; at < size; at += block.size())
            if (pwrite(file, block.data(), block.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(block.size()))
                die("pwrite");
    }
    return file;
}

// In a child, so that its end takes everything that it made with it: told apart from what is made. The child says when it is ready, and goes on once it is told.
class Child {
public:
    template <class Body> explicit Child(Body body) {
        int to_child[2], from_child[2];
        if (pipe(to_child) < 0 || pipe(from_child) < 0)
            die("pipe");
        id_ = fork();
        if (id_ < 0)
            die("fork");
        if (id_ == 0) {
            close(to_child[1]);
            close(from_child[0]);
            body();
            char byte = 0;
            (void)write(from_child[1], &byte, 1);
            (void)read(to_child[0], &byte, 1);
            _exit(0);
        }
        close(to_child[0]);
        close(from_child[1]);
        to_ = to_child[1];
        from_ = from_child[0];
        char byte;
        if (read(from_, &byte, 1) != 1)
            die("the child ended too early");
    }
    // It exits by itself.
    bool ends() {
        (void)write(to_, "", 1);
        return reaped();
    }
    bool is_killed() { return kill(id_, SIGKILL) == 0 && reaped(); }
    pid_t id() const { return id_; }

private:
    bool reaped() {
        close(to_);
        close(from_);
        int status = 0;
        return waitpid(id_, &status, 0) == id_ && (WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
    }
    pid_t id_ = 0;
    int to_ = -1, from_ = -1;
};

bool wanted(std::string_view name) { return only.empty() || std::find(only.begin(), only.end(), name) != only.end(); }

void ranges() {
    char* at = nullptr;
    measure("mmap 32 TiB", [&] { return (at = mapped(sparse_range)) != nullptr; });
    touch(at, sparse_range, 64 * gibibyte);
    measure("mprotect 32 TiB, touched here and there", [&] { return mprotect(at, sparse_range, PROT_READ) == 0; });
    measure("mremap 32 TiB", [&] {
        void* const moved = mremap(at, sparse_range, 2 * sparse_range, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED)
            return false;
        at = static_cast<char*>(moved);
        return true;
    });
    measure("madvise 64 TiB", [&] { return madvise(at, 2 * sparse_range, MADV_DONTNEED) == 0; });
    measure("munmap 64 TiB", [&] { return munmap(at, 2 * sparse_range) == 0; });

    at = mapped(resident);
    measure("touch 32 MiB", [&] { touch(at, resident); return true; });
    measure("mprotect 32 MiB", [&] { return mprotect(at, resident, PROT_READ) == 0; });
    measure("mprotect every other page of 32 MiB", [&] {
        for (std::size_t i = 0; i < resident; i += 2 * page)
            if (mprotect(at + i, page, PROT_READ | PROT_WRITE) < 0)
                return false;
        return true;
    });
    measure("mprotect 32 MiB of single pages", [&] { return mprotect(at, resident, PROT_READ | PROT_WRITE) == 0; });
    char* const other = mapped(2 * resident);
    measure("mremap 32 MiB", [&] { return mremap(at, resident, resident, MREMAP_MAYMOVE | MREMAP_FIXED, other + page) == other + page; });
    measure("madvise 32 MiB", [&] { return madvise(other, 2 * resident, MADV_DONTNEED) == 0; });
    touch(other, resident);
    measure("munmap 32 MiB", [&] { return munmap(other, 2 * resident) == 0; });
    measure("mmap MAP_POPULATE 32 MiB", [&] { return (at = mapped(resident, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE)) != nullptr; });
    measure("fork with 32 MiB and its exit", [&] {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        return child > 0 && waitpid(child, nullptr, 0) == child;
    });
    measure("execve with 32 MiB and 1 MiB of arguments", [&] {
        const pid_t child = vfork();
        if (child == 0) {
            static std::string word(64 * 1024, 'a');
            static char name[] = "true";
            static std::vector<char*> arguments(18, word.data());
            arguments.front() = name;
            arguments.back() = nullptr;
            execv("/bin/true", arguments.data());
            _exit(1);
        }
        int status = 1;
        return child > 0 && waitpid(child, &status, 0) == child && status == 0;
    });
    measure("MS_SYNC 32 MiB", [&] { return msync(at, resident, MS_SYNC) == 0; });
    munmap(at, resident);
    Child big([] { touch(mapped(resident), resident); });
    measure("exit with 32 MiB", [&] { return big.ends(); });
    Child killed([] { touch(mapped(resident), resident); touch(mapped(sparse_range), sparse_range, 64 * gibibyte); });
    measure("kill with 32 MiB and 32 TiB", [&] { return killed.is_killed(); });
}

void shared() {
    int file = memory_file(sparse_file);
    char* at = mapped(sparse_file, PROT_READ | PROT_WRITE, MAP_SHARED, file);
    touch(at, sparse_file, 256 * mebibyte);
    measure("mprotect 128 GiB, shared", [&] { return mprotect(at, sparse_file, PROT_READ) == 0; });
    measure("mremap 128 GiB, shared", [&] { return (at = static_cast<char*>(mremap(at, sparse_file, 2 * sparse_file, MREMAP_MAYMOVE))) != MAP_FAILED; });
    measure("fork with 128 GiB, shared", [&] {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        return child > 0 && waitpid(child, nullptr, 0) == child;
    });
    measure("ftruncate 128 GiB to 0", [&] { return ftruncate(file, 0) == 0; });
    measure("munmap 128 GiB, shared", [&] { return munmap(at, 2 * sparse_file) == 0; });
    close(file);

    file = memory_file(resident, true);
    at = mapped(resident, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file);
    measure("fallocate a hole of 32 MiB", [&] { return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, resident) == 0; });
    measure("fallocate 32 MiB", [&] { return fallocate(file, 0, 0, resident) == 0; });
    touch(at, resident);
    measure("ftruncate 32 MiB to 0", [&] { return ftruncate(file, 0) == 0; });
    munmap(at, resident);
    close(file);
    file = memory_file(resident, true);
    measure("close 32 MiB", [&] { return close(file) == 0; });

    file = memory_file(mappings * page, true);
    std::vector<char*> places(mappings);
    measure("mmap 4,096 times", [&] {
        for (char*& place : places)
            touch(place = mapped(2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file), page);
        return true;
    });
    measure("fork with 4,096 mappings", [&] {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        return child > 0 && waitpid(child, nullptr, 0) == child;
    });
    measure("ftruncate under 4,096 mappings", [&] { return ftruncate(file, 0) == 0; });
    measure("munmap 4,096 times", [&] {
        for (char* place : places)
            if (munmap(place, 2 * page) < 0)
                return false;
        return true;
    });
    close(file);
    Child many([] {
        const int own = memory_file(mappings * page, true);
        for (int i = 0; i < mappings; ++i)
            touch(mapped(2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, own), page);
    });
    measure("kill with 4,096 mappings", [&] { return many.is_killed(); });
}

void files() {
    constexpr int vectors = 1024; // IOV_MAX
    constexpr std::size_t each = resident / vectors;
    const int from = memory_file(resident, true), to = memory_file(0);
    char* const at = mapped(resident);
    touch(at, resident);
    std::vector<iovec> list(vectors);
    for (int i = 0; i < vectors; ++i)
        list[i] = {at + i * each, each};
    const auto size = static_cast<ssize_t>(resident);
    // As much as one call takes is enough.
    measure("writev of 1,024 times 32 KiB", [&] { return pwritev(to, list.data(), vectors, 0) > 0; });
    measure("readv of 1,024 times 32 KiB", [&] { return preadv(from, list.data(), vectors, 0) > 0; });
    measure("write 32 MiB", [&] { return pwrite(to, at, resident, 0) > 0; });
    measure("read 32 MiB", [&] { return pread(from, at, resident, 0) > 0; });
    measure("sendfile 32 MiB", [&] {
        off_t offset = 0;
        lseek(to, 0, SEEK_SET);
        while (offset < size)
            if (sendfile(to, from, &offset, resident) <= 0)
                return false;
        return true;
    });
    measure("copy_file_range 32 MiB", [&] {
        off_t in = 0, out = 0;
        while (in < size)
            if (copy_file_range(from, &in, to, &out, resident, 0) <= 0)
                return false;
        return true;
    });
    int ends[2];
    if (pipe(ends) < 0)
        die("pipe");
    measure("F_SETPIPE_SZ 1 MiB, filled and spliced", [&] {
        if (fcntl(ends[1], F_SETPIPE_SZ, mebibyte) < 0)
            return false;
        off_t in = 0, out = 0;
        while (in < size) {
            const ssize_t filled = splice(from, &in, ends[1], nullptr, mebibyte, 0);
            if (filled <= 0)
                return false;
            for (ssize_t left = filled; left > 0;) {
                const ssize_t moved = splice(ends[0], nullptr, to, &out, static_cast<std::size_t>(left), 0);
                if (moved <= 0)
                    return false;
                left -= moved;
            }
        }
        return true;
    });
    measure("fsync 32 MiB", [&] { return fsync(to) == 0; });
    for (const int file : {from, to, ends[0], ends[1]})
        close(file);
    munmap(at, resident);

    const int named = open("/tmp/big", O_RDWR | O_CREAT, 0600);
    const std::string block(mebibyte, 'x');
    for (std::size_t i = 0; i < resident; i += mebibyte)
        (void)write(named, block.data(), mebibyte);
    close(named);
    close(open("/tmp/small", O_RDWR | O_CREAT, 0600));
    measure("rename over 32 MiB", [&] { return rename("/tmp/small", "/tmp/big") == 0; });
    unlink("/tmp/big");

    mkdir("/tmp/many", 0700);
    constexpr int names = 4096;
    measure("creat 4,096 times", [&] {
        for (int i = 0; i < names; ++i) {
            const int file = open(("/tmp/many/" + std::to_string(i)).c_str(), O_CREAT | O_WRONLY, 0600);
            if (file < 0 || close(file) < 0)
                return false;
        }
        return true;
    });
    measure("getdents of 4,096", [&] {
        const int directory = open("/tmp/many", O_RDONLY | O_DIRECTORY);
        std::vector<char> buffer(mebibyte);
        long found = 0;
        while ((found = syscall(SYS_getdents64, directory, buffer.data(), buffer.size())) > 0) {
        }
        return found == 0 && close(directory) == 0;
    });
    measure("unlink 4,096 times", [&] {
        for (int i = 0; i < names; ++i)
            if (unlink(("/tmp/many/" + std::to_string(i)).c_str()) < 0)
                return false;
        return rmdir("/tmp/many") == 0;
    });
}

void descriptors() {
    constexpr int most = 16384;
    const rlimit wish{most + 64, most + 64};
    if (setrlimit(RLIMIT_NOFILE, &wish) < 0)
        die("setrlimit");
    std::vector<int> open_ones;
    const auto release = [&] {
        if (!open_ones.empty())
            (void)syscall(SYS_close_range, open_ones.front(), ~0u, 0);
        open_ones.clear();
    };
    for (int i = 0; i < most; ++i)
        open_ones.push_back(eventfd(1, 0));
    if (open_ones.back() < 0)
        die("eventfd");
    const int set = epoll_create1(0);
    measure("epoll_ctl of 16,384", [&] {
        for (const int file : open_ones) {
            epoll_event event{.events = EPOLLIN, .data = {.fd = file}};
            if (epoll_ctl(set, EPOLL_CTL_ADD, file, &event) < 0)
                return false;
        }
        return true;
    });
    std::vector<epoll_event> events(most);
    measure("epoll_wait of 16,384", [&] { return epoll_wait(set, events.data(), most, 0) > 0; });
    std::vector<pollfd> list;
    for (const int file : open_ones)
        list.push_back({file, POLLIN, 0});
    measure("poll of 16,384", [&] { return poll(list.data(), list.size(), 0) == most; });
    measure("fork with 16,384 descriptors", [&] {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        return child > 0 && waitpid(child, nullptr, 0) == child;
    });
    measure("close of the epoll", [&] { return close(set) == 0; });
    measure("close_range of 16,384", [&] { release(); return true; });

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
        die("socketpair");
    constexpr int rights = 253; // SCM_MAX_FD
    for (int i = 0; i < rights; ++i)
        open_ones.push_back(eventfd(0, 0));
    measure("SCM_RIGHTS until it is full", [&] {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * rights)] = {};
        char byte = 0;
        iovec data{&byte, 1};
        msghdr message{.msg_name = nullptr, .msg_namelen = 0, .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control, .msg_flags = 0};
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * rights);
        std::memcpy(CMSG_DATA(header), open_ones.data(), sizeof(int) * rights);
        int sent = 0;
        while (sent < 64 && sendmsg(pair[0], &message, MSG_DONTWAIT) == 1)
            ++sent;
        return sent > 0;
    });
    release();
    measure("close what carries SCM_RIGHTS", [&] { return close(pair[0]) == 0 && close(pair[1]) == 0; });
}

// Threads without libc's cost: small stacks, all of them waiting on one word.
std::uint32_t word = 0, second_word = 0;

long futex(std::uint32_t* at, int operation, std::uint32_t value, std::uint64_t fourth = 0, std::uint32_t* second = nullptr, std::uint32_t third = 0) {
    return syscall(SYS_futex, at, operation | FUTEX_PRIVATE_FLAG, value, fourth, second, third);
}

void* wait_for_word(void*) {
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0 && __atomic_load_n(&second_word, __ATOMIC_ACQUIRE) == 0)
        futex(&word, FUTEX_WAIT, 0);
    return nullptr;
}

std::vector<pthread_t> start_threads() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    std::vector<pthread_t> threads(thread_count);
    for (pthread_t& thread : threads)
        if (const int error = pthread_create(&thread, &attributes, wait_for_word, nullptr); error != 0) {
            errno = error;
            die("pthread_create");
        }
    // Until all of them have come to wait.
    const timespec nap{0, 50'000'000};
    nanosleep(&nap, nullptr);
    return threads;
}

void threads() {
    std::vector<pthread_t> started;
    measure("clone of 2,000 threads", [&] { started = start_threads(); return true; });
    measure("FUTEX_CMP_REQUEUE of 2,000", [&] { return futex(&word, FUTEX_CMP_REQUEUE, 0, INT32_MAX, &second_word) == thread_count; });
    measure("FUTEX_WAKE of 2,000 and their exits", [&] {
        __atomic_store_n(&second_word, 1, __ATOMIC_RELEASE);
        futex(&second_word, FUTEX_WAKE, INT32_MAX);
        for (const pthread_t thread : started)
            pthread_join(thread, nullptr);
        return true;
    });
    second_word = 0;
    Child exits([] { start_threads(); });
    measure("exit_group of 2,000 threads", [&] { return exits.ends(); });
    Child killed([] { start_threads(); });
    measure("kill of 2,000 threads", [&] { return killed.is_killed(); });
    const auto forked = [](std::vector<pid_t>& children, int count) {
        for (int i = 0; i < count; ++i) {
            const pid_t child = fork();
            if (child == 0) {
                while (true)
                    pause();
            }
            if (child < 0)
                return false;
            children.push_back(child);
        }
        return true;
    };
    std::vector<pid_t> children;
    constexpr int processes = 200;
    measure("fork of 200 processes", [&] { return forked(children, processes); });
    measure("kill of 200 processes", [&] {
        for (const pid_t child : children)
            kill(child, SIGKILL);
        for (const pid_t child : children)
            if (waitpid(child, nullptr, 0) != child)
                return false;
        return true;
    });
}

} // namespace

int main(int count, char** words) {
    if (count < 3)
        return 2;
    processors = std::atoi(words[1]);
    limit = std::strtoull(words[2], nullptr, 10);
    only.assign(words + 3, words + count);
    const struct {
        const char* name;
        void (*run)();
    } parts[] = {{"ranges", ranges}, {"shared", shared}, {"files", files}, {"descriptors", descriptors}, {"threads", threads}};
    for (const auto& part : parts)
        if (wanted(part.name))
            part.run();
    std::printf("bounded worst: %s with %lu ns\nbounded: %d calls, %s\n", worst.name, worst.late, measured, failed ? "too long" : "all in time");
    return failed ? 1 : 0;
}
