"""A node as a whole: from the start of QEMU to the banner, the API and a container's first output; memory; size. Beside it a Linux guest with runc in the same QEMU."""

import os
import re
import statistics
import subprocess
import time

from linux_guest import guest
from xt import api, docker, node, paths
from xt.suites import free_ports, read_text

ROUNDS = 3
CONTAINERS = 10
MEMORY = 2048  # MiB of both machines; what is not free of it counts as used: firmware, kernel, images and all
# What the Linux guest runs: the memory that is available before and after it started containers of its own, which sleep.
MEMORY_SCRIPT = f"""#!/bin/sh
available() {{ sed -n 's/^MemAvailable: *//p' /proc/meminfo | tr -d ' kB'; }}
sleep 3
echo "idle $(available)"
for i in $(seq {CONTAINERS}); do
  mkdir -p /run/many/$i/upper /run/many/$i/rootfs
  mount -t tmpfs layer /run/many/$i/upper && mkdir /run/many/$i/upper/u /run/many/$i/upper/w
  mount -t overlay overlay -o lowerdir=/bundle/rootfs,upperdir=/run/many/$i/upper/u,workdir=/run/many/$i/upper/w /run/many/$i/rootfs
  sed 's|"@RUN@"|"sleep","1000"|' /bundle/config.json > /run/many/$i/config.json
  (cd /run/many/$i && runc run --no-pivot -d many$i > /dev/null 2>&1 < /dev/null)
done
sleep 3
echo "busy $(available)"
"""


def _wait(condition, what, limit=300):
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, f"no {what} within {limit} s"
        time.sleep(0.005)
    return found


def _boot_here(context):
    port, web = free_ports(2)
    begin = time.monotonic()
    process = node.start(context.accel, MEMORY, 2, port, [web])
    try:
        _wait(lambda: "Hello from ThemeliOS" in read_text(node.SERIAL), "banner")
        banner = time.monotonic()
        _wait(api.Knocking(port).answered, "API")
        answering = time.monotonic()
        since_kernel = api.get_json(port, "/themelios/node")["monotonic_nanoseconds"] / 1e6
        result = docker.capture(port, ["run", "--rm", "busybox", "echo", "hello"], timeout=300)
        assert result.stdout == "hello\n", result.stderr
        first = time.monotonic()
        idle = api.get_json(port, "/themelios/node")
        for _ in range(CONTAINERS):
            assert docker.capture(port, ["run", "-d", "busybox", "sleep", "1000"], timeout=300).returncode == 0
        busy = api.get_json(port, "/themelios/node")
    finally:
        node.end(process)
    pages = abs(idle["free_pages"] - busy["free_pages"]) / CONTAINERS
    return {"QEMU's start to banner": (banner - begin) * 1000, "banner to API": (answering - banner) * 1000, "API to a container's first output": (first - answering) * 1000,
            "QEMU's start to a container's first output": (first - begin) * 1000, "kernel's first instruction to API (guest's clock)": since_kernel,
            "memory used, idle": MEMORY - idle["free_pages"] / 256, "memory per container": pages / 256}


def _clean(output):
    for path in (output, output + ".console"):
        if os.path.exists(path):
            os.unlink(path)


def _boot_linux(context, folder):
    output = os.path.join(context.log_folder, "bench-node-linux.output")
    _clean(output)
    begin = time.monotonic()
    with subprocess.Popen(guest.command(folder, output, "themelios.run=/bin/hello themelios.bundle=1"), stdin=subprocess.DEVNULL) as process:
        try:
            _wait(lambda: "guest: init" in read_text(output + ".console"), "init of the Linux guest")
            init = time.monotonic()
            _wait(lambda: "hello" in read_text(output), "output of the Linux guest's container")
            first = time.monotonic()
            process.wait(120)
        finally:
            if process.poll() is None:
                process.kill()
    return {"QEMU's start to init": (init - begin) * 1000, "QEMU's start to a container's first output": (first - begin) * 1000}


def _memory_linux(context, folder):
    output = os.path.join(context.log_folder, "bench-memory-linux.output")
    _clean(output)
    subprocess.run(guest.command(folder, output, "themelios.run=/bin/memory", memory=f"{MEMORY}M"), timeout=300, check=True, stdin=subprocess.DEVNULL)
    found = {name: MEMORY - int(available) / 1024 for name, available in re.findall(r"(\w+) (\d+)", read_text(output))}
    assert {"idle", "busy"} <= set(found), f"no figures of memory; see {output}.console"
    return {"memory used, idle": found["idle"], "memory per container": (found["busy"] - found["idle"]) / CONTAINERS}


def _median(rows):
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def figures(context):
    folder = os.path.join(paths.BUILD, "linux-guest-node")
    scripts = os.path.join(paths.BUILD, "bench", "scripts")
    os.makedirs(folder, exist_ok=True)
    os.makedirs(scripts, exist_ok=True)
    for name, text in (("hello", "#!/bin/sh\necho hello\n"), ("memory", MEMORY_SCRIPT)):
        with open(os.path.join(scripts, name), "w", encoding="utf-8") as file:
            file.write(text)
    guest.build(folder, {f"/bin/{name}": os.path.join(scripts, name) for name in ("hello", "memory")})
    # In turn, so that whatever else this machine does meets both.
    here, linux = [], []
    for _ in range(ROUNDS):
        here.append(_boot_here(context))
        linux.append(_boot_linux(context, folder))
    here, linux = _median(here), {**_median(linux), **_memory_linux(context, folder)}
    unit = {name: "MiB" if name.startswith("memory") else "ms" for name in (*here, *linux)}
    for name, value in here.items():
        yield name, round(value, 2), unit[name]
    for name, value in linux.items():
        yield f"{name}, Linux with runc", round(value, 2), unit[name]
        if name in here:
            yield f"{name}, ratio", round(here[name] / value, 3), "x"
    yield "root image", round(os.path.getsize(paths.ROOT_IMAGE) / (1 << 20), 1), "MiB"
    yield "kernel and boot code", round(os.path.getsize(paths.DIRECT) / (1 << 20), 2), "MiB"
