"""The busybox image: Debian's static busybox with all its applets as links."""

import os
import shutil
import subprocess
import tempfile

from . import debian, docker_archive

PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n"


def _binary(scratch):
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path) and subprocess.run(["dpkg-query", "-W", "busybox-static"], capture_output=True).returncode == 0:
            return path
    folder = os.path.join(scratch, "package")
    debian.unpack(["busybox-static"], folder, closure=False)
    return os.path.join(folder, "bin", "busybox")


def make(path, name="busybox"):
    with tempfile.TemporaryDirectory() as scratch:
        root = os.path.join(scratch, "root")
        for folder in ("bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "usr/bin", "usr/sbin", "var/spool"):
            os.makedirs(os.path.join(root, folder))
        os.chmod(os.path.join(root, "tmp"), 0o1777)
        busybox = os.path.join(root, "bin", "busybox")
        binary = _binary(scratch)
        shutil.copyfile(binary, busybox)
        os.chmod(busybox, 0o755)
        applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
        for applet in applets:
            if applet != "busybox":
                os.link(busybox, os.path.join(root, "bin", applet))
        for file, text in (("passwd", PASSWD), ("group", GROUP), ("hosts", "127.0.0.1\tlocalhost\n")):
            with open(os.path.join(root, "etc", file), "w", encoding="utf-8") as out:
                out.write(text)
        docker_archive.write(path, name, docker_archive.layer_of(root), ["sh"], created=int(os.stat(binary).st_mtime))
