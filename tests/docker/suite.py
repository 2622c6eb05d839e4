"""The stock Docker CLI against a node: runs, streams, life cycle, published ports, churn."""

import concurrent.futures
import hashlib
import http.client
import json
import os
import pty
import re
import select
import subprocess
import termios
import time
import urllib.error
import urllib.request

from xt import api, docker, node


# Seconds: until the connections of what was before are forgotten, the short rests, of which each is what a request costs, and the long one, in which idleness is counted.
IDLE_SETTLING = 10
IDLE_SHORT = (5, 5, 5)
IDLE_LONG = 61
IDLE_LEAST = 60 * 10**9 # guest's nanoseconds that the long one is to be
# The timers that ten containers of `sleep 100000` and a node of itself ask for: those ten, and the renewal of a lease of a day at its half. All are far beyond 60 s, but the counter of
# a processor's timer reaches no further than 2^32 counts of 16 ns under QEMU, 68 s: on the way there it goes off once at most in that time.
IDLE_WAKEUPS_OF_A_PROCESSOR = 1
# The switch looks through its connections when the first of those that ended is forgotten, and not again for a minute.
IDLE_LOOKS = 2


def _run(context, *words, **options):
    return context.docker("run", "--rm", *words, **options)


def _output(result, code=0):
    assert result.returncode == code, f"exit code {result.returncode}, not {code}; stdout {result.stdout[-500:]!r}, stderr {result.stderr[-500:]!r}"
    return result.stdout


def _same(found, wanted):
    assert found == wanted, f"{(found[-500:] if isinstance(found, str) else found)!r}, not {wanted!r}"


def _figures(context):
    return node.figures(context.api())


# --- what the CLI shows of the node

def _version(context):
    server = json.loads(_output(context.docker("version", "--format", "{{json .}}")))["Server"]
    assert server["Os"] == "linux" and server["Arch"] == "amd64" and server["ApiVersion"], server


def _info(context):
    info = json.loads(_output(context.docker("info", "--format", "{{json .}}")))
    _same(info["NCPU"], 2)
    assert info["MemTotal"] > 1 << 30 and info["Name"], info
    # What a device can reach is no secret.
    assert any("IOMMU" in warning for warning in info["Warnings"]), info["Warnings"]


def _images(context):
    assert "busybox" in _output(context.docker("images", "--format", "{{.Repository}}")).split()
    assert _output(context.docker("image", "inspect", "busybox", "--format", "{{.Id}}")).startswith("sha256:")


# --- one container each

def _exit_code(context):
    _output(_run(context, "busybox", "sh", "-c", "exit 7"), 7)


def _apart(context):
    result = _run(context, "busybox", "sh", "-c", "echo out; echo err >&2")
    _output(result)
    _same((result.stdout, result.stderr), ("out\n", "err\n"))


def _stdin(context):
    result = subprocess.run(docker.words(context.api(), ["run", "-i", "--rm", "busybox", "cat"]), input="abc\n", capture_output=True, text=True,
                            timeout=900, env=docker.environment())
    _same((result.stdout, result.stderr, result.returncode), ("abc\n", "", 0))


def _bulk(context, size):
    """`size` bytes through stdin and stdout, told apart by their digest."""
    block = os.urandom(1 << 20)
    count = size >> 20
    wanted, found = hashlib.sha256(), hashlib.sha256()
    words = docker.words(context.api(), ["run", "-i", "--rm", "busybox", "cat"])
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=docker.environment()) as process, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        def feed():
            for number in range(count):
                piece = number.to_bytes(8, "little") + block[8:]
                wanted.update(piece)
                process.stdin.write(piece)
            process.stdin.close()
        writing = pool.submit(feed)
        received = 0
        while piece := process.stdout.read(1 << 16):
            found.update(piece)
            received += len(piece)
        writing.result()
    _same((process.returncode, received), (0, size))
    _same(found.hexdigest(), wanted.hexdigest())


def _missing_program(context):
    result = _run(context, "busybox", "/nonexistent")
    _output(result, 127)
    assert "no such file or directory" in result.stderr, result.stderr


def _fork_bomb(context):
    """A container has as many threads as --pids-limit says, or as its personality bears; its neighbours do not feel it, and nothing is left of it. Shells end where they cannot fork,
    so that this bomb has never all of them at once: `removal` has 2,048, and looks at their pages."""
    limited = _run(context, "--pids-limit", "20", "busybox", "sh", "-c", "cat /sys/fs/cgroup/pids.max; for i in $(seq 100); do sleep 1000 & done")
    assert limited.stdout == "20\n" and "can't fork" in limited.stderr, limited.stdout + limited.stderr
    # A small one first: what the management plane's heap takes for it stays.
    _explode(context, "--pids-limit", "100")
    before = node.settled(context.api())
    _explode(context)
    _comes_back(context, before, 256)


def _explode(context, *options):
    _output(context.docker("run", "-d", "--name", "bomb", *options, "busybox", "sh", "-c", "f() { f | f & }; f; sleep 1000"))
    try:
        for _ in range(5):
            _same(_output(_run(context, "busybox", "echo", "alive")), "alive\n")
        _same(_output(context.docker("ps", "-q", "--filter", "name=bomb")).count("\n"), 1)
    finally:
        context.docker("rm", "-f", "bomb")


def _unknown_user(context):
    """Who a program runs as is in the image's files, or a number that may be one; the container that could not be started is there to be looked at."""
    for user, words in (("nosuch", "unable to find user nosuch: no matching entries in passwd file"), ("0:nosuch", "unable to find group nosuch: no matching entries in group file"),
                        ("4294967296", "uids and gids must be in range 0-2147483647"), ("1:2147483648", "uids and gids must be in range 0-2147483647")):
        result = _run(context, "-u", user, "busybox", "true")
        assert result.returncode == 125 and words in result.stderr, (result.returncode, result.stderr)
    _same(_output(_run(context, "-u", "2147483647:7", "busybox", "id")).split()[:2], ["uid=2147483647", "gid=7"])


def _odd_databases(context):
    """Where an image's files of users are none, there are no users; nothing waits for them. What leads to the process itself leads nowhere before there is one."""
    script = "if test -p /etc/passwd; then echo again; else rm -f /etc/passwd /etc/group; mkfifo /etc/passwd; ln -s /proc/self/status /etc/group; fi"
    _output(context.docker("create", "--name", "odd", "busybox", "sh", "-c", script))
    try:
        _same(_output(context.docker("start", "-a", "odd")), "")
        _same(_output(context.docker("start", "-a", "odd")), "again\n")
    finally:
        context.docker("rm", "-f", "odd")
    result = _run(context, "-w", "/proc/self/nothing", "busybox", "true")
    assert result.returncode not in (0, 137), (result.returncode, result.stderr)
    _same(_output(_run(context, "busybox", "echo", "alive")), "alive\n")


def _missing_image(context):
    result = context.docker("image", "inspect", "nosuch:latest")
    assert result.returncode == 1 and "No such image: nosuch:latest" in result.stderr, result.stderr


def _life(context):
    _output(context.docker("run", "-d", "--name", "life", "busybox", "sh", "-c", "echo begin; exec sleep 1000"))
    try:
        _same(_output(context.docker("ps", "--format", "{{.Names}}")).split().count("life"), 1)
        _same(_output(context.docker("inspect", "life", "--format", "{{.State.Running}}")), "true\n")
        end = time.monotonic() + 300
        while _output(context.docker("logs", "life")) != "begin\n":
            assert time.monotonic() < end, "the log stays empty"
        _output(context.docker("rename", "life", "living"))
        _output(context.docker("kill", "living"))
        _same(_output(context.docker("wait", "living")), "137\n")
        _same(_output(context.docker("ps", "--format", "{{.Names}}")).split().count("living"), 0)
        _same(_output(context.docker("ps", "-a", "--format", "{{.Names}}")).split().count("living"), 1)
    finally:
        context.docker("rm", "-f", "life")
        context.docker("rm", "-f", "living")
    result = context.docker("inspect", "living")
    assert result.returncode == 1 and "No such object: living" in result.stderr, result.stderr


def _stop(context):
    _output(context.docker("run", "-d", "--name", "stopped", "busybox", "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 1; done"))
    try:
        follow = subprocess.Popen(docker.words(context.api(), ["logs", "-f", "stopped"]), stdout=subprocess.PIPE, text=True, env=docker.environment())
        _same(follow.stdout.readline(), "ready\n")
        _output(context.docker("stop", "-t", "60", "stopped"))
        _same((follow.stdout.read(), follow.wait(300)), ("", 0))
        _same(_output(context.docker("wait", "stopped")), "3\n")
    finally:
        context.docker("rm", "-f", "stopped")


def _kill_without_time(context):
    """Who has a thousandth of a processor ends all the same where it is told to, and keeps its files."""
    name = "slow"
    _output(context.docker("run", "-d", "--name", name, "busybox", "sh", "-c", "[ -e /kept ] && exec echo kept; for i in $(seq 40); do sleep 1000 & done; touch /kept; echo ready; wait"))
    try:
        with subprocess.Popen(docker.words(context.api(), ["logs", "-f", name]), stdout=subprocess.PIPE, text=True, env=docker.environment()) as follow:
            _same(follow.stdout.readline(), "ready\n")
            _output(context.docker("update", "--cpu-period", "1000000", "--cpu-quota", "1000", name))
            _output(context.docker("kill", name))
        _same(_output(context.docker("wait", name)), "137\n")
        _output(context.docker("update", "--cpu-period", "100000", "--cpu-quota", "100000", name))
        _same(_output(context.docker("start", "-a", name)), "kept\n")
    finally:
        context.docker("rm", "-f", name)


def _force(context):
    name = _output(context.docker("run", "-d", "busybox", "sleep", "1000")).strip()
    refused = context.docker("rm", name)
    assert refused.returncode == 1 and "running" in refused.stderr, refused.stderr
    _output(context.docker("rm", "-f", name))


def _working_directory(context):
    _same(_output(_run(context, "-w", "/tmp", "-e", "GREETING=hello", "-u", "1000:1000", "busybox", "sh", "-c", "pwd; echo $GREETING; id -u; id -g")),
          "/tmp\nhello\n1000\n1000\n")


def _proc(context):
    """What programs read of /proc; nobody but the container's own processes is there."""
    lines = _output(_run(context, "--name", "proc-test", "busybox", "sh", "-c",
                         "ps > /tmp/ps; wc -l < /tmp/ps; readlink /proc/1/exe; grep -c ^MemTotal /proc/meminfo; cat /proc/1/comm; cut -d' ' -f2 /proc/mounts | sort | head -2; "
                         "echo out > /dev/stdout; ls /proc/self/fd | wc -l")).splitlines()
    _same(lines, ["3", "/bin/sh", "1", "sh", "/", "/dev", "out", "4"])


def _date(context):
    shown = int(_output(_run(context, "busybox", "date", "+%s")))
    # A clock that was not set shows 1970; the limit allows for a host that was busy.
    assert abs(shown - time.time()) < 3600, f"the container's date is {shown}, the host's {time.time()}"


def _restart_keeps_files(context):
    _output(context.docker("create", "--name", "kept", "busybox", "sh", "-c", "echo x >> /file; cat /file"))
    try:
        _same(_output(context.docker("start", "-a", "kept")), "x\n")
        _same(_output(context.docker("start", "-a", "kept")), "x\nx\n")
    finally:
        context.docker("rm", "-f", "kept")


class _Screen:
    """A `docker run -it` in a terminal of 33 rows and 77 columns."""

    def __init__(self, context, *words):
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (33, 77))
        self.process = subprocess.Popen(docker.words(context.api(), ["run", "-it", "--rm", *words]), stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, env=docker.environment())
        os.close(slave)
        self._seen = ""

    def expect(self, text, limit=300):
        end = time.monotonic() + limit
        while text not in self._seen:
            ready, _, _ = select.select([self._master], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r}; the screen shows {self._seen[-500:]!r}"
            try:
                self._seen += os.read(self._master, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"the terminal ended before {text!r}; it shows {self._seen[-500:]!r}") from None
        self._seen = self._seen.split(text, 1)[1]

    def type(self, text):
        os.write(self._master, text.encode())

    def close(self):
        os.close(self._master)
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()


def _memory_limit(context):
    """A program that takes all of its container's memory ends alone; the container's first program and the node go on."""
    words = ("--name", "greedy", "--memory", "48m", "busybox", "sh", "-c", "tail /dev/zero; echo code $?")
    try:
        _same(_output(context.docker("run", *words)), "code 137\n")
        _same(_output(context.docker("inspect", "greedy", "--format", "{{.State.OOMKilled}} {{.HostConfig.Memory}}")), f"true {48 << 20}\n")
        _same(_output(_run(context, "--memory", "48m", "busybox", "echo", "fits")), "fits\n")
    finally:
        context.docker("rm", "-f", "greedy")


_GROUP = "cd /sys/fs/cgroup; cat cgroup.controllers cpu.max cpu.weight memory.max"


def _control_group(context):
    """What a program reads of its own limits: what was asked for, in the files of Linux."""
    def shown(*options):
        return _output(_run(context, *options, "busybox", "sh", "-c", _GROUP)).splitlines()
    _same(shown(), ["cpuset cpu memory pids", "max 100000", "100", "max"])
    _same(shown("--cpus", "0.5", "--cpu-shares", "512", "-m", "64m"), ["cpuset cpu memory pids", "50000 100000", "20", str(64 << 20)])
    _same(shown("--cpu-quota", "25000", "--cpu-period", "50000", "--cpu-shares", "262144")[1:3], ["25000 50000", "10000"])
    _same(shown("--cpu-period", "50000", "--cpu-shares", "2")[1:3], ["max 50000", "1"])


def _refused_limits(context):
    for options, words in ((("--cpus", "2.01"), "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
                           (("--cpus", "0.001"), "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
                           (("--cpu-period", "999"), "CPU cfs period can not be less than 1ms"), (("--cpu-quota", "999"), "CPU cfs quota can not be less than 1ms"),
                           (("-m", "64m", "--memory-swap", "32m"), "Minimum memoryswap limit should be larger than memory limit, see usage"),
                           (("-m", "5m"), "Minimum memory limit allowed is 6MB")):
        result = _run(context, *options, "busybox", "true")
        assert result.returncode == 125 and words in result.stderr, (options, result.returncode, result.stderr)


def _nothing_ignored(context):
    """An option works, or is refused by its name, however little it says."""
    for options, words in ((("--tmpfs", "/x"), "HostConfig.Tmpfs"), (("--sysctl", "net.a="), "HostConfig.Sysctls"), (("--storage-opt", "size="), "HostConfig.StorageOpt"),
                           (("--network", "name=bridge,driver-opt=a="), "DriverOpts"), (("--link-local-ip", "169.254.1.1"), "LinkLocalIPs"), (("--cap-drop", "ALL"), "HostConfig.CapDrop"),
                           (("--platform", "linux/amd64junk"), "linux/amd64junk"), (("--platform", "linux/arm64"), "linux/arm64")):
        result = _run(context, *options, "busybox", "true")
        assert result.returncode == 125 and words in result.stderr, (options, result.returncode, result.stderr)
    names = ("--hostname", "hh", "--domainname", "dom.example", "busybox")
    _same(_output(_run(context, *names, "hostname", "-f")), "hh.dom.example\n")
    _same(_output(_run(context, *names, "cat", "/proc/sys/kernel/domainname", "/etc/hostname")), "dom.example\nhh\n")
    _same(_output(_run(context, "busybox", "cat", "/proc/sys/kernel/domainname")), "(none)\n")
    warned = _run(context, "--shm-size", "64m", "--log-opt", "max-file=3", "busybox", "echo", "there")
    _same(_output(warned), "there\n")
    for what in ("HostConfig.ShmSize", "max-file"):
        assert what in warned.stderr, warned.stderr


def _until_lines(context, name, count):
    """The lines of a container's log, once there are so many."""
    end = time.monotonic() + 300
    while len(lines := _output(context.docker("logs", name)).splitlines()) < count:
        assert time.monotonic() < end, f"{name} says no more than {lines}"
        time.sleep(0.1)
    return lines


def _stats(context):
    """What a container uses: of programs that ended too, and nothing while it rests."""
    def used(name):
        status, body = api.get(context.api(), f"/containers/{name}/stats?stream=0&one-shot=1", timeout=100)
        assert status == 200, body
        return json.loads(body)

    names = ("counted", "spins")
    _output(context.docker("run", "-d", "--name", "counted", "-m", "64m", "busybox", "sh", "-c", "dd if=/dev/zero of=/dev/null bs=64k count=2000 2>&1; echo done; sleep 100000"))
    _output(context.docker("run", "-d", "--name", "spins", "busybox", "sh", "-c", "while :; do :; done"))
    try:
        _until_lines(context, "counted", 3)
        before = used("counted")
        while (now := used("counted"))["cpu_stats"]["cpu_usage"] != before["cpu_stats"]["cpu_usage"]:
            before = now  # its last program is on its way to sleep
        assert before["cpu_stats"]["cpu_usage"]["total_usage"] > 0 and before["pids_stats"]["current"] in (1, 2), before
        assert 0 < before["memory_stats"]["usage"] <= before["memory_stats"]["limit"] == 64 << 20, before
        first = used("spins")
        row = json.loads(_output(context.docker("stats", "--no-stream", "--format", "{{json .}}", "spins")))
        second = used("spins")
        spun = second["cpu_stats"]["cpu_usage"]["total_usage"] - first["cpu_stats"]["cpu_usage"]["total_usage"]
        passed = second["cpu_stats"]["system_cpu_usage"] - first["cpu_stats"]["system_cpu_usage"]
        assert 0 < spun <= passed and float(row["CPUPerc"].rstrip("%")) > 0 and row["PIDs"] == "1", (row, first, second)
        _same(used("counted")["cpu_stats"]["cpu_usage"], before["cpu_stats"]["cpu_usage"])
    finally:
        context.docker("rm", "-f", *names)


def _update(context):
    """Limits of a container that runs change, in what holds them, in what is shown outside and in what its programs read."""
    def inside():
        # A program's lines come through the log: it writes when it is told to.
        before = len(_output(context.docker("logs", "updated")).splitlines())
        _output(context.docker("kill", "-s", "USR1", "updated"))
        return _until_lines(context, "updated", before + 2)[-2:]

    _output(context.docker("run", "-d", "--name", "updated", "--cpus", "0.5", "busybox", "sh", "-c",
                           "trap 'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.weight' USR1; echo ready; while :; do sleep 0.1; done"))
    try:
        _same(_until_lines(context, "updated", 1), ["ready"])
        _same(inside(), ["50000 100000", "100"])
        _same(_output(context.docker("update", "--cpus", "1.5", "--cpu-shares", "512", "updated")), "updated\n")
        _same(inside(), ["150000 100000", "20"])
        _same(_output(context.docker("inspect", "updated", "--format", "{{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}}")), "1500000000 512\n")
        for options, words in ((("--cpus", "2.5"), "range of CPUs is from 0.01 to 2.00"), (("--memory", "64m"), "changing Memory of a container is not supported"),
                               (("--restart", "always"), "changing RestartPolicy.Name of a container is not supported"),
                               (("--cpu-quota", "20000"), "CPU Quota cannot be updated as NanoCPUs has already been set")):
            result = context.docker("update", *options, "updated")
            assert result.returncode == 1 and words in result.stderr, (options, result.returncode, result.stderr)
        _same(inside(), ["150000 100000", "20"])
    finally:
        context.docker("rm", "-f", "updated")


def _processors(context):
    """--cpuset-cpus is what programs may run on, count, and are told; an update reaches those that run."""
    tell = "cat /sys/fs/cgroup/cpuset.cpus /sys/fs/cgroup/cpuset.cpus.effective; grep Cpus_allowed_list /proc/self/status; nproc; taskset -p $$ | sed 's/.*: //'"
    for option, words in (("1", ["1", "1", "Cpus_allowed_list:\t1", "1", "2"]), ("0-1", ["0-1", "0-1", "Cpus_allowed_list:\t0-1", "2", "3"]),
                          ("1,0", ["0-1", "0-1", "Cpus_allowed_list:\t0-1", "2", "3"])):
        _same(_output(context.docker("run", "--rm", "--cpuset-cpus", option, "busybox", "sh", "-c", tell)).splitlines(), words)
    _same(_output(context.docker("run", "--rm", "busybox", "sh", "-c", tell)).splitlines(), ["", "0-1", "Cpus_allowed_list:\t0-1", "2", "3"])
    for option, words in (("7", "Requested CPUs are not available - requested 7, available: 0-1"), ("1-x", "Invalid value 1-x for cpuset cpus")):
        result = context.docker("run", "--rm", "--cpuset-cpus", option, "busybox", "true")
        assert result.returncode == 125 and words in result.stderr, (option, result.returncode, result.stderr)
    # A program that chose the one that it loses goes on with what is left.
    _output(context.docker("run", "-d", "--name", "processors", "--cpuset-cpus", "0-1", "busybox", "taskset", "2", "sh", "-c",
                           "trap 'cat /sys/fs/cgroup/cpuset.cpus; grep Cpus_allowed_list /proc/$$/status' USR1; echo ready; while :; do sleep 0.1; done"))
    try:
        lines = _until_lines(context, "processors", 1)
        _same(lines, ["ready"])
        for cpus, allowed in (("0-1", "1"), ("0", "0"), ("1", "1")):
            _output(context.docker("update", "--cpuset-cpus", cpus, "processors"))
            _output(context.docker("kill", "-s", "USR1", "processors"))
            lines = _until_lines(context, "processors", len(lines) + 2)
            _same(lines[-2:], [cpus, f"Cpus_allowed_list:\t{allowed}"])
        _same(_output(context.docker("inspect", "processors", "--format", "{{.HostConfig.CpusetCpus}}")), "1\n")
    finally:
        context.docker("rm", "-f", "processors")


def _terminal(context):
    screen = _Screen(context, "busybox", "sh")
    try:
        screen.expect("/ # ")
        screen.type("stty size\r")
        screen.expect("33 77")
        # A program of its own: the shell loses an interrupt that meets its fork, on Linux too.
        screen.type("sh -c \"echo sle''eps; exec sleep 1000\"\r")
        screen.expect("sleeps")
        screen.type("\x03")
        screen.expect("/ # ")
        screen.type("echo re''ads; cat\r")
        screen.expect("reads\r\n")
        screen.type("abx\x7fc\r")
        screen.expect("abx\b \bc\r\nabc\r\n")
        screen.type("\x04")
        screen.expect("/ # ")
        screen.type("sleep 1000 &\r")
        screen.expect("/ # ")
        screen.type("jobs; exit 5\r")
        screen.expect("Running")
        _same(screen.process.wait(300), 5)
    finally:
        screen.close()


# --- network

def _get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=100) as answer:
        return answer.read()


def _published(context):
    port = context.published_port()
    _output(context.docker("run", "-d", "--name", "web", "-p", f"{port}:80", "busybox", "httpd", "-f", "-p", "80", "-h", "/etc"))
    try:
        end = time.monotonic() + 300
        while True:
            try:
                assert b"root" in _get(port, "/passwd")
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert time.monotonic() < end, "the published port does not answer"
                time.sleep(0.1)
        for _ in range(20):
            assert b"root" in _get(port, "/passwd")
        address = _output(context.docker("inspect", "web", "--format", "{{.NetworkSettings.IPAddress}}")).strip()
        assert "root" in _output(_run(context, "busybox", "wget", "-q", "-O", "-", f"http://{address}/passwd"))
    finally:
        context.docker("rm", "-f", "web")


def _isolation(context):
    """The same calls, with a root for the programs and without: what it costs is seen where the roots are loaded."""
    calls = 40000 # two for each byte
    loads = {}
    for isolation in ("split", "fused"):
        before = _figures(context)["root_loads"]
        name = _output(context.docker("run", "-d", "--isolation", isolation, "busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={calls // 2}")).strip()
        _same(_output(context.docker("wait", name)), "0\n")
        loads[isolation] = _figures(context)["root_loads"] - before
        _same(_output(context.docker("inspect", "--format", "{{.HostConfig.Isolation}}", name)), isolation + "\n")
        _output(context.docker("rm", name))
    print(f"{calls} calls: {loads} root loads", flush=True)
    assert loads["split"] >= calls and loads["fused"] < calls / 4, loads
    result = _run(context, "--isolation", "fused", "--user", "1000", "busybox", "true")
    _output(result, 125)
    assert 'the isolation "fused"' in result.stderr, result.stderr


def _no_api_from_a_container(context):
    for address in ("172.17.0.1", "10.0.2.15", "10.0.2.2"):
        for port in (2375, context.api()):
            result = _run(context, "busybox", "sh", "-c", f"printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port}")
            assert result.returncode == 1 and result.stdout == "", f"{address}:{port}: exit code {result.returncode}, {result.stdout!r}"


# --- nothing stays behind

def _comes_back(context, before, spare):
    """What was made since `before` goes, but for `spare` pages that a heap has grown by."""
    end = time.monotonic() + 300
    while True:
        after = node.settled(context.api())
        if after["objects"] == before["objects"] and before["free_pages"] - after["free_pages"] < spare:
            return
        assert time.monotonic() < end, f"free pages {before['free_pages']} -> {after['free_pages']}, objects {before['objects']} -> {after['objects']}"


def _at_once(context, count):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for result in pool.map(lambda _: _run(context, "busybox", "true", timeout=900), range(count)):
            _output(result)


def _churn(context, rounds, at_once):
    context.api()
    # The management plane's heap stays at the size of the busiest moment, so there are some before.
    for _ in range(2):
        _at_once(context, at_once)
    before = node.settled(context.api())
    for _ in range(rounds):
        _output(_run(context, "busybox", "true"))
    _at_once(context, at_once)
    # The heap still grows by a page or two a container for a while; a sandbox that stayed behind would be more than a hundred.
    _comes_back(context, before, 512)


def _rests(context, rests):
    """Of each rest the wake-ups and the guest's nanoseconds, both as one look at the node tells them at either end. One connection: each rest has the cost of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", context.api(), timeout=100)
    looks = []
    try:
        for rest in (0, *rests):
            time.sleep(rest)
            connection.request("GET", "/themelios/node")
            figures = json.loads(connection.getresponse().read())
            assert len(figures["idle_wakeups"]) == figures["cpus"], figures
            looks.append((sum(figures["idle_wakeups"]), figures["monotonic_nanoseconds"]))
    finally:
        connection.close()
    return [(after[0] - before[0], after[1] - before[1]) for before, after in zip(looks, looks[1:])]


def _idle(context):
    """Processors without work have no tick, and connections without traffic no timer: a minute wakes no more often than what its one request costs, and the timers asked for."""
    names = [f"idle-{number}" for number in range(10)]
    try:
        for name in names:
            _output(context.docker("run", "-d", "--name", name, "busybox", "sleep", "100000"))
        allowed = IDLE_WAKEUPS_OF_A_PROCESSOR * _figures(context)["cpus"] + IDLE_LOOKS
        print(f"timers asked for: {len(names)} in 100,000 s, a lease's in 43,200 s, the switch's in a minute; on the way there each processor's, after 68 s at most", flush=True)
        # A request that this machine holds up is sent again, which wakes as well: one of a few attempts has to be right, and with a tick none is.
        for _ in range(3):
            time.sleep(IDLE_SETTLING)
            *short, (long, took) = _rests(context, (*IDLE_SHORT, IDLE_LONG))
            costs = [wakeups for wakeups, _ in short]
            cost = max(costs) + max(costs) - min(costs) # requests differ by as much
            text = f"{', '.join(f'{wakeups} wake-ups in {time / 1e9:.1f} s' for wakeups, time in short)}; {long} in {took / 1e9:.1f} s, of which {cost} may be a request's and {allowed} the timers'"
            print(text, flush=True)
            assert took >= IDLE_LEAST, text
            if long <= cost + allowed:
                return
        raise AssertionError(text)
    finally:
        context.docker("rm", "-f", *names)


def _smoke(context, cpus):
    context.api(cpus)
    _same(_figures(context)["cpus"], cpus)
    _exit_code(context)
    _apart(context)
    _stdin(context)
    _same(_output(_run(context, "busybox", "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (echo $i) & done; wait")).count("\n"), 8)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda number: _run(context, "busybox", "echo", str(number)), range(8)):
            _output(result)


def _node_log(context):
    """Who wrote what: programs by their names, the services in that of their sandbox."""
    status, body = api.get(context.api(), "/themelios/log", timeout=100)
    assert status == 200, body[:500]
    lines = re.findall(r"^ *\d+\.\d{6} ([^:]+): (.*)$", body.decode(), re.M)
    assert ("pci", "functions") in {(writer, text.split(" ", 1)[-1]) for writer, text in lines}, lines
    assert any(writer == "management" and text.startswith("engine: ") for writer, text in lines), lines
    assert len(lines) == len(body.splitlines()), body[:2000]


def cases(context):
    def case(function, *words):
        return lambda: function(context, *words)

    for cpus in (1, 4, 2):
        yield f"smoke at {cpus} CPUs", case(_smoke, cpus)

    yield "version", case(_version)
    yield "info", case(_info)
    yield "log of the node", case(_node_log)
    yield "images", case(_images)
    yield "hello", lambda: _same(_output(_run(context, "busybox", "echo", "hello")), "hello\n")
    yield "exit code", case(_exit_code)
    yield "stdout and stderr apart", case(_apart)
    yield "stdin", case(_stdin)
    yield "bulk", case(_bulk, (100 if context.full else 16) << 20)
    yield "missing program", case(_missing_program)
    yield "fork bomb", case(_fork_bomb)
    yield "idle", case(_idle)
    yield "unknown user", case(_unknown_user)
    yield "odd files of users", case(_odd_databases)
    yield "missing image", case(_missing_image)
    yield "life", case(_life)
    yield "stop", case(_stop)
    yield "kill without time", case(_kill_without_time)
    yield "rm -f", case(_force)
    yield "environment, user, directory", case(_working_directory)
    yield "proc", case(_proc)
    yield "date", case(_date)
    yield "files outlive a run", case(_restart_keeps_files)
    yield "memory limit", case(_memory_limit)
    yield "control group", case(_control_group)
    yield "refused limits", case(_refused_limits)
    yield "nothing ignored", case(_nothing_ignored)
    yield "update", case(_update)
    yield "stats", case(_stats)
    yield "processors", case(_processors)
    yield "terminal", case(_terminal)
    yield "published port", case(_published)
    yield "isolation", case(_isolation)
    yield "no API from a container", case(_no_api_from_a_container)
    yield "churn", case(_churn, 500 if context.full else 100, 50)
