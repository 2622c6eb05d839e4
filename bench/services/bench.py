"""Real services: redis-benchmark inside a container, wrk on nginx through the forwarded port, split and fused; beside them, round by round, the same images under runc in a Linux guest."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

from linux_guest import cpio, guest
from xt import docker, node, paths
from xt.suites import free_ports, read_text

ROUNDS = 2 # of each side, in turn
REQUESTS = 5000
FEW_REQUESTS = 8 # with them a run costs what it costs without any
SECONDS = 8
ISOLATIONS = ("split", "fused")
PACKAGES = {"redis": ("redis-server", "redis-tools", "dash", "coreutils", "grep", "sed"), "nginx": ("nginx-light", "dash", "coreutils")}
REDIS_OF = """redis-server --save '' --daemonize yes > /dev/null
until redis-cli ping > /dev/null 2>&1; do sleep 0.1; done
redis-benchmark --csv -n %d -c 8 -t set,get
redis-cli shutdown nosave"""
REDIS = REDIS_OF % REQUESTS
NGINX = """mkdir -p /srv
head -c 612 /dev/zero > /srv/index.html
printf 'daemon off; user root; worker_processes 2; events { worker_connections 512; }
http { access_log off; keepalive_requests 100000; server { listen 80; root /srv; } }' > /etc/nginx/nginx.conf
exec nginx"""
# In the guest, every service is a runc container on its unpacked image, redis with a network of its own, nginx with the guest's.
GUEST = """#!/bin/sh
for name in redis nginx; do
  mkdir -p /run/$name/rootfs
  mount --bind /images/$name /run/$name/rootfs
  sed 's|"@RUN@"|"/bin/sh","/service"|' /bundle/config.json > /run/$name/config.json
done
sed -i 's|{"type": "network"}, ||' /run/nginx/config.json
(cd /run/redis && runc run --no-pivot redis < /dev/null)
echo "redis done"
(cd /run/nginx && runc run --no-pivot nginx < /dev/null)
"""


def _archive(name):
    path = os.path.join(paths.IMAGES, f"bench-{name}.tar")
    if not os.path.exists(path):
        subprocess.run([sys.executable, os.path.join(paths.TOP, "tools", "image-from-debian"), name, *PACKAGES[name], "--output", path], check=True, capture_output=True)
    return path


def _rates(text):
    """redis-benchmark's rows: "SET","1234.5",..."""
    found = {name: float(rate) for name, rate in re.findall(r'^"(SET|GET)","([0-9.]+)"', text, re.M)}
    assert set(found) == {"SET", "GET"}, text[-500:]
    return found


def _wrk(port, limit=240):
    """Requests a second, and how many there were."""
    end = time.monotonic() + limit
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                assert len(answer.read()) == 612
            break
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert time.monotonic() < end, "nginx does not answer"
            time.sleep(0.2)
    result = subprocess.run(["wrk", "-t2", "-c8", f"-d{SECONDS}s", "--timeout", "60s", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=300)
    found = re.search(r"Requests/sec: +([0-9.]+)", result.stdout)
    assert found and "errors" not in result.stdout, result.stdout + result.stderr
    return float(found[1]), int(re.search(r"([0-9]+) requests in", result.stdout)[1])


def _root_loads(port):
    return node.figures(port)["root_loads"]


def _services(port, web, isolation):
    """Of a node that has the images."""
    loads = []
    for requests in (FEW_REQUESTS, REQUESTS):
        before = _root_loads(port)
        said = docker.capture(port, ["run", "--rm", "--isolation", isolation, "redis", "sh", "-c", REDIS_OF % requests], timeout=900).stdout
        loads.append(_root_loads(port) - before)
    figures = _rates(said)
    figures["redis loads"] = (loads[1] - loads[0]) / (2 * (REQUESTS - FEW_REQUESTS))
    started = docker.capture(port, ["run", "-d", "--isolation", isolation, "--name", isolation, "-p", f"{web}:80", "nginx", "sh", "-c", NGINX], timeout=300)
    assert started.returncode == 0, started.stderr
    before = _root_loads(port)
    figures["nginx"], requests = _wrk(web)
    figures["nginx loads"] = (_root_loads(port) - before) / requests
    removed = docker.capture(port, ["rm", "-f", isolation], timeout=300)
    assert removed.returncode == 0, removed.stderr
    return figures


def _here(context):
    """What each isolation gives."""
    port, web = free_ports(2)
    process = node.start(context.accel, 2048, 2, port, [web])
    try:
        node.wait_ready(process, port, 300)
        for name in PACKAGES:
            loaded = docker.capture(port, ["load", "-i", _archive(name)], timeout=900)
            assert loaded.returncode == 0, loaded.stderr
        return {isolation: _services(port, web, isolation) for isolation in ISOLATIONS}
    finally:
        node.end(process)


def _root_file_systems(folder):
    """Appends the unpacked images to the guest's initramfs: the kernel takes several archives, one behind the other."""
    archive = cpio.Archive()
    for name, script in (("redis", REDIS), ("nginx", NGINX)):
        root = os.path.join(folder, name)
        shutil.rmtree(root, ignore_errors=True)
        with tarfile.open(_archive(name)) as saved:
            layer = next(member for member in saved.getmembers() if member.name.endswith("layer.tar"))
            with tarfile.open(fileobj=saved.extractfile(layer)) as tar:
                tar.extractall(root)
        with open(os.path.join(root, "service"), "w", encoding="utf-8") as file:
            file.write(script)
        for inner in ("proc", "dev", "tmp"):
            os.makedirs(os.path.join(root, inner), exist_ok=True)
        archive.tree(root, "images/" + name)
    with open(os.path.join(folder, "initramfs"), "ab") as file:
        file.write(archive.data())


def _linux(context):
    folder = os.path.join(paths.BUILD, "linux-guest-services")
    os.makedirs(folder, exist_ok=True)
    script = os.path.join(folder, "services")
    with open(script, "w", encoding="utf-8") as file:
        file.write(GUEST)
    stamp = os.path.join(folder, "stamp")
    if os.path.exists(stamp):
        os.unlink(stamp)  # the initramfs is made anew: what was appended to the last one is not in its stamp
    guest.build(folder, {"/bin/services": script})
    _root_file_systems(folder)
    output = os.path.join(context.log_folder, "bench-services-linux.output")
    for path in (output, output + ".console"):
        if os.path.exists(path):
            os.unlink(path)
    (web,) = free_ports(1)
    extra = ("-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{web}-:80", "-device", "virtio-net-pci,netdev=net0")
    with subprocess.Popen(guest.command(folder, output, "themelios.run=/bin/services themelios.network=1", memory="2G", extra=extra), stdin=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 600
            while "redis done" not in read_text(output):
                assert time.monotonic() < end and process.poll() is None, "redis in the Linux guest: " + read_text(output)[-500:]
                time.sleep(0.2)
            figures = _rates(read_text(output))
            figures["nginx"], _ = _wrk(web)
            return figures
        finally:
            process.kill()


def figures(context):
    rounds = [{**_here(context), "linux": _linux(context)} for _ in range(ROUNDS)]
    mean = {side: {name: sum(each[side][name] for each in rounds) / ROUNDS for name in figures} for side, figures in rounds[0].items()}
    linux = mean.pop("linux")
    for name, what in (("SET", "redis SET"), ("GET", "redis GET"), ("nginx", "nginx, 612 bytes, 8 connections")):
        yield f"{what}, Linux with runc", round(linux[name]), "requests/s"
        for isolation, here in mean.items():
            yield f"{what}, {isolation}", round(here[name]), "requests/s"
            yield f"{what}, {isolation}, to Linux", round(here[name] / linux[name], 2), "x"
    for isolation, here in mean.items():
        yield f"redis, {isolation}, root loads", round(here["redis loads"], 1), "a request"
        yield f"nginx, {isolation}, root loads, its connections' network included", round(here["nginx loads"], 1), "a request"
