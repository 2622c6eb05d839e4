// What needs a capability that Docker gives no container.
#include "tests/linux/conformance/check.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace conformance {

void privileges() {
    show("mount", mount("none", "/tmp", "tmpfs", 0, nullptr));
    show("remount", mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr));
    show("umount", umount2("/", MNT_DETACH));
    show("pivot_root", syscall(SYS_pivot_root, "/", "/tmp"));
    show("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    show("fsmount", syscall(SYS_fsmount, -1, 0, 0));
    show("fspick", syscall(SYS_fspick, -1, "/", 0));
    show("move_mount", syscall(SYS_move_mount, -1, "/", -1, "/tmp", 0));
    show("swapon", swapon("/nowhere", 0));
    show("swapoff", swapoff("/nowhere"));
    show("acct", acct("/tmp/account"));
    show("sethostname", sethostname("other", 5));
    show("setdomainname", setdomainname("other", 5));
    show("vhangup", vhangup());
    show("reboot", reboot(RB_DISABLE_CAD));
    show("iopl", syscall(SYS_iopl, 3));
    show("ioperm", syscall(SYS_ioperm, 0x60, 1, 1));
    show("init_module", syscall(SYS_init_module, nullptr, 0, ""));
    show("finit_module", syscall(SYS_finit_module, 0, "", 0));
    show("delete_module", syscall(SYS_delete_module, "loop", 0));
    show("kexec_load", syscall(SYS_kexec_load, 0, 0, nullptr, 0));
    show("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, "", 0));
    show("syslog", syscall(SYS_syslog, 10, nullptr, 0));
    int handle[34] = {128};
    show("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, handle, 0));
    union bpf_attr program{};
    show("bpf", syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof program));
}

} // namespace conformance
