"""Builds the guest: packages from Debian's archive, unpacked, never installed.

build(folder, extra) leaves `vmlinux` and `initramfs` in the folder. What the guest runs is named on its command line as themelios.run=PATH; it prints to the second
serial port, and the guest powers off when it ends. themelios.bundle=1 runs the program in a runc container instead (the bundle's root file system holds the program
and busybox)."""

import hashlib
import json
import os
import shutil
import subprocess

from . import cpio, kernel

# In the order in which they must be loaded.
MODULES = (
    "drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci", "net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net", "fs/overlayfs/overlay",
)

INIT = """#!/bin/sh
export PATH=/bin:/sbin:/usr/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /sys/fs/cgroup
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
echo "guest: init" > /dev/ttyS0
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
ip link set lo up
stty -F /dev/ttyS1 raw 2>/dev/null
run= bundle= network=
for word in $(cat /proc/cmdline); do
  case $word in
    themelios.run=*) run=${word#themelios.run=};;
    themelios.bundle=1) bundle=1;;
    themelios.network=1) network=1;;
  esac
done
[ -n "$network" ] && { ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2; }
if [ -n "$bundle" ]; then
  mkdir -p /run/bundle/upper /run/bundle/work /run/bundle/rootfs
  mount -t tmpfs layer /run/bundle/upper && mkdir /run/bundle/upper/u /run/bundle/upper/w
  mount -t overlay overlay -o lowerdir=/bundle/rootfs,upperdir=/run/bundle/upper/u,workdir=/run/bundle/upper/w /run/bundle/rootfs
  sed "s|@RUN@|$run|" /bundle/config.json > /run/bundle/config.json
  cd /run/bundle && runc run --no-pivot bench > /dev/ttyS1 2>&1
else
  [ -n "$run" ] && $run > /dev/ttyS1 2>&1 < /dev/null
fi
echo "guest: end $?" > /dev/ttyS0
poweroff -f
"""


def _download(folder, packages):
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", *packages], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in os.listdir(folder):
        if name.endswith(".deb"):
            subprocess.run(["dpkg", "-x", name, "tree"], cwd=folder, check=True)
            os.unlink(os.path.join(folder, name))
    return os.path.join(folder, "tree")


def _kernel_package():
    depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], check=True, capture_output=True, text=True).stdout
    for line in depends.splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise RuntimeError("no cloud kernel package: run apt-get update")


def _bundle_configuration():
    """An OCI runtime configuration with the defaults that Docker gives a container, without seccomp (this kernel and runc agree on none)."""
    capabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
                    "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["@RUN@"], "env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], "cwd": "/",
                    "capabilities": {name: capabilities for name in ("bounding", "effective", "permitted")}, "noNewPrivileges": True},
        "root": {"path": "rootfs"}, "hostname": "bench",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                   {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")]},
    }


def build(folder, extra):
    """folder: scratch and result. extra: {path in the guest: file on this machine}; they are in the initramfs and in the container's root file system."""
    stamp = hashlib.sha256(INIT.encode())
    for target in sorted(extra):
        with open(extra[target], "rb") as stream:
            stamp.update(target.encode() + hashlib.sha256(stream.read()).digest())
    stamp_file = os.path.join(folder, "stamp")
    if os.path.exists(stamp_file) and open(stamp_file).read() == stamp.hexdigest():
        return
    packages = os.path.join(folder, "packages")
    tree = os.path.join(packages, "tree")
    if not os.path.isdir(tree):
        shutil.rmtree(packages, ignore_errors=True)
        tree = _download(packages, [_kernel_package(), "runc", "libc6", "libseccomp2", "busybox-static"])
    boot = os.path.join(tree, "boot")
    image = next(name for name in os.listdir(boot) if name.startswith("vmlinuz"))
    with open(os.path.join(boot, image), "rb") as stream, open(os.path.join(folder, "vmlinux"), "wb") as out:
        out.write(kernel.extract(stream.read()))
    _initramfs(folder, tree, image.removeprefix("vmlinuz-"), extra)
    with open(stamp_file, "w") as out:
        out.write(stamp.hexdigest())


def _initramfs(folder, tree, version, extra):
    archive = cpio.Archive()
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "bundle/rootfs/proc", "bundle/rootfs/dev", "bundle/rootfs/tmp"):
        archive.directory(name)
    archive.node("dev/console", 5, 1)
    archive.file("init", INIT.encode(), 0o755)
    busybox = os.path.join(tree, "bin/busybox")
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    with open(busybox, "rb") as stream:
        body = stream.read()
    for prefix in ("bin", "bundle/rootfs/bin"):
        archive.file(f"{prefix}/busybox", body, 0o755)
        for applet in applets:
            if applet != "busybox":
                archive.link(f"{prefix}/{applet}", "busybox")
    modules = os.path.join(tree, "lib/modules", version, "kernel")
    for module in MODULES:
        with open(os.path.join(modules, module + ".ko"), "rb") as stream:
            archive.file(f"modules/{os.path.basename(module)}.ko", stream.read())
    archive.file("modules/order", "\n".join(os.path.basename(module) for module in MODULES).encode())
    for path in ("usr/sbin/runc", "lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libseccomp.so.2", "lib64/ld-linux-x86-64.so.2"):
        with open(os.path.join(tree, path), "rb") as stream:
            archive.file(path, stream.read(), 0o755)
    archive.file("bundle/config.json", json.dumps(_bundle_configuration()).encode())
    for target, source in extra.items():
        with open(source, "rb") as stream:
            body = stream.read()
        for prefix in ("", "bundle/rootfs/"):
            archive.file(prefix + target.strip("/"), body, 0o755)
    with open(os.path.join(folder, "initramfs"), "wb") as out:
        out.write(archive.data())


def command(folder, output, append="", cpus=2, memory="1G", icount=False, extra=()):
    """The QEMU command line. `output`: file that receives what the program prints; the console goes to output + '.console'."""
    accel = "tcg,thread=single" if icount else "tcg,thread=multi"
    return ["qemu-system-x86_64", "-accel", accel, *(["-icount", "shift=0,sleep=off"] if icount else []), "-smp", str(cpus), "-m", memory,
            "-cpu", "max,-cx16", "-M", "q35,hpet=on", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", f"file:{output}.console", "-serial", f"file:{output}",
            "-kernel", os.path.join(folder, "vmlinux"), "-initrd", os.path.join(folder, "initramfs"),
            "-append", f"console=ttyS0 quiet loglevel=3 panic=-1 oops=panic tsc=reliable {append}", *extra]
