#!/usr/bin/env python3
"""A runtime for a development machine: serves the channel `runtime` (abi/runtime.hpp) with processes of the machine, each in a chroot over the image's layers.

    fake_runtime.py FOLDER [--verbose]     listens on FOLDER/runtime; the engine gets THEMELIOS_CHANNELS=FOLDER

It needs root, and isolates nothing: it is for tests of the engine alone. Programs of some names stand for sandboxes that go wrong:
    never-starts   the start is answered once the sandbox is destroyed
    starts-late    ends at once in its first run; starts of later ones are answered after a SIGUSR2
    crashes        the sandbox crashes as the program starts, and is freed by the second request that asks for it
Of each start that waits a line of the output tells. A SIGHUP holds up who asks for the head of the audit log and refuses to seal it, and another one
ends that.
"""

import array
import atexit
import ctypes
import faulthandler
import fcntl
import hashlib
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

(CREATE, ADD_LAYER, STREAM, START, SIGNAL, RESIZE, DESTROY, NEXT_EVENT, NODE_INFO, INSPECT, PREPARE, NODE_LOG, BEGIN, UPDATE, AUDIT_HEAD,
 AUDIT_READ, AUDIT_SEAL) = range(1, 18)
TAGS = {name: number for number, name in enumerate(
    "reason name hostname memory_pages cpu_quota cpu_shares fused network publish sandbox address stream argument environment directory user terminal rows columns "
    "stdin_open linux_error signal after event version cpu_count free_pages total_pages table_pages restarts object missing_call sandbox_count cpu_nanoseconds".split(), 1)}
TAGS.update(received_bytes=35, sent_bytes=36, tasks=37, log_line=47, audit_sequence=54, audit_digest=55, audit_batch=56)
LOG_LINES, LOG_LINES_AT_ONCE = 300, 256
BAD_ARGUMENT, EXISTS, NOT_FOUND, BAD_STATE, CANCELED, UNKNOWN_CALL, DENIED, IO = 5, 9, 10, 11, 13, 17, 20, 22
EXITED, CRASHED = 1, 2
AUDIT_BATCHES, AUDIT_KEPT, AUDIT_BATCHES_AT_ONCE = 45, 40, 16  # from the start on; of which the last ones are kept


LIBC = ctypes.CDLL(None)


def tell_of_a_wait():
    """To whoever reads the output: a start has come, and its answer waits."""
    os.write(1, b"a start waits\n")  # in one piece: each start has a thread


class Refused(Exception):
    def __init__(self, error, reason):
        super().__init__(reason)
        self.error = error


def number(value):
    return struct.pack("<Q", value)


def record(tag, value):
    if isinstance(value, int):
        value = number(value)
    elif isinstance(value, str):
        value = value.encode()
    return struct.pack("<HHI", TAGS[tag], 0, len(value)) + value + bytes(-len(value) % 4)


class Request:
    def __init__(self, data, fds):
        self.message, status = struct.unpack_from("<Ii", data)
        self.fds = fds
        self.records = {}
        at = 8
        while at < len(data):
            tag, reserved, length = struct.unpack_from("<HHI", data, at)
            assert reserved == 0 and at + 8 + length <= len(data), "damaged record"
            self.records.setdefault(tag, []).append(data[at + 8:at + 8 + length])
            at += 8 + (length + 3) // 4 * 4
        assert status == 0

    def number(self, tag, fallback=0):
        values = self.records.get(TAGS[tag])
        return struct.unpack("<Q", values[0])[0] if values else fallback

    def text(self, tag, fallback=""):
        values = self.records.get(TAGS[tag])
        return values[0].decode() if values else fallback

    def texts(self, tag):
        return [value.decode() for value in self.records.get(TAGS[tag], [])]


class Sandbox:
    def __init__(self, runtime, identity, name, publish):
        self.runtime, self.identity, self.name, self.publish = runtime, identity, name, publish
        self.address = 0xac110000 + 1 + identity % 65000
        self.folder = os.path.join(runtime.scratch, f"sandbox-{identity}")
        self.root = os.path.join(self.folder, "root")
        self.layers = []
        self.mounted = False
        self.process = None
        self.master = None
        self.ours = {}    # ends of the streams that the program gets
        self.theirs = {}  # ends for the engine, until it asks
        self.ended = threading.Event()
        self.starts = 0
        self.kept = False  # it is not freed by the next request
        os.makedirs(self.folder)

    def mount(self):
        if self.mounted:
            return
        if not self.layers:
            raise Refused(BAD_STATE, "a sandbox without layers")
        folders = {name: os.path.join(self.folder, name) for name in ("upper", "work", "root")}
        for folder in folders.values():
            os.makedirs(folder, exist_ok=True)
        options = f"lowerdir={':'.join(reversed(self.layers))},upperdir={folders['upper']},workdir={folders['work']}"
        if LIBC.mount(b"overlay", self.root.encode(), b"overlay", 0, options.encode()) != 0:
            for layer in self.layers:
                subprocess.run(["cp", "-a", layer + "/.", self.root], check=True)
        self.mounted = True
        for folder in ("dev", "proc", "sys", "tmp"):
            os.makedirs(os.path.join(self.root, folder), exist_ok=True)
        for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
            path = os.path.join(self.root, "dev", name)
            if not os.path.exists(path):
                try:
                    os.mknod(path, 0o666 | 0o020000, os.makedev(1, minor))
                except OSError:
                    open(path, "wb").close()

    def drop_streams(self):
        for fd in list(self.ours.values()) + list(self.theirs.values()):
            os.close(fd)
        self.ours, self.theirs = {}, {}
        if self.master is not None:
            os.close(self.master)
            self.master = None

    def prepare(self):
        if self.process is not None:
            raise Refused(BAD_STATE, "a program runs")
        self.drop_streams()

    def stream(self, which):
        if which not in (0, 1, 2):
            raise Refused(BAD_ARGUMENT, "no such stream")
        read, write = os.pipe2(os.O_CLOEXEC)
        self.ours[which], fd = (read, write) if which == 0 else (write, read)
        if which == 0:
            # Whether it is a terminal is known at the start: until then the engine holds one end of a socket pair.
            os.close(read)
            os.close(write)
            ours, fds = socket.socketpair()
            self.ours[0], fd = ours.detach(), fds.detach()
        return fd

    def start(self, request):
        if self.process is not None:
            raise Refused(BAD_STATE, "a program runs")
        self.mount()
        arguments = request.texts("argument")
        self.starts += 1
        if arguments == ["never-starts"]:
            tell_of_a_wait()
            self.ended.wait()
            raise Refused(CANCELED, "the sandbox was removed")
        if arguments == ["starts-late"]:
            if self.starts > 1:
                tell_of_a_wait()
                self.runtime.released.wait()
            arguments = ["true"] if self.starts == 1 else ["sleep", "1000"]
        if arguments == ["crashes"]:
            self.kept = True
            self.drop_streams()
            self.runtime.event(self.identity, CRASHED, 0)
            return 0
        environment = dict(each.split("=", 1) for each in request.texts("environment") if "=" in each)
        directory = request.text("directory", "/")
        terminal = bool(request.number("terminal"))
        root, slave = self.root, None
        bridge = self.ours.get(0)
        if terminal:
            self.master, slave = pty.openpty()
            self.resize(request.number("rows", 24), request.number("columns", 80))

        def enter():
            os.setsid()
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            os.chroot(root)
            os.makedirs(directory, exist_ok=True)
            os.chdir(directory)
            user = request.text("user").split(":")
            if user[0].isdigit() and int(user[0]):
                os.setgid(int(user[1]) if len(user) > 1 and user[1].isdigit() else int(user[0]))
                os.setuid(int(user[0]))

        if bridge is not None and not terminal:
            # The program gets a pipe: a splice from a socket would hold the lock of the pipe that it writes to.
            self.ours[0], entrance = os.pipe2(os.O_CLOEXEC)
        standard = [slave] * 3 if terminal else [self.ours.get(0, subprocess.DEVNULL), self.ours.get(1, subprocess.DEVNULL), self.ours.get(2, subprocess.DEVNULL)]
        try:
            process = subprocess.Popen(arguments, env=environment, preexec_fn=enter, stdin=standard[0], stdout=standard[1], stderr=standard[2])
        except OSError as error:
            self.drop_streams()
            for fd in [slave] if terminal else [bridge, entrance] if bridge is not None else []:
                os.close(fd)
            return error.errno or 2
        if slave is not None:
            os.close(slave)
            self.ours.pop(0, None)
            pump = threading.Thread(target=self.relay, args=(bridge, self.master), daemon=True)
            pump.start()
        else:
            pump = None
            if bridge is not None:
                threading.Thread(target=self.feed, args=(bridge, entrance), daemon=True).start()
            for fd in self.ours.values():
                os.close(fd)
            self.ours = {}
        self.process = process
        threading.Thread(target=self.reap, args=(process, pump), daemon=True).start()
        return 0

    def feed(self, bridge, entrance):
        try:
            while data := os.read(bridge, 65536):
                while data:
                    data = data[os.write(entrance, data):]
        except OSError:
            pass
        os.close(entrance)
        os.close(bridge)

    def relay(self, bridge, master):
        """Between the engine's socket and the terminal."""
        def inward():
            try:
                while data := os.read(bridge, 65536):
                    os.write(master, data)
            except OSError:
                pass
        threading.Thread(target=inward, daemon=True).start()
        try:
            while data := os.read(master, 65536):
                while data:
                    data = data[os.write(bridge, data):]
        except OSError:
            pass
        end = socket.socket(fileno=bridge)
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def reap(self, process, pump):
        process.wait()
        # What it left running ends with it.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass
        if pump is not None:
            pump.join(2)
        with self.runtime.lock:
            self.process = None
        code = process.returncode
        self.runtime.event(self.identity, EXITED, -code if code < 0 else code << 8)

    def signal(self, which):
        if self.process is None:
            raise Refused(BAD_STATE, "no program runs")
        # As the first process of a pid namespace: signals without a handler do nothing, but for KILL.
        self.process.send_signal(which)

    def resize(self, rows, columns):
        if self.master is not None:
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def destroy(self):
        if self.kept:
            self.kept = False
            raise Refused(IO, "not now")
        self.ended.set()
        process = self.process
        if process is not None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                pass
            process.wait()
        self.drop_streams()
        LIBC.umount2(self.root.encode(), 2)
        shutil.rmtree(self.folder, ignore_errors=True)


class Audit:
    """The audit log (abi/audit.hpp): each time that it is sealed there is one more record."""

    def __init__(self):
        self.lock = threading.Lock()
        self.open = threading.Event()
        self.open.set()
        self.batches = []
        self.digest = bytes(32)
        for _ in range(AUDIT_BATCHES):
            self.seal()

    def seal(self):
        sequence = len(self.batches) + 1
        record = struct.pack("<QHHHHQQ32x", sequence * 1000, 3, 0, 3, 0, 1, sequence)
        batch = struct.pack("<IIQQQ32x", 0x31445541, 1, sequence, sequence * 1000, 7) + self.digest + bytes(32) + record + bytes(61 * 64)
        self.digest = hashlib.sha256(batch).digest()
        self.batches.append(batch[:96] + self.digest + batch[128:])

    def head(self):
        self.open.wait()
        with self.lock:
            return len(self.batches), self.digest

    def read(self, after):
        with self.lock:
            first = max(after, AUDIT_BATCHES - AUDIT_KEPT)
            return self.batches[first:first + AUDIT_BATCHES_AT_ONCE]

    def sealed(self):
        if not self.open.is_set():
            raise Refused(NOT_FOUND, "the node keeps no audit log")
        with self.lock:
            self.seal()
            return len(self.batches), self.digest

    def turn(self):
        (self.open.clear if self.open.is_set() else self.open.set)()


class Runtime:
    def __init__(self, folder, verbose):
        self.lock = threading.RLock()
        self.arrived = threading.Condition(self.lock)
        self.verbose = verbose
        self.scratch = tempfile.mkdtemp(prefix="fake-runtime-")
        atexit.register(self.clean)
        self.sandboxes = {}
        self.layers = {}
        self.events = []
        self.sequence = 0
        self.next_identity = 1
        self.released = threading.Event()
        self.audit = Audit()
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "runtime")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(64)

    def clean(self):
        for sandbox in list(self.sandboxes.values()):
            sandbox.destroy()
        shutil.rmtree(self.scratch, True)

    def event(self, sandbox, kind, detail):
        with self.lock:
            self.sequence += 1
            self.events.append((self.sequence, struct.pack("<QQIIQ", self.sequence, sandbox, kind, detail, time.time_ns())))
            del self.events[:-4096]
            self.arrived.notify_all()

    def layer(self, fd):
        with os.fdopen(fd, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()
            with self.lock:
                if digest not in self.layers:
                    image = os.path.join(self.scratch, digest + ".erofs")
                    file.seek(0)
                    with open(image, "wb") as copy:
                        shutil.copyfileobj(file, copy)
                    folder = os.path.join(self.scratch, "layer-" + digest)
                    subprocess.run(["fsck.erofs", "--extract=" + folder, image], check=True, capture_output=True)
                    os.unlink(image)
                    self.layers[digest] = folder
                return self.layers[digest]

    def find(self, request):
        with self.lock:
            sandbox = self.sandboxes.get(request.number("sandbox"))
        if sandbox is None:
            raise Refused(NOT_FOUND, "no such sandbox")
        return sandbox

    def handle(self, request):
        """Returns (records, descriptors to send and close)."""
        kind = request.message
        if kind == CREATE:
            publish = {struct.unpack("<IHH", each)[:2] for each in request.records.get(TAGS["publish"], [])}
            with self.lock:
                if any(each.publish & publish for each in self.sandboxes.values()):
                    raise Refused(DENIED, "the port is taken")
                if any(each.name == request.text("name") for each in self.sandboxes.values()):
                    raise Refused(EXISTS, "the name is taken")
                identity, self.next_identity = self.next_identity, self.next_identity + 1
                sandbox = self.sandboxes[identity] = Sandbox(self, identity, request.text("name"), publish)
            return record("sandbox", identity) + record("address", socket.htonl(sandbox.address)), []
        if kind == BEGIN:
            return b"", []
        if kind == ADD_LAYER:
            self.find(request).layers.append(self.layer(request.fds.pop()))
            return b"", []
        if kind == UPDATE:
            self.find(request)
            return b"", []
        if kind == PREPARE:
            self.find(request).prepare()
            return b"", []
        if kind == STREAM:
            return b"", [self.find(request).stream(request.number("stream"))]
        if kind == START:
            return record("linux_error", self.find(request).start(request)), []
        if kind == SIGNAL:
            self.find(request).signal(request.number("signal"))
            return b"", []
        if kind == RESIZE:
            self.find(request).resize(request.number("rows"), request.number("columns"))
            return b"", []
        if kind == DESTROY:
            sandbox = self.find(request)
            sandbox.destroy()
            with self.lock:
                del self.sandboxes[sandbox.identity]
            return b"", []
        if kind == NEXT_EVENT:
            after = request.number("after")
            with self.lock:
                while not (new := [data for sequence, data in self.events if sequence > after]):
                    self.arrived.wait()
            return b"".join(record("event", data) for data in new[:256]), []
        if kind == NODE_INFO:
            pages = os.sysconf("SC_PHYS_PAGES")
            with self.lock:
                count = len(self.sandboxes)
            return b"".join([record("version", "fake"), record("cpu_count", os.cpu_count()), record("free_pages", os.sysconf("SC_AVPHYS_PAGES")),
                             record("total_pages", pages), record("table_pages", 0), record("restarts", 0), record("sandbox_count", count),
                             record("object", struct.pack("<24sQ", b"process", count)), record("missing_call", struct.pack("<QII", 1, 999, 2))]), []
        if kind == NODE_LOG:
            first = request.number("after") + 1
            numbers = range(first, min(LOG_LINES + 1, first + LOG_LINES_AT_ONCE))
            return b"".join(record("log_line", struct.pack("<QQI36s256s", each, each * 1_500_000_000, 8, b"fake", b"line %3d" % each)) for each in numbers), []
        if kind in (AUDIT_HEAD, AUDIT_SEAL):
            sequence, digest = self.audit.head() if kind == AUDIT_HEAD else self.audit.sealed()
            return record("audit_sequence", sequence) + record("audit_digest", digest), []
        if kind == AUDIT_READ:
            return b"".join(record("audit_batch", batch) for batch in self.audit.read(request.number("after"))), []
        if kind == INSPECT:
            self.find(request)
            return b"".join([record("memory_pages", 300), record("tasks", 2), record("cpu_nanoseconds", time.monotonic_ns() // 2), record("received_bytes", 1000),
                             record("sent_bytes", 2000)]), []
        raise Refused(UNKNOWN_CALL, f"no message {kind}")

    def session(self, connection):
        with connection:
            while True:
                data, control, _, _ = connection.recvmsg(128 * 1024, socket.CMSG_SPACE(16), socket.MSG_CMSG_CLOEXEC)
                if not data:
                    return
                fds = array.array("i")
                for level, kind, payload in control:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                        fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
                request = Request(data, list(fds))
                try:
                    payload, out = self.handle(request)
                    status = 0
                except Refused as refused:
                    payload, out, status = record("reason", str(refused)), [], -refused.error
                except Exception as error:  # a test shows what broke
                    payload, out, status = record("reason", repr(error)), [], -IO
                if self.verbose:
                    print("message", request.message, "sandbox", request.number("sandbox"), "->", status, file=sys.stderr, flush=True)
                for fd in request.fds:
                    os.close(fd)
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", out))] if out else []
                connection.sendmsg([struct.pack("<Ii", request.message, status) + payload], ancillary)
                for fd in out:
                    os.close(fd)

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.session, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    runtime = Runtime(sys.argv[1], "--verbose" in sys.argv)
    signal.signal(signal.SIGUSR2, lambda *_: runtime.released.set())
    signal.signal(signal.SIGHUP, lambda *_: runtime.audit.turn())
    print("ready", flush=True)
    runtime.serve()
