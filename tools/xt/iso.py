"""Makes build/themelios.iso: boots by BIOS and UEFI, from a CD drive or a disk."""

import os
import shutil

from . import build, paths
from .shell import Failure, need
from .shell import run as execute

# GRUB only loads: the loader and the root image are the same that QEMU starts directly.
MENU = """set timeout=0
set default=0
insmod all_video
menuentry "ThemeliOS" {
    multiboot2 /boot/themelios-direct
    module2 /boot/root.erofs root
}
"""


def add(parser):
    parser.add_argument("--no-build", action="store_true", help="pack what was built last")


def make():
    need("grub-mkrescue")
    need("xorriso")
    need("mformat")
    for path in (paths.DIRECT, paths.ROOT_IMAGE):
        if not os.path.exists(path):
            raise Failure(f"{os.path.relpath(path, paths.TOP)} is not built")
    folder = os.path.join(paths.BUILD, "iso")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "boot", "grub"))
    shutil.copyfile(paths.DIRECT, os.path.join(folder, "boot", "themelios-direct"))
    shutil.copyfile(paths.ROOT_IMAGE, os.path.join(folder, "boot", "root.erofs"))
    with open(os.path.join(folder, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as file:
        file.write(MENU)
    log = os.path.join(paths.BUILD, "iso.log")
    if os.path.exists(log):
        os.unlink(log)
    execute(["grub-mkrescue", "-o", paths.ISO + ".part", "--compress=no", "--fonts=", "--locales=", "--themes=",
             "--install-modules=multiboot2 normal iso9660 part_gpt part_msdos part_apple part_bsd part_sun part_sunpc part_acorn part_amiga part_dfly part_dvh part_plan fat "
             "all_video boot search configfile echo", folder], log=log)
    os.replace(paths.ISO + ".part", paths.ISO)


def run(arguments):
    if not arguments.no_build:
        build.build_node()
    make()
    print(f"{os.path.relpath(paths.ISO, paths.TOP)} ({os.path.getsize(paths.ISO) >> 20} MiB)")
