"""The ISO, by BIOS and by UEFI, with the devices that a hypervisor gives by default: boots until the API answers and a container runs."""

import os
import subprocess
import time

from xt import api, docker, iso, paths, qemu
from xt.suites import free_ports, read_text

# Where Debian's ovmf puts the firmware of 64-bit UEFI.
OVMF = "/usr/share/ovmf/OVMF.fd"


def _boot(context, name, firmware):
    log = os.path.join(context.log_folder, f"iso-{name}.serial")
    if os.path.exists(log):
        os.unlink(log)
    (port,) = free_ports(1)
    # Without disable-legacy: virtio cards that speak both the old and the new form.
    words = ["qemu-system-x86_64", "-M", "q35", "-accel", context.accel, "-cpu", "max", "-m", "2048", "-smp", "2", "-nodefaults", "-no-user-config", "-no-reboot",
             "-display", "none", "-serial", "file:" + log, "-device", "virtio-rng-pci", "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:2375",
             "-device", "virtio-net-pci,netdev=n", *qemu.cdrom(firmware)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 600
            while not api.ping(port):
                assert process.poll() is None and time.monotonic() < end, "the API does not answer; the serial port's last lines:\n" + read_text(log)[-2000:]
                time.sleep(0.1)
            result = docker.capture(port, ["run", "--rm", "busybox", "echo", "hello"], timeout=900)
            assert result.stdout == "hello\n", result.stderr
        finally:
            process.kill()


def cases(context):
    yield "build", iso.make
    yield "SeaBIOS", lambda: _boot(context, "bios", None)
    yield "OVMF", lambda: _boot(context, "uefi", OVMF)
