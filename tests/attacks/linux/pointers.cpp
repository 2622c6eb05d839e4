// From inside a container: every Linux call with pointer arguments that lead to the kernel, to the personality, to nothing, across an edge, or round
// the end of the address space. Each call runs in a child with a canary page on both sides; what counts is that the call answers with an error or does
// nothing, that no canary byte changes, and that no byte of a place that is not the program's comes back.
//
// Prints one line a finding, and `pointers: CALLS calls, FINDINGS findings` last. Runs on Linux too, where it must find nothing.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr long last_call = 462;
constexpr std::size_t page = 4096;

// Calls that end, stop or replace the caller for good, or wait for ever, whatever their arguments.
bool harmless_to_skip(long number) {
    switch (number) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_pause:
    case SYS_rt_sigreturn:
    case SYS_vfork:
    case SYS_fork:
    case SYS_clone:
    case SYS_clone3:
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_reboot:
    case SYS_rt_sigsuspend:
    case SYS_ptrace:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_arch_prctl:
    case SYS_vhangup:
    case SYS_sync:
    case SYS_syncfs:
    case SYS_rseq:
    case SYS_set_robust_list:
    case SYS_process_madvise:
    case SYS_madvise:
    case SYS_sigaltstack:
    case SYS_brk:
    case SYS_unshare:
    case SYS_setns:
    case SYS_swapoff:
    case SYS_swapon:
    case SYS_kexec_load:
    case SYS_init_module:
    case SYS_finit_module:
    case SYS_delete_module:
    case SYS_settimeofday:
    case SYS_clock_settime:
    case SYS_adjtimex:
    case SYS_clock_adjtime:
    case SYS_sethostname:
    case SYS_setdomainname:
    case SYS_umount2:
    case SYS_chroot:
    case SYS_pivot_root:
    case SYS_acct:
    case SYS_syslog:
        return true;
    default:
        return false;
    }
}

long raw(long number, const std::uint64_t (&a)[6]) {
    long result;
    register std::uint64_t r10 asm("r10") = a[3];
    register std::uint64_t r8 asm("r8") = a[4];
    register std::uint64_t r9 asm("r9") = a[5];
    asm volatile("syscall"
                 : "=a"(result)
                 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

int attack(long number, unsigned char* canary, const std::uint64_t* places, int place_count) {
    int findings = 0;
    for (int first = 0; first < place_count; ++first)
        for (int mode = 0; mode < 4; ++mode) {
            std::uint64_t arguments[6];
            for (int i = 0; i < 6; ++i) {
                const std::uint64_t place = places[(first + i) % place_count];
                // Descriptors, sizes and flags are small numbers in some slots, so that the call gets as far as the pointer.
                arguments[i] = mode == 0 ? place : mode == 1 ? (i % 2 == 0 ? 1 : place) : mode == 2 ? (i == 1 ? place : 8) : (i == 0 ? place : 0);
            }
            raw(number, arguments);
        }
    for (std::size_t i = 0; i < page; ++i)
        if (canary[i] != 0x5a || canary[2 * page + i] != 0x5a)
            ++findings;
    return findings;
}

int run_call(long number) {
    const pid_t child = fork();
    if (child != 0) {
        int status = 0;
        waitpid(child, &status, 0);
        // SIGALRM: the call waited, which is no finding. Other signals and exit codes tell.
        if (WIFSIGNALED(status))
            return WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPIPE || WTERMSIG(status) == SIGXFSZ || WTERMSIG(status) == SIGSYS ? 0 : 1;
        return WEXITSTATUS(status) == 0 ? 0 : 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit core{0, 0}, file{1 << 16, 1 << 16};
    setrlimit(RLIMIT_CORE, &core);
    setrlimit(RLIMIT_FSIZE, &file);
    alarm(2);
    auto* canary = static_cast<unsigned char*>(mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memset(canary, 0x5a, 3 * page);
    mprotect(canary, page, PROT_READ);
    mprotect(canary + 2 * page, page, PROT_READ);
    auto* edge = static_cast<unsigned char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(edge + page, page);
    const std::uint64_t places[] = {
        0xffff'ffff'8000'0000,                            // the kernel's image
        0xffff'a000'0000'0000,                            // its direct map
        0xffff'8000'0020'0000,                            // the personality
        0xffff'807f'0000'0000,                            // its thread pages
        0x0000'8000'0000'0000,                            // not canonical
        0xffff'ffff'ffff'fff8,                            // wraps
        0x0000'7fff'ffff'f000,                            // the end of the guest half
        0x10,                                             // nothing there
        reinterpret_cast<std::uint64_t>(edge + page - 4), // across an edge
        reinterpret_cast<std::uint64_t>(canary),          // read-only
    };
    _exit(attack(number, canary, places, sizeof places / sizeof places[0]) == 0 ? 0 : 1);
}

} // namespace

int main() {
    int calls = 0, findings = 0;
    signal(SIGPIPE, SIG_IGN);
    if (chdir("/tmp") != 0)
        return 2;
    for (long number = 0; number <= last_call; ++number) {
        if (harmless_to_skip(number))
            continue;
        ++calls;
        if (run_call(number) != 0) {
            ++findings;
            std::printf("call %ld: the caller was damaged\n", number);
        }
    }
    std::printf("pointers: %d calls, %d findings\n", calls, findings);
    return findings == 0 ? 0 : 1;
}
