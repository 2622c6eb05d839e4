"""Installs what the build and the tests need, from Debian's packages, by apt (as root or with sudo, without questions)."""

import os
import shutil
import subprocess
import tempfile

from image import debian

from . import paths
from .shell import Failure, run as execute

PACKAGES = (
    # build
    "clang-19", "lld-19", "llvm-19", "libc++-19-dev", "libc++abi-19-dev", "libclang-rt-19-dev", "libstdc++-12-dev", "cmake", "ninja-build", "ccache",
    "python3", "erofs-utils", "dpkg-dev",
    # services
    "libboost-dev", "libboost-system-dev", "libssl-dev", "libarchive-dev", "libzstd-dev", "zlib1g-dev", "liblz4-dev", "liblzma-dev", "libbz2-dev", "libacl1-dev",
    "libxml2-dev", "nettle-dev", "nlohmann-json3-dev", "libre2-dev",
    # run and tests
    "qemu-system-x86", "ovmf", "grub-common", "grub-pc-bin", "grub-efi-amd64-bin", "xorriso", "mtools", "busybox-static", "libgtest-dev",
    "libgmock-dev", "librapidcheck-dev", "spin", "wrk", "curl", "mkdocs", "gdb",
)


def add(parser):
    parser.add_argument("--ci", action="store_true", help="leave out what only a person at a terminal uses (gdb)")


def missing(packages=PACKAGES):
    known = subprocess.run(["dpkg-query", "-W", "-f", "${binary:Package} ${db:Status-Status}\n", *packages], capture_output=True, text=True).stdout
    installed = {line.split()[0].split(":")[0] for line in known.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


def _apt(words):
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not shutil.which("sudo"):
        raise Failure("installing needs root or sudo")
    execute([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *words])


def docker_cli():
    """The Docker CLI alone, unpacked from Debian's docker.io package: no daemon is installed or started."""
    print("no docker on PATH: taking the CLI of Debian's docker.io package", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            debian_files = debian.download(["docker.io"], folder, closure=False)
        except debian.DebianError as error:
            raise Failure(f"cannot get the Docker CLI: {error}") from None
        execute(["dpkg", "-x", debian_files[0], os.path.join(folder, "package")])
        os.makedirs(os.path.dirname(paths.TOOLS_CLI), exist_ok=True)
        shutil.copy2(os.path.join(folder, "package", "usr", "bin", "docker"), paths.TOOLS_CLI)
    return paths.TOOLS_CLI


def ensure(with_gdb=False):
    """Installs what is missing, without a word where nothing is."""
    absent = missing([package for package in PACKAGES if with_gdb or package != "gdb"])
    if absent:
        print("installing " + " ".join(absent), flush=True)
        _apt(["update"])
        _apt(["install", "--no-install-recommends", *absent])
    execute([os.path.join(paths.TOP, "linux", "net", "fetch-lwip"), os.path.join(paths.BUILD, "sources", "lwip")])
    if not shutil.which("docker") and not os.path.exists(paths.TOOLS_CLI):
        docker_cli()


def run(arguments):
    ensure(with_gdb=not arguments.ci)
    print("everything is there")
