#include "tests/linux/conformance/check.hpp"

#include <csetjmp>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

static sigjmp_buf out;
static volatile int fault_code, fault_signal;
static void jump(int number, siginfo_t* info, void*) {
    fault_code = info->si_code;
    fault_signal = number;
    siglongjmp(out, 1);
}
static int touch(volatile char* address) {
    if (sigsetjmp(out, 1) != 0)
        return fault_signal * 100 + fault_code;
    return *address == 0 ? 0 : 1;
}
static int poke(volatile char* address) {
    if (sigsetjmp(out, 1) != 0)
        return fault_signal * 100 + fault_code;
    *address = 7;
    return 0;
}

static void mapping_errors() {
    show("length 0", mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    show("no type", mmap(nullptr, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    show("bad offset", mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, 0, 5) == MAP_FAILED ? -1 : 0);
    show("bad descriptor", mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, 987, 0) == MAP_FAILED ? -1 : 0);
    show("munmap unaligned", munmap(reinterpret_cast<void*>(5), 4096));
    show("mprotect hole", mprotect(reinterpret_cast<void*>(0x10000), 4096, PROT_READ));
    show("too large", mmap(nullptr, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

static void splitting() {
    char* base = static_cast<char*>(mmap(nullptr, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    base[0] = base[8192] = base[16384] = 5;
    munmap(base + 4096, 4096);
    show("hole", touch(base + 4096));
    show("after hole", touch(base + 8192));
    mprotect(base + 8192, 4096, PROT_NONE);
    show("none", touch(base + 8192));
    mprotect(base + 8192, 4096, PROT_READ);
    show("read again", touch(base + 8192));
    show("write to read-only", poke(base + 8192));
    show("madvise", madvise(base + 16384, 4096, MADV_DONTNEED));
    show("zero after dontneed", touch(base + 16384));
    char* fixed = static_cast<char*>(mmap(base, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    show("fixed", fixed == base);
    show("fixed is new", touch(base));
    show("noreplace", mmap(base, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0);
    char* grown = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    grown[10] = 9;
    grown = static_cast<char*>(mremap(grown, 4096, 64 * 4096, MREMAP_MAYMOVE));
    show("mremap keeps", grown != MAP_FAILED && grown[10] == 9 && grown[63 * 4096] == 0);
}

static void file_mappings() {
    const int file = open("/tmp/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    write(file, "0123456789", 10);
    char* shared = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    char* copy = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0));
    show("mapped byte", shared[3]);
    shared[3] = 'X';
    char byte = 0;
    pread(file, &byte, 1, 3);
    show("write reaches file", byte);
    copy[4] = 'Y';
    pread(file, &byte, 1, 4);
    show("private stays", byte);
    pwrite(file, "Z", 1, 5);
    show("file write reaches mapping", shared[5]);
    show("zero behind the end", shared[100]);
    show("past the end", touch(shared + 4096));
    ftruncate(file, 8192);
    show("after growth", touch(shared + 4096));
    show("msync", msync(shared, 4096, MS_SYNC));
    const int reader = open("/tmp/mapped", O_RDONLY);
    show("shared write on read-only", mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED ? -1 : 0);
    const pid_t child = fork();
    if (child == 0) {
        shared[6] = 'C';
        copy[6] = 'D';
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    show("shared after fork", shared[6]);
    show("private after fork", copy[6]);
    const int memory = memfd_create("m", MFD_ALLOW_SEALING);
    ftruncate(memory, 4096);
    show("seal", fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
    show("write sealed", write(memory, "x", 1));
}

void memory() {
    struct sigaction action {};
    action.sa_sigaction = jump;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    mapping_errors();
    splitting();
    file_mappings();
    char* heap = static_cast<char*>(sbrk(0));
    show("brk grows", sbrk(1 << 20) == heap);
    heap[(1 << 20) - 1] = 1;
    show("brk shrinks", sbrk(-(1 << 20)) != reinterpret_cast<void*>(-1));
    char* stack = static_cast<char*>(__builtin_alloca(4 << 20));
    stack[0] = 1;
    show("stack grows", stack[0]);
    void* big = mmap(nullptr, 64ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    show("huge reservation", big != MAP_FAILED);
    unsigned char* code = static_cast<unsigned char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);
    show("run written code", reinterpret_cast<int (*)()>(code)());
}

} // namespace conformance
