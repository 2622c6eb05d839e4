"""Root file systems out of Debian packages: apt's dependency closure, unpacked, no maintainer scripts.

apt works on a status and a cache of its own, with the machine's own sources, so nothing is installed and no mirror is named here."""

import hashlib
import os
import shutil
import subprocess
import tempfile

USERS = (("root", 0, "/root", "/bin/sh"), ("daemon", 1, "/usr/sbin", "/usr/sbin/nologin"), ("mail", 8, "/var/mail", "/usr/sbin/nologin"),
         ("www-data", 33, "/var/www", "/usr/sbin/nologin"), ("nobody", 65534, "/nonexistent", "/usr/sbin/nologin"))
# What maintainer scripts would add for some packages.
PACKAGE_USERS = {"redis-server": ("redis", 100, "/var/lib/redis"), "postgresql-common": ("postgres", 101, "/var/lib/postgresql"),
                 "memcached": ("memcache", 102, "/nonexistent")}


class DebianError(Exception):
    pass


def _run(words, **options):
    result = subprocess.run(words, capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise DebianError(f"{' '.join(words[:3])} ...: {(result.stderr or result.stdout).strip()[-800:]}")
    return result.stdout


def download(packages, folder, closure=True):
    """Puts the packages' files into a folder, with everything they depend on where `closure` is set. Returns the paths."""
    os.makedirs(folder, exist_ok=True)
    if not closure:
        _run(["apt-get", "download", "-q", *packages], cwd=folder)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            status = os.path.join(scratch, "status")
            open(status, "w").close()
            archives = os.path.join(scratch, "archives")
            os.makedirs(os.path.join(archives, "partial"))
            _run(["apt-get", "-q", "-y", "--download-only", "-oDir::State::status=" + status, "-oDir::Cache::archives=" + archives,
                  "-oDebug::NoLocking=1", "-oAPT::Install-Recommends=0", "-oAPT::Sandbox::User=root", "install", *packages])
            for name in os.listdir(archives):
                if name.endswith(".deb"):
                    shutil.move(os.path.join(archives, name), os.path.join(folder, name))
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))


def check_sha256(path, expected):
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise DebianError(f"{os.path.basename(path)} has SHA-256 {found}, expected {expected}")


def unpack(packages, root, closure=True):
    """Unpacks packages (and what they depend on) into a root file system with merged /usr. Returns the names of the packages' files."""
    os.makedirs(root, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(os.path.join(root, "usr", name), exist_ok=True)
        if not os.path.lexists(os.path.join(root, name)):
            os.symlink("usr/" + name, os.path.join(root, name))
    with tempfile.TemporaryDirectory() as folder:
        files = download(packages, folder, closure)
        for file in files:
            with subprocess.Popen(["dpkg", "--fsys-tarfile", file], stdout=subprocess.PIPE) as source:
                _run(["tar", "-x", "--keep-directory-symlink", "-C", root, "-f", "-"], stdin=source.stdout)
            if source.returncode != 0:
                raise DebianError(f"{os.path.basename(file)} cannot be unpacked")
        return [os.path.basename(file) for file in files]


def newest_change(root):
    """When the newest of the packages in a root file system was made, in seconds since 1970: by its documents, which nobody here writes."""
    return int(max((os.stat(os.path.join(folder, name)).st_mtime for folder, _, names in os.walk(os.path.join(root, "usr/share/doc")) for name in names
                    if not os.path.islink(os.path.join(folder, name))), default=0))


def make_root(packages, root):
    """A root file system as a container expects it: the packages, their links, users and folders."""
    files = unpack(packages, root)
    for name in ("etc", "tmp", "proc", "sys", "dev", "run", "root", "var/tmp"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name in ("tmp", "var/tmp"):
        os.chmod(os.path.join(root, name), 0o1777)
    users = list(USERS)
    for file in files:
        extra = PACKAGE_USERS.get(file.split("_", 1)[0])
        if extra:
            users.append((*extra, "/usr/sbin/nologin"))
            home = os.path.join(root, extra[2].lstrip("/"))
            os.makedirs(home, exist_ok=True)
    with open(os.path.join(root, "etc/passwd"), "w", encoding="utf-8") as out:
        out.write("".join(f"{name}:x:{number}:{number}:{name}:{home}:{shell}\n" for name, number, home, shell in users))
    with open(os.path.join(root, "etc/group"), "w", encoding="utf-8") as out:
        out.write("".join(f"{'nogroup' if name == 'nobody' else name}:x:{number}:\n" for name, number, _, _ in users))
    shell = os.path.join(root, "usr/bin/sh")
    if not os.path.lexists(shell):
        for name in ("dash", "bash"):
            if os.path.exists(os.path.join(root, "usr/bin", name)):
                os.symlink(name, shell)
                break
