"""QEMU: the command line of a node, its QMP socket, and the probe for KVM."""

import json
import os
import socket
import subprocess

from . import paths
from .shell import Failure, need

PROGRAM = "qemu-system-x86_64"
# Exit code of a guest that writes PASS to the isa-debug-exit port: (value << 1) | 1.
DEBUG_EXIT_PORT = 0xf4
DEBUG_EXIT_PASS = 0x10


def parse_size(text):
    """2G, 512M, or a number of MiB; gives MiB."""
    unit = {"G": 1024, "M": 1}.get(text[-1:].upper())
    digits = text[:-1] if unit else text
    if not digits.isdigit() or int(digits) == 0:
        raise ValueError(f"'{text}' is no size such as 2G or 512M")
    return int(digits) * (unit or 1)


def accelerator(wanted):
    """`auto` becomes kvm where a guest really boots under it, else tcg: a /dev/kvm may be there and run no ordinary guest."""
    if wanted != "auto":
        return wanted
    return "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and _kvm_boots() else "tcg"


def _kvm_boots():
    os.makedirs(paths.RUN, exist_ok=True)
    sector = os.path.join(paths.RUN, "probe.img")
    # mov al, PASS; out PORT, al; hlt; jmp to the hlt
    code = bytes([0xb0, DEBUG_EXIT_PASS, 0xe6, DEBUG_EXIT_PORT, 0xf4, 0xeb, 0xfd])
    with open(sector, "wb") as file:
        file.write(code.ljust(510, b"\0") + b"\x55\xaa")
    words = [need(PROGRAM), "-accel", "kvm", "-M", "pc", "-m", "32", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-drive", f"file={sector},format=raw,if=ide,readonly=on,snapshot=on",
             "-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT},iosize=4"]
    try:
        return subprocess.run(words, timeout=10, capture_output=True, stdin=subprocess.DEVNULL).returncode == (DEBUG_EXIT_PASS << 1 | 1)
    except subprocess.TimeoutExpired:
        return False


def network(api, publish):
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in [(api, 2375), *((port, port) for port in publish)])
    return ["-netdev", "user,id=net0" + forwards, "-device", "virtio-net-pci,netdev=net0,disable-legacy=on"]


def base(accel, memory, cpus, serial, display=False):
    """What every node has, without a boot device and network."""
    words = [need(PROGRAM), "-name", "themelios", "-M", "q35", "-accel", accel, "-cpu", "host" if accel == "kvm" else "max",
             "-m", str(memory), "-smp", str(cpus), "-nodefaults", "-no-user-config", "-no-reboot", "-serial", serial,
             "-device", "virtio-rng-pci,disable-legacy=on", "-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT},iosize=4"]
    words += ["-vga", "std", "-display", "gtk"] if display else ["-display", "none"]
    return words


def direct(command_line):
    return ["-kernel", paths.DIRECT, "-initrd", paths.ROOT_IMAGE] + (["-append", command_line] if command_line else [])


def cdrom(firmware=None):
    """Boots the ISO: by SeaBIOS, or by the firmware in a file."""
    return ["-cdrom", paths.ISO] + (["-bios", firmware] if firmware else [])


class Qmp:
    """A connection to a running QEMU's control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        try:
            self.socket.connect(path)
        except OSError as error:
            raise Failure(f"QEMU's control socket does not answer: {error}") from None
        self.file = self.socket.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        try:
            self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
            self.file.flush()
            while line := self.file.readline():
                answer = json.loads(line)
                if "error" in answer:
                    raise Failure(f"QEMU refuses {name}: {answer['error'].get('desc')}")
                if "return" in answer:
                    return answer["return"]
        except OSError as error:
            raise Failure(f"QEMU's control socket: {error}") from None
        return None  # the socket closed: so it is with `quit`

    def monitor(self, line):
        return self.command("human-monitor-command", **{"command-line": line})

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
