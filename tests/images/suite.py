"""Images of Debian's packages at work: python, redis, nginx; loaded by the stock CLI, plain and compressed."""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

from image import busybox
from xt import api, paths

PACKAGES = {"python": ("python3", "dash", "coreutils"), "redis": ("redis-server", "redis-tools", "dash", "coreutils", "grep", "sed"),
            "nginx": ("nginx-light", "dash", "coreutils")}
KEYS = 5000

PYTHON_WORK = """
import concurrent.futures, hashlib, http.server, sqlite3, subprocess, threading, urllib.request
print(sum(concurrent.futures.ThreadPoolExecutor(8).map(lambda x: x * x, range(100))))
print(subprocess.run(["/bin/sh", "-c", "printf 12345; exit 3"], capture_output=True))
base = sqlite3.connect("/tmp/x.db")
base.execute("create table t(a integer primary key, b text)")
base.executemany("insert into t(b) values(?)", [("x" * n,) for n in range(1000)])
base.commit()
print(sqlite3.connect("/tmp/x.db").execute("select count(*), sum(length(b)) from t").fetchone())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = hashlib.sha256(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
def ask(n):
    data = bytes([n]) * 100000
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", data) as answer:
        return answer.read() == hashlib.sha256(data).hexdigest().encode()
print(sum(concurrent.futures.ThreadPoolExecutor(4).map(ask, range(40))))
"""
PYTHON_ANSWER = """328350
CompletedProcess(args=['/bin/sh', '-c', 'printf 12345; exit 3'], returncode=3, stdout=b'12345', stderr=b'')
(1000, 499500)
40
"""

NGINX_SETUP = """mkdir -p /srv
echo page > /srv/index.html
head -c 10485760 /dev/urandom > /srv/large
sha256sum /srv/large
printf 'daemon off; user root; worker_processes 2; events { worker_connections 512; }
http { access_log /srv/log.txt; keepalive_requests 100000; server { listen 80; root /srv; } }' > /etc/nginx/nginx.conf
exec nginx"""


def _output(result, code=0):
    assert result.returncode == code, f"exit code {result.returncode}, not {code}; stdout {result.stdout[-500:]!r}, stderr {result.stderr[-500:]!r}"
    return result.stdout


def _same(found, wanted):
    assert found == wanted, f"{found!r}, not {wanted!r}"


def _archive(name):
    """The image's archive, made where there is none of these packages yet."""
    packages = hashlib.sha256(" ".join(PACKAGES[name]).encode()).hexdigest()[:8]
    path = os.path.join(paths.IMAGES, f"test-{name}-{packages}.tar")
    if not os.path.exists(path):
        words = [sys.executable, os.path.join(paths.TOP, "tools", "image-from-debian"), name, *PACKAGES[name], "--output", path]
        subprocess.run(words, check=True, capture_output=True, timeout=900)
    return path


def _load(context, path, name):
    _same(_output(context.docker("load", "-i", path, timeout=900)), f"Loaded image: {name}:latest\n")


def _present(context, name):
    if context.docker("image", "inspect", name).returncode != 0:
        _load(context, _archive(name), name)


def _until(what, condition, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


# --- loading

def _figure(context):
    return api.get_json(context.api(), "/themelios/node", timeout=100)["free_pages"]


def _free_pages(context):
    """The node's figure, once it rests for a second; a look costs a page now and then."""
    figure, same = _figure(context), 0
    for _ in range(1000):
        time.sleep(0.2)
        last, figure = figure, _figure(context)
        same = same + 1 if abs(last - figure) < 16 else 0
        if same == 5:
            break
    return figure


def _come_back(context, wanted):
    """Once more than `wanted` pages are free."""
    _until(f"{wanted} free pages are not there", lambda: _figure(context) > wanted)


def _forms(context):
    """The same image, plain and compressed, is the same; removing it gives its memory back."""
    plain = _archive("python")
    packed = plain + ".gz"
    with open(plain, "rb") as source, gzip.open(packed + ".part", "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    os.replace(packed + ".part", packed)
    _load(context, plain, "python")
    wanted = _output(context.docker("image", "inspect", "python", "--format", "{{.Id}} {{.Size}} {{.RootFS.Layers}}"))
    held = _free_pages(context)
    _output(context.docker("rmi", "python"))
    _come_back(context, held + os.path.getsize(plain) // 4096 // 2)
    _load(context, packed, "python")
    _same(_output(context.docker("image", "inspect", "python", "--format", "{{.Id}} {{.Size}} {{.RootFS.Layers}}")), wanted)


def _tar(files):
    """Name → content; a name that ends with a slash is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.mode, info.size = 0o755, len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _layout(context):
    """An OCI layout for two platforms, with compressed layers that take files of lower layers away."""
    base_path = os.path.join(paths.IMAGES, "test-busybox.tar")
    busybox.make(base_path)
    with tarfile.open(base_path) as saved:
        base = saved.extractfile(json.load(saved.extractfile("manifest.json"))[0]["Layers"][0]).read()
    layers = [base, _tar({"d/": b"", "d/one": b"1", "d/two": b"2", "o/": b"", "o/old": b"old", "n/": b"", "n/f": b"f"}),
              _tar({"d/.wh.one": b"", "o/.wh..wh..opq": b"", "o/new": b"new", ".wh.n": b"", "d/three": b"3"})]
    files = {}

    def add(content, **more):
        digest = hashlib.sha256(content).hexdigest()
        files["blobs/sha256/" + digest] = content
        return {"digest": "sha256:" + digest, "size": len(content), **more}

    def manifest(architecture, parts):
        configuration = {"os": "linux", "architecture": architecture, "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(part).hexdigest() for part in parts]}}
        document = {"schemaVersion": 2, "config": add(json.dumps(configuration).encode()),
                    "layers": [add(gzip.compress(part, 1), mediaType="application/vnd.oci.image.layer.v1.tar+gzip") for part in parts]}
        return add(json.dumps(document).encode(), platform={"os": "linux", "architecture": architecture})

    index = {"schemaVersion": 2, "manifests": [manifest("arm64", [_tar({"other": b""})]), manifest("amd64", layers)]}
    top = add(json.dumps(index).encode(), annotations={"io.containerd.image.name": "docker.io/library/layout:latest"})
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    path = os.path.join(paths.IMAGES, "test-layout.tar")
    with open(path, "wb") as file:
        file.write(_tar(files))
    _load(context, path, "layout")
    found = _output(context.docker("run", "--rm", "layout", "sh", "-c", "ls /d /o; cat /d/two /d/three /o/new; ls -d /n"), 1)
    _same(found, "/d:\nthree\ntwo\n\n/o:\nnew\n23new")
    _output(context.docker("rmi", "layout"))


def _refused(context):
    """Of an archive that is cut, changed or none, nothing is left."""
    plain = _archive("nginx")
    with open(plain, "rb") as file:
        whole = file.read()
    at = whole.index(b"\x7fELF")
    damaged = {"cut": whole[:len(whole) // 2], "changed": whole[:at + 1000] + bytes([whole[at + 1000] ^ 1]) + whole[at + 1001:], "none": os.urandom(1 << 20)}
    images = _output(context.docker("images", "-q", "--no-trunc"))
    path = os.path.join(paths.IMAGES, "damaged.tar")
    try:
        for number, (kind, content) in enumerate(damaged.items()):
            with open(path, "wb") as file:
                file.write(content)
            result = context.docker("load", "-i", path, timeout=900)
            assert result.returncode == 1 and "invalid archive" in result.stderr, f"{kind}: {result.returncode} {result.stderr!r}"
            _same(_output(context.docker("images", "-q", "--no-trunc")), images)
            if number == 0:
                # The program's own heap has grown by now, once.
                free = _free_pages(context)
        _come_back(context, free - 1024)
    finally:
        os.unlink(path)


class _Joined:
    """Files, one after the other."""

    def __init__(self, *files):
        self.files = files

    def read(self, size):
        parts = []
        for file in self.files:
            part = file.read(size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class _Zeros(io.RawIOBase):
    """So many zero bytes."""

    def __init__(self, size):
        super().__init__()
        self.left = size

    def read(self, size=-1):
        size = min(self.left, size if size >= 0 else self.left)
        self.left -= size
        return bytes(size)


def _bomb(context):
    """A small archive whose layer is larger than the node: refused with a reason, and the node goes on."""
    size = 4 << 30
    path = os.path.join(paths.IMAGES, "test-bomb.tar.gz")
    with gzip.open(path, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w|") as outer:
        info = tarfile.TarInfo("layer.tar")
        inner = tarfile.TarInfo("zeros")
        inner.size = size
        head = inner.tobuf()
        info.size = len(head) + size
        outer.addfile(info, _Joined(io.BytesIO(head), _Zeros(size)))
    try:
        free = _free_pages(context)
        result = context.docker("load", "-i", path, timeout=1800)
        assert result.returncode == 1 and "the image does not fit" in result.stderr, f"{result.returncode} {result.stderr!r}"
        _come_back(context, free - 4096)
        _same(_output(context.docker("run", "--rm", "busybox", "echo", "alive")), "alive\n")
    finally:
        os.unlink(path)


# --- python

def _python_prints(context):
    _present(context, "python")
    _same(_output(context.docker("run", "--rm", "python", "python3", "-c", "print(6*7)")), "42\n")


def _python_works(context):
    _present(context, "python")
    _same(_output(context.docker("run", "--rm", "python", "python3", "-c", PYTHON_WORK)), PYTHON_ANSWER)


# --- redis

def _redis(context):
    """Fills a server, saves, ends it, and finds the data in the next one: the same container, started again."""
    _present(context, "redis")
    script = f"""redis-server --dir /var/lib/redis --save '' --daemonize yes > /dev/null
until redis-cli ping > /dev/null 2>&1; do sleep 0.1; done
if [ -e /filled ]; then redis-cli get last; redis-cli get counter; redis-cli shutdown nosave; exit 0; fi
redis-benchmark -q -n {KEYS} -c 20 -t set,get > /tmp/out || exit 1
tr '\\r' '\\n' < /tmp/out | grep -c 'requests per second'
seq {KEYS} | sed 's/.*/INCR counter/' | redis-cli --pipe | tail -n 1
redis-cli set last kept
redis-cli bgsave
while redis-cli info persistence | grep -q rdb_bgsave_in_progress:1; do sleep 0.1; done
redis-cli info persistence | grep -c rdb_last_bgsave_status:ok
touch /filled
redis-cli shutdown nosave"""
    _output(context.docker("create", "--name", "store", "redis", "sh", "-c", script))
    try:
        lines = _output(context.docker("start", "-a", "store", timeout=1800)).split("\n")
        _same([line for line in lines if line], ["2", f"errors: 0, replies: {KEYS}", "OK", "Background saving started", "1"])
        _same(_output(context.docker("start", "-a", "store", timeout=1800)), f"kept\n{KEYS}\n")
    finally:
        context.docker("rm", "-f", "store")


# --- nginx

def _nginx(context, requests):
    """A page, a large file, and many requests of which none is lost, through a published port."""
    _present(context, "nginx")
    wrk = context.tool("wrk")
    port = context.published_port()

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=120) as answer:
            return answer.read()

    def answers():
        try:
            return get("/") == b"page\n"
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    _output(context.docker("run", "-d", "--name", "web", "-p", f"{port}:80", "nginx", "sh", "-c", NGINX_SETUP))
    try:
        _until("nginx does not answer", answers)
        # Its line may still be on the way to the log.
        _until("the log stays empty", lambda: _output(context.docker("logs", "web")).count("\n"))
        digest = _output(context.docker("logs", "web")).split()[0]
        for _ in range(2):
            content = get("/large")
            _same((len(content), hashlib.sha256(content).hexdigest()), (10485760, digest))
        done = 0
        for _ in range(100):
            result = subprocess.run([wrk, "-t2", "-c8", "-d5s", "--timeout", "60s", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=600)
            text = _output(result)
            # wrk names errors only where there were some.
            assert "Socket errors" not in text and "Non-2xx" not in text, text
            done += int(re.search(r"(\d+) requests in", text).group(1))
            if done >= requests:
                break
        assert done >= requests, f"{done} requests in all"
        # What nginx served is what the client got, but for what was under way as wrk ended. Either worker writes its line behind the answer.
        def served():
            return len([line for line in get("/log.txt").split(b"\n") if b'"GET / HTTP/1.1" 200 5 ' in line])
        _until(f"fewer pages served than the {done} received", lambda: served() >= done)
        _output(context.docker("stop", "-t", "60", "web"))
        _same(_output(context.docker("inspect", "web", "--format", "{{.State.ExitCode}}")), "0\n")
    finally:
        context.docker("rm", "-f", "web")


def cases(context):
    def case(function, *words):
        return lambda: function(context, *words)

    yield "python: print(6*7)", case(_python_prints)
    yield "python: threads, subprocess, sqlite3, HTTP", case(_python_works)
    yield "redis: benchmark, BGSAVE, restart", case(_redis)
    yield "nginx: page, 10 MB, requests", case(_nginx, 100000 if context.full else 10000)
    yield "plain and compressed archives", case(_forms)
    yield "OCI layout, platforms, whiteouts", case(_layout)
    yield "damaged archives", case(_refused)
    if context.full:
        yield "an archive larger than the node", case(_bomb)
