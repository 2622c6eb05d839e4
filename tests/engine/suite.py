"""The Docker Engine API on this machine: the stock CLI against the engine over a runtime made of the machine's own processes (needs root)."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import queue
import re
import resource
import select
import signal
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from image import busybox
from xt import docker, paths
from xt.suites import free_ports

ENGINE = os.path.join(paths.SERVICES, "testing", "engine-testing")
RUNTIME = os.path.join(paths.TOP, "services", "engine", "testing", "fake_runtime.py")


class Bench:
    """An engine with its runtime."""

    def __init__(self, folder):
        if not os.path.exists(ENGINE):
            raise AssertionError(f"{ENGINE} is not built")
        if os.geteuid() != 0:
            raise AssertionError("the runtime for tests needs root")
        self.port = free_ports(1)[0]
        archive = os.path.join(folder, "busybox.tar")
        busybox.make(archive)
        channels = os.path.join(folder, "channels")
        environment = {**os.environ, "THEMELIOS_CHANNELS": channels}
        self.log = open(os.path.join(paths.BUILD, "test-logs", "engine.log"), "wb")
        self.runtime = subprocess.Popen([sys.executable, RUNTIME, channels], stdout=subprocess.PIPE, stderr=self.log)
        assert self.runtime.stdout.readline() == b"ready\n", "the runtime did not start"
        self.waits = queue.Queue()
        threading.Thread(target=lambda: [self.waits.put(line) for line in self.runtime.stdout], daemon=True).start()
        self.engine = subprocess.Popen([ENGINE, "--address", "127.0.0.1", "--port", str(self.port), archive], env=environment, stderr=subprocess.PIPE)
        for line in self.engine.stderr:
            self.log.write(line)
            if b"answers on port" in line:
                break
        else:
            raise AssertionError("the engine did not start")
        # Its later lines must not fill the pipe.
        threading.Thread(target=shutil.copyfileobj, args=(self.engine.stderr, self.log), daemon=True).start()

    def close(self):
        for process in (self.engine, self.runtime):
            process.terminate()
            process.wait()

    def wait_for_a_start(self):
        """Until one more start waits for its answer."""
        _equal(self.waits.get(timeout=100), b"a start waits\n")

    def docker(self, *words, data=None, timeout=3000):
        return subprocess.run(docker.words(self.port, words), capture_output=True, input=data, stdin=subprocess.DEVNULL if data is None else None,
                              env=docker.environment(), timeout=timeout)

    def good(self, *words, **options):
        result = self.docker(*words, **options)
        assert result.returncode == 0, f"docker {' '.join(words)}: {result.returncode}: {result.stderr.decode()}"
        return result.stdout.decode(errors="replace").strip()

    def background(self, *words):
        return subprocess.Popen(docker.words(self.port, words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=docker.environment())

    def http(self, method, path, body=None, headers=None):
        """(status, JSON or text)"""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def raw(self, method, path, headers=None):
        """(status, headers, bytes)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def figures(self):
        """Descriptors and resident KiB of the engine."""
        with open(f"/proc/{self.engine.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return len(os.listdir(f"/proc/{self.engine.pid}/fd")), pages * 4


def _equal(got, want):
    assert got == want, f"want {want!r}, got {got!r}"


def _basics(b):
    assert "ThemeliOS" in b.good("version")
    assert "Storage Driver: erofs" in b.good("info")
    assert "busybox" in b.good("images")
    _equal(b.good("ps", "-aq"), "")
    _equal(b.good("run", "--rm", "busybox", "echo", "hello"), "hello")
    _equal(b.docker("run", "--rm", "busybox", "sh", "-c", "exit 7").returncode, 7)
    _equal(b.good("run", "-i", "--rm", "busybox", "cat", data=b"abc"), "abc")
    both = b.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
    _equal((both.stdout, both.stderr), (b"out\n", b"err\n"))
    _equal(b.good("ps", "-aq"), "")


def _failures(b):
    for program, code, text in (("/nonexistent", 127, b"no such file or directory"), ("nosuch", 127, b"executable file not found in $PATH"), ("/etc/passwd", 126, b"permission denied")):
        result = b.docker("run", "--rm", "busybox", program)
        _equal(result.returncode, code)
        assert text in result.stderr, result.stderr
    assert b"No such image: nosuch:latest" in b.docker("image", "inspect", "nosuch").stderr
    _equal(b.docker("run", "nosuch", "true").returncode, 125)
    for words, text in ((["-v", "/tmp:/x"], b"HostConfig.Binds"), (["--network", "host"], b"network mode"), (["--privileged"], b"HostConfig.Privileged"),
                        (["--health-cmd", "true"], b"Healthcheck"), (["--network", "nosuch"], b"network nosuch not found")):
        result = b.docker("run", *words, "busybox", "true")
        assert result.returncode == 125 and text in result.stderr, result.stderr
    _equal(b.good("ps", "-aq"), "")


def _large_stream(b):
    data = os.urandom(1 << 20) * 100
    result = b.docker("run", "-i", "--rm", "busybox", "cat", data=data)
    _equal(hashlib.sha256(result.stdout).hexdigest(), hashlib.sha256(data).hexdigest())


def _life(b):
    b.good("run", "-d", "--name", "life", "-p", "18080:80", "-l", "a=b", "busybox", "sleep", "1000")
    assert "18080->80/tcp" in b.good("ps", "--filter", "label=a=b")
    assert b"port is already allocated" in b.docker("run", "-d", "-p", "18080:80", "busybox", "true").stderr
    assert b'Conflict. The container name "/life" is already in use' in b.docker("create", "--name", "life", "busybox").stderr
    b.good("rename", "life", "life2")
    assert b"container is running" in b.docker("rm", "life2").stderr
    b.good("stop", "life2")
    _equal(b.good("inspect", "life2", "--format", "{{.State.Status}} {{.State.ExitCode}}"), "exited 143")
    _equal(b.good("wait", "life2"), "143")
    b.good("start", "life2")
    b.good("kill", "life2")
    _equal(b.good("wait", "life2"), "137")
    assert b"is not running" in b.docker("kill", "life2").stderr
    b.good("restart", "life2")
    _equal(b.good("ps", "--format", "{{.Names}} {{.State}}"), "life2 running")
    b.good("rm", "-f", "life2")
    assert b"No such container: life2" in b.docker("start", "life2").stderr


def _wait_conditions(b):
    # Whether the client's request comes before the end or behind it: the container stays, and its answer is the same.
    b.good("run", "-d", "--name", "ended", "busybox", "sleep", "1000")
    wait = b.background("wait", "ended")
    b.good("kill", "ended")
    _equal(wait.communicate(timeout=300)[0], b"137\n")
    b.good("rm", "ended")
    b.good("run", "-d", "--rm", "--name", "waited", "busybox", "sleep", "1000")
    request = urllib.request.Request(f"http://127.0.0.1:{b.port}/containers/waited/wait?condition=removed", method="POST")
    with urllib.request.urlopen(request, timeout=300) as removed:
        # The head came although the container runs.
        _equal(removed.status, 200)
        b.good("kill", "waited")
        _equal(json.loads(removed.read())["StatusCode"], 137)
    _equal(b.http("POST", "/containers/waited/wait")[0], 404)


def _logs(b):
    script = "echo one; echo three; read x; echo $x"
    b.good("run", "-d", "-i", "--name", "logged", "busybox", "sh", "-c", script)
    follow = b.background("logs", "-f", "logged")
    # Each line that was followed is in the log.
    _equal(follow.stdout.readline(), b"one\n")
    _equal(follow.stdout.readline(), b"three\n")
    _equal(b.good("logs", "--tail", "1", "logged"), "three")
    stamped = b.good("logs", "-t", "--tail", "1", "logged").split(" ")
    assert stamped[0].endswith("Z") and stamped[1] == "three", stamped
    _equal(b.good("logs", "--since", "2099-01-01T00:00:00Z", "logged"), "")
    attached = subprocess.Popen(docker.words(b.port, ["attach", "logged"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=docker.environment())
    _equal(attached.communicate(b"four\n", timeout=300)[0], b"four\n")
    _equal(follow.communicate(timeout=300), (b"four\n", b""))
    _equal(b.good("logs", "logged"), "one\nthree\nfour")
    b.good("rm", "logged")
    b.good("run", "--name", "errors", "busybox", "sh", "-c", "echo two >&2; echo three")
    both = b.docker("logs", "errors")
    _equal((both.stdout, both.stderr), (b"three\n", b"two\n"))
    b.good("rm", "errors")


def _terminal(b):
    _equal(b.good("run", "--rm", "-t", "busybox", "sh", "-c", "test -t 0 && test -t 1 && echo terminal"), "terminal")


def _events(b):
    b.good("create", "--name", "seen", "busybox", "true")
    b.good("start", "-a", "seen")
    b.good("rm", "seen")
    past = b.good("events", "--since", "1", "--until", str(int(time.time()) + 1), "--filter", "container=seen", "--format", "{{.Action}}").split()
    _equal(past, ["create", "attach", "start", "die", "destroy"])
    # Whoever listens hears what comes from then on; when that is, the first line tells.
    events = b.background("events", "--filter", "type=container", "--format", "{{.Action}}")
    try:
        end = time.monotonic() + 100
        while not select.select([events.stdout], [], [], 0)[0]:
            assert time.monotonic() < end, "no event was streamed"
            b.good("create", "--name", "last", "busybox", "true")
            b.good("rm", "last")
        assert events.stdout.readline() in (b"create\n", b"destroy\n")
    finally:
        events.kill()
        events.communicate()


def _parallel(b):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda n: b.good("run", "--rm", "busybox", "echo", str(n)), range(50)))
    _equal(results, [str(n) for n in range(50)])
    _equal(b.good("ps", "-aq"), "")


def _no_growth(b, count):
    for _ in range(20):
        b.good("run", "--rm", "busybox", "true")
    before = b.figures()
    for _ in range(count):
        b.good("run", "--rm", "busybox", "true")
    # The last connections may still be closed.
    end = time.monotonic() + 100
    while (after := b.figures())[0] > before[0] + 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert after[0] <= before[0] + 2, f"descriptors: {before[0]}, then {after[0]}"
    assert after[1] <= before[1] + 2048, f"resident KiB: {before[1]}, then {after[1]}"


def _malformed(b):
    create = "/containers/create"
    for body, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b'{"Image": 3}', 400), (b'{"Image":"busybox","Cmd":[1]}', 400), (b'{"Image":"busybox","HostConfig":[]}', 400),
                         (b"[" * 100000, 400), (b'{"Image":"' + b"x" * (5 << 20) + b'"}', 413), (b'{"Image":"busybox","HostConfig":{"Memory":-1}}', 400),
                         (b'{"Image":"busybox","HostConfig":{"Memory":1e300}}', 400), (b'{"Image":"busybox","HostConfig":{"Memory":1024}}', 400),
                         (b'{"Image":"busybox","HostConfig":{"PortBindings":{"99999/tcp":[]}}}', 400), (b'{"Image":"b\\u0000x"}', 400), (b'{"Image":"BAD NAME"}', (400, 404))):
        got, answer = b.http("POST", create, body, {"Content-Type": "application/json"})
        assert got == status or (isinstance(status, tuple) and got in status), f"{body[:60]}: want {status}, got {got} {answer}"
        assert answer["message"], answer
    for method, path, status in (("GET", "/v1.9/info", 400), ("GET", "/v9.99/info", 400), ("GET", "/nosuch", 404), ("GET", "/containers/%zz/json", 400), ("GET", "/containers/json?filters=x", 400),
                                 ("GET", "/containers/json?filters=%7B%22no%22%3A%5B%22x%22%5D%7D", 400), ("GET", "/containers/json?limit=x", 400), ("PUT", "/containers/json", 405),
                                 ("POST", "/containers/nosuch/start", 404), ("POST", "/containers/nosuch/exec", 501), ("GET", "/swarm", 501), ("POST", "/images/create?fromImage=x", 501),
                                 ("GET", "/containers/nosuch/logs", 404)):
        got, answer = b.http(method, path)
        _equal((method, path, got), (method, path, status))
        assert answer["message"], answer
    # A web page, which a browser sends with a type that asks nobody, or with its origin.
    whole = b'{"Image":"busybox","Cmd":["true"]}'
    for headers, status in (({"Content-Type": "text/plain"}, 415), ({}, 415), ({"Content-Type": "application/json", "Origin": "http://example.com"}, 403),
                            ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403)):
        got, answer = b.http("POST", create, whole, headers)
        _equal((headers, got), (headers, status))
        assert answer["message"], answer
    _equal(b.http("GET", "/info", None, {"Origin": "null"})[0], 403)
    for host, status in (("localhost:2375", 200), ("node", 200), ("example.com", 403)):
        _equal((host, b.http("GET", "/info", None, {"Host": host})[0]), (host, status))
    _equal(b.good("ps", "-aq"), "")
    for raw in (b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"POST /containers/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        with socket.create_connection(("127.0.0.1", b.port), timeout=300) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
    _equal(b.good("run", "--rm", "busybox", "echo", "alive"), "alive")


def _slow_clients(b):
    """Clients that begin a request and do not go on: more than there may be connections, and more than there may be loads. Who comes later is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))

    def clients(count, raw):
        connections = []
        for _ in range(count):
            connections.append(socket.create_connection(("127.0.0.1", b.port), timeout=300))
            connections[-1].sendall(raw)
        return connections

    def ended(connections, count):
        """Those that were answered or closed, once there are so many; more is wrong."""
        poll = select.poll()
        for connection in connections:
            poll.register(connection, select.POLLIN)
        found = []
        while len(found) < count:
            found = poll.poll(300000)
            assert found, f"{len(connections)} wait for ever"
        _equal(len(found), count)
        numbers = [number for number, _ in found]
        return [connection for connection in connections if connection.fileno() in numbers]

    heads = clients(1100, b"GET /info HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    _equal(b.good("run", "--rm", "busybox", "echo", "served"), "served")
    for connection in heads:
        connection.close()
    loads = clients(40, b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
    for connection in ended(loads, 8):
        _equal(connection.recv(65536).split(b"\r\n")[0], b"HTTP/1.1 503 Service Unavailable")
        loads.remove(connection)
        connection.close()
    loads.pop().close()
    with tempfile.TemporaryDirectory() as folder:
        archive = os.path.join(folder, "busybox.tar")
        busybox.make(archive)
        while b.docker("load", "-i", archive).returncode != 0:  # until the engine knows of the one that went
            pass
    for connection in loads:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _create(b, name, program, **host):
    body = {"Image": "busybox", "Cmd": [program], "HostConfig": host}
    status, answer = b.http("POST", f"/containers/create?name={name}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    _equal((status, status == 201 or answer), (201, True))


def _hung_starts(b):
    """Sandboxes that never say that their program started, as many as may be started at once and one more: only they are held up, and they can be removed."""
    most = 32
    names = [f"hung{n}" for n in range(most + 1)]
    for name in names:
        _create(b, name, "never-starts")
    pool = concurrent.futures.ThreadPoolExecutor(len(names))
    starts = {}

    def start(name):
        starts[name] = pool.submit(b.http, "POST", f"/containers/{name}/start")

    try:
        for name in names[:8]:
            start(name)
            b.wait_for_a_start()
        _equal(b.good("run", "--rm", "busybox", "echo", "others"), "others")
        assert b"is not running" in b.docker("kill", names[0]).stderr
        _equal(b.good("rm", "-f", names[0]), names[0])
        status, answer = starts[names[0]].result(100)
        assert status == 500 and "removed" in answer["message"], (status, answer)
        for name in names[8:]:
            start(name)
        for _ in names[8:]:
            b.wait_for_a_start()
        _create(b, "queued", "never-starts")
        start("queued")
        for name in ("queued", *reversed(names[1:])):
            _equal(b.http("DELETE", f"/containers/{name}?force=1")[0], 204)
        for name, answer in starts.items():
            assert answer.result(100)[0] in (404, 409, 500), (name, answer.result())
        _equal(b.good("run", "--rm", "busybox", "echo", "again"), "again")
        _equal(b.good("ps", "-aq"), "")
        assert b.waits.empty(), "more starts came to the runtime than may"
    finally:
        for name in (*names, "queued"):
            b.http("DELETE", f"/containers/{name}?force=1")
        pool.shutdown()


def _stop_in_a_restart(b):
    _create(b, "late", "starts-late", RestartPolicy={"Name": "always"})
    _equal(b.http("POST", "/containers/late/start")[0], 204)
    b.wait_for_a_start()
    _equal(b.good("inspect", "late", "--format", "{{.RestartCount}}"), "1")
    with socket.create_connection(("127.0.0.1", b.port), timeout=300) as connection:
        connection.sendall(b"POST /containers/late/stop?t=100 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        # Whose request is answered came to the engine later.
        _equal(b.http("GET", "/_ping")[0], 200)
        b.runtime.send_signal(signal.SIGUSR2)
        assert connection.recv(65536).startswith(b"HTTP/1.1 204")
        _equal(b.good("inspect", "late", "--format", "{{.State.Status}} {{.State.ExitCode}}"), "exited 143")
    b.good("rm", "late")


def _crash(b):
    """What a crashed sandbox holds is held until it is freed: a removal tries again what failed, and tells the truth."""
    port = {"PortBindings": {"80/tcp": [{"HostPort": "18081"}]}}
    _create(b, "crashed", "crashes", **port)
    _equal(b.http("POST", "/containers/crashed/start")[0], 204)
    _equal(b.good("wait", "crashed"), "137")
    b.good("rm", "crashed")
    _create(b, "next", "true", **port)
    b.good("rm", "next")
    _create(b, "crashed", "crashes", **port)
    for _ in range(2):
        # The next start has a sandbox of its own.
        _equal(b.http("POST", "/containers/crashed/start")[0], 204)
        _equal(b.good("wait", "crashed"), "137")
    b.good("rm", "crashed")


def _old_clients(b):
    """Without an upgrade, without a version, with HTTP/1.0."""
    status, made = b.http("POST", "/containers/create", json.dumps({"Image": "busybox", "Cmd": ["echo", "plain"]}).encode(), {"Content-Type": "application/json"})
    _equal(status, 201)
    with socket.create_connection(("127.0.0.1", b.port), timeout=300) as connection:
        connection.sendall(f"POST /containers/{made['Id']}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            assert part, head
            head += part
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"application/vnd.docker" in head, head
        _equal(b.http("POST", f"/containers/{made['Id']}/start")[0], 204)
        rest = head.split(b"\r\n\r\n", 1)[1]
        while data := connection.recv(65536):
            rest += data
    _equal(rest, b"\x01\0\0\0\0\0\0\x06plain\n")
    with socket.create_connection(("127.0.0.1", b.port), timeout=300) as connection:
        connection.sendall(f"GET /containers/{made['Id']}/logs?stdout=1 HTTP/1.0\r\n\r\n".encode())
        rest = b""
        while data := connection.recv(65536):
            rest += data
    assert rest.endswith(b"\r\n\r\n\x01\0\0\0\0\0\0\x06plain\n"), rest
    _equal(b.http("DELETE", f"/containers/{made['Id']}")[0], 204)


def _images(b):
    b.good("tag", "busybox", "bb:2")
    _equal(b.good("images", "-q", "bb:2"), b.good("images", "-q", "busybox"))
    _equal(b.good("rmi", "bb:2"), "Untagged: bb:2")
    refused = b.docker("load", data=b"no archive" * 1000)
    assert refused.returncode == 1 and b"invalid archive" in refused.stderr, refused.stderr


def _filters(b):
    """Lists and prunes as Docker's filters have them."""
    def names(*words):
        return sorted(b.good("ps", "-a", "--format", "{{.Names}}", *(word for filter in words for word in ("--filter", filter))).split())

    for name, label in (("web-1", "tier=front"), ("web-22", "tier=back"), ("db", "tier=back"), ("kept", "keep")):
        b.good("create", "--name", name, "--label", label, "busybox", "true")
    for filter, want in (("name=^web", "web-1 web-22"), ("name=^/web-[0-9]$", "web-1"), ("name=eb-\\d{2}", "web-22"), ("name=(?i)DB|kept", "db kept"), ("name=(", ""), ("label=tier=back", "db web-22"),
                         ("label=keep", "kept"), ("id=" + b.good("ps", "-aqf", "name=db"), "db"), ("before=db", "web-1 web-22"), ("since=db", "kept")):
        _equal((filter, names(filter)), (filter, want.split()))
    _equal(names("name=web", "label=tier=back"), ["web-22"])
    _equal(b.good("container", "prune", "-f", "--filter", "until=1h"), "Total reclaimed space: 0B")
    assert b"more than one until" in b.docker("container", "prune", "-f", "--filter", "until=1h", "--filter", "until=2h").stderr
    assert "Deleted" in b.good("container", "prune", "-f", "--filter", "label!=keep", "--filter", "label=tier")
    _equal(names(), ["kept"])
    _equal(b.good("rm", "kept"), "kept")
    b.good("tag", "busybox", "team/app:1.5")
    for filter, want in (("reference=busy*", "busybox:latest"), ("reference=*/app:1.*", "team/app:1.5"), ("reference=*/*", "team/app:1.5"), ("reference=app*", ""), ("since=busybox", ""), ("before=busybox", ""),
                         ("label=nosuch", ""), ("until=0001-01-01", None)):
        result = b.docker("images", "--filter", filter, "--format", "{{.Repository}}:{{.Tag}}")
        _equal((filter, result.stdout.decode().split() if result.returncode == 0 else None), (filter, want.split() if want is not None else None))
    assert b"No such image" in b.docker("images", "--filter", "since=nosuch").stderr
    _equal(b.good("image", "prune", "-af", "--filter", "label=nosuch"), "Total reclaimed space: 0B")
    b.good("rmi", "team/app:1.5")
    for words, sentence in ((("network", "rm", "nosuch"), b"network nosuch not found"), (("network", "rm", "bridge"), b"is a pre-defined network and cannot be removed"),
                            (("volume", "rm", "nosuch"), b"no such volume"), (("network", "connect", "nosuch", "x"), b"network nosuch not found"),
                            (("network", "connect", "bridge", "x"), b"is not supported by this node"), (("network", "prune", "-f", "--filter", "nosuch=1"), b"invalid filter")):
        result = b.docker(*words)
        assert result.returncode == 1 and sentence in result.stderr, (words, result)


def _node(b):
    status, figures = b.http("GET", "/themelios/node")
    _equal(status, 200)
    for name in ("version", "cpus", "free_pages", "table_pages", "objects", "restarts", "missing_calls"):
        assert name in figures, f"{name} is missing in {figures}"


def _stats(b):
    def shown(*words):
        return json.loads(b.good("stats", "--no-stream", "--format", "{{json .}}", *words))

    b.good("run", "-d", "--name", "counted", "--memory", "64m", "--pids-limit", "100", "busybox", "sleep", "1000")
    row = shown("counted")
    _equal((row["Name"], row["PIDs"], row["MemUsage"], row["MemPerc"], row["NetIO"]), ("counted", "2", "1.172MiB / 64MiB", "1.83%", "1kB / 2kB"))
    assert 40 < float(row["CPUPerc"].rstrip("%")) < 60, row  # it tells half of a processor
    status, once = b.http("GET", "/containers/counted/stats?stream=0&one-shot=1")
    _equal((status, once["pids_stats"], once["preread"], once["precpu_stats"]["cpu_usage"]["total_usage"]), (200, {"current": 2, "limit": 100}, "0001-01-01T00:00:00Z", 0))
    assert once["cpu_stats"]["system_cpu_usage"] > 0 and once["name"] == "/counted" and once["memory_stats"]["limit"] == 64 << 20, once
    # A stream goes on until the container is gone, also while it does not run.
    with urllib.request.urlopen(f"http://127.0.0.1:{b.port}/containers/counted/stats", timeout=300) as stream:
        first, second = json.loads(stream.readline()), json.loads(stream.readline())
        _equal((second["preread"], second["precpu_stats"]), (first["read"], first["cpu_stats"]))
        b.good("stop", "-t", "0", "counted")
        while json.loads(stream.readline())["pids_stats"]:
            pass
        row = shown("counted")
        _equal((row["PIDs"], row["MemUsage"], row["CPUPerc"]), ("0", "0B / 0B", "0.00%"))
        b.good("rm", "counted")
        for line in stream:
            _equal(json.loads(line)["pids_stats"], {})
    _equal(b.http("GET", "/containers/nosuch/stats")[0], 404)


def _more_memory_than_there_is(b):
    has = b.http("GET", "/info")[1]["MemTotal"]
    for memory, warns in ((has, False), (has + 4096, True)):
        status, answer = b.http("POST", "/containers/create?name=large", json.dumps({"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Memory": memory}}).encode(), {"Content-Type": "application/json"})
        _equal((status, [warning for warning in answer["Warnings"] if "memory limit" in warning] != []), (201, warns))
        b.good("rm", "large")


def _node_log(b):
    """All lines, over as many messages as they take."""
    status, text = b.http("GET", "/themelios/log")
    lines = text.splitlines()
    _equal((status, len(lines)), (200, 300))
    _equal(lines[0], "     1.500000 fake: line   1")
    _equal(lines[-1], "   450.000000 fake: line 300")


HEAD = re.compile(r"([1-9][0-9]*):([0-9a-f]{64})")


def _audit(b):
    """All batches, over as many messages as they take, up to that of the answer's own head, which has all that was recorded before."""
    before = 0
    for _ in range(2):
        status, headers, data = b.raw("GET", "/themelios/audit")
        _equal((status, headers["Content-Type"], len(data) % 4096), (200, "application/octet-stream", 0))
        batches = [data[at:at + 4096] for at in range(0, len(data), 4096)]
        sequences = [int.from_bytes(batch[8:16], "little") for batch in batches]
        assert sequences[0] == 6 and sequences == list(range(6, 6 + len(batches))) and len(batches) > 40, sequences
        for last, batch in zip(batches, batches[1:]):
            _equal(batch[64:96], last[96:128])
            _equal(hashlib.sha256(batch[:96] + bytes(32) + batch[128:]).digest(), batch[96:128])
        sequence, digest = HEAD.fullmatch(headers["Themelios-Audit-Head"]).groups()
        _equal((sequences[-1], batches[-1][96:128].hex()), (int(sequence), digest))
        assert int(sequence) > before
        before = int(sequence)


def _audit_heads(b):
    """Every answer has the head, whatever it is, and is not held up by who tells it."""
    def head(text):
        lines = [line for line in text.split(b"\r\n\r\n")[0].decode().split("\r\n") if line.startswith("Themelios-Audit-Head: ")]
        assert len(lines) == 1 and HEAD.fullmatch(lines[0].split(": ")[1]), text
        return int(lines[0].split(": ")[1].split(":")[0])

    def ask(request):
        with socket.create_connection(("127.0.0.1", b.port), timeout=300) as connection:
            connection.sendall(request)
            text = b""
            while b"\r\n\r\n" not in text:
                part = connection.recv(65536)
                assert part, text
                text += part
            return text

    _create(b, "audited", "cat")
    last = 0
    for request, status in ((b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n", 200), (b"HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\n", 200), (b"GET /nosuch HTTP/1.1\r\nHost: x\r\n\r\n", 404),
                            (b"PUT /info HTTP/1.1\r\nHost: x\r\n\r\n", 405), (b"no request\r\n\r\n", 400), (b"GET /events?since=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200),
                            (b"POST /containers/audited/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n", 101),
                            (b"POST /containers/audited/attach?stream=1&stdout=1 HTTP/1.0\r\n\r\n", 200), (b"DELETE /containers/audited?force=1 HTTP/1.1\r\nHost: x\r\n\r\n", 204)):
        text = ask(request)
        _equal(text.split(b" ")[1], str(status).encode())
        assert last < head(text), (request, text)
        last = head(text)
        b.raw("GET", "/themelios/audit")  # seals one more
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(HEAD.fullmatch(headers["Themelios-Audit-Head"]) for _, headers, _ in pool.map(lambda _: b.raw("GET", "/_ping"), range(200)))
    b.runtime.send_signal(signal.SIGHUP)
    try:
        while "Themelios-Audit-Head" in b.raw("GET", "/_ping")[1]:
            pass
        for _ in range(100):
            status, headers, data = b.raw("GET", "/_ping")
            assert (status, data) == (200, b"OK") and "Themelios-Audit-Head" not in headers, headers
        # A log that cannot be had is not an empty one.
        status, _, data = b.raw("GET", "/themelios/audit")
        assert status == 503 and b"the node keeps no audit log" in data, (status, data)
        _equal(b.good("run", "--rm", "busybox", "echo", "hello"), "hello")
    finally:
        b.runtime.send_signal(signal.SIGHUP)
    while "Themelios-Audit-Head" not in b.raw("GET", "/_ping")[1]:
        pass


def cases(context):
    folder = tempfile.mkdtemp(prefix="engine-suite-")
    bench = None

    def on_bench(function, *arguments):
        def run():
            nonlocal bench
            if bench is None:
                bench = Bench(folder)
            function(bench, *arguments)
        return run

    try:
        for name, function, *arguments in (("basics", _basics), ("failures", _failures), ("100 MiB through standard input and output", _large_stream), ("life cycle", _life),
                                           ("wait conditions", _wait_conditions), ("logs and attach", _logs), ("terminal", _terminal), ("events", _events),
                                           ("50 runs in parallel", _parallel), ("no growth", _no_growth, 200), ("malformed requests", _malformed), ("slow clients", _slow_clients), ("old clients", _old_clients),
                                           ("starts that hang", _hung_starts), ("a stop in a restart", _stop_in_a_restart), ("a crashed sandbox", _crash),
                                           ("images", _images), ("filters", _filters), ("figures of the node", _node), ("stats", _stats), ("more memory than there is", _more_memory_than_there_is), ("log of the node", _node_log),
                                           ("the audit log", _audit), ("heads of the audit log", _audit_heads)):
            yield name, on_bench(function, *arguments)
    finally:
        if bench is not None:
            bench.close()
        shutil.rmtree(folder, ignore_errors=True)
