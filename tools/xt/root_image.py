"""The root image: one immutable EROFS file with everything but kernel and init.

  /bin/NAME              native programs (drivers, servers, the personality)
  /images/NAME.image     which programs start and what each gets
  /management.erofs      the file system of the management sandbox: the services under /bin (the first program is /bin/init), the images that
                         a node has from the start as archives under /images, and the tree's images/management/ over it
"""

import os
import shutil
import subprocess

from image import busybox, erofs

from . import paths
from .shell import Failure

# What the loader carries itself, and what only tests boot.
NOT_IN_ROOT = ("kernel", "init", "themelios-direct")
TEST_PREFIXES = ("test-", "native-")


def _strip(source, target):
    """Symbols stay in the build folder, where gdb finds them."""
    result = subprocess.run(["llvm-strip-19", "-o", target, source], capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure(f"cannot strip {source}: {result.stderr.strip()}")


def _copy_programs(source, target, left_out=()):
    if not os.path.isdir(source):
        return 0
    os.makedirs(target, exist_ok=True)
    count = 0
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        if name in left_out or name.startswith(TEST_PREFIXES) or name.endswith(".stripped") or not os.access(path, os.X_OK):
            continue
        _strip(path, os.path.join(target, name))
        count += 1
    return count


def _management(folder, image, more):
    _copy_programs(os.path.join(paths.SERVICES, "bin"), os.path.join(folder, "bin"))
    os.makedirs(os.path.join(folder, "images"), exist_ok=True)
    if not os.path.exists(paths.BUSYBOX):
        busybox.make(paths.BUSYBOX)
    shutil.copyfile(paths.BUSYBOX, os.path.join(folder, "images", "busybox.tar"))
    overlay = os.path.join(paths.TOP, "images", "management")
    if os.path.isdir(overlay):
        shutil.copytree(overlay, folder, dirs_exist_ok=True, symlinks=True)
    for name in ("etc", "proc", "sys", "dev", "run", "tmp", "var"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for inside, source in more.items():
        shutil.copy(source, os.path.join(folder, inside))
    erofs.make(folder, image)


def _pack(folder, image):
    try:
        erofs.make(folder, image)
    except erofs.ErofsError as error:
        raise Failure(str(error)) from None


def make_of(files, image):
    """An EROFS image of a few files, for a test: `files` is path in the image → file here."""
    staging = image.removesuffix(".erofs")
    shutil.rmtree(staging, ignore_errors=True)
    for inside, source in files.items():
        target = os.path.join(staging, inside.lstrip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
    _pack(staging, image)


def make(native=paths.NATIVE, image=paths.ROOT_IMAGE, management_files=None, change_node=None, programs=None):
    """Makes build/root.erofs (or `image`) out of what is built (the native programs in `native`). The same input gives the same bytes.

    For tests: `management_files` are more files of the management sandbox (path in it → file here), `change_node` gives another text for node.image,
    `programs` are other native programs (name under /bin → file here)."""
    staging = os.path.join(paths.BUILD, os.path.basename(image).removesuffix(".erofs"))
    services = os.path.join(paths.BUILD, "management")
    for folder in (staging, services):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    _copy_programs(os.path.join(native, "bin"), os.path.join(staging, "bin"), NOT_IN_ROOT)
    os.makedirs(os.path.join(staging, "images"), exist_ok=True)
    images = os.path.join(paths.TOP, "images")
    if os.path.isdir(images):
        for name in sorted(os.listdir(images)):
            if name.endswith(".image"):
                shutil.copyfile(os.path.join(images, name), os.path.join(staging, "images", name))
    for name, source in (programs or {}).items():
        _strip(source, os.path.join(staging, "bin", name))
    if change_node is not None:
        path = os.path.join(staging, "images", "node.image")
        with open(path, encoding="utf-8") as file:
            text = change_node(file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    _management(services, os.path.join(staging, "management.erofs"), management_files or {})
    _pack(staging, image)
