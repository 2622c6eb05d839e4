"""Flat EROFS images: uncompressed, 4 KiB blocks, every file's data on whole pages of its own, so that a file is a slice of the image."""

import os
import subprocess

# Fixed, so that the same folder gives the same bytes.
UUID = "7468656d-656c-696f-7300-000000000001"


class ErofsError(Exception):
    pass


def make(folder, image):
    """Writes the folder's content to `image`, whose size is a whole number of pages."""
    part = image + ".part"
    if os.path.exists(part):
        os.unlink(part)
    command = ["mkfs.erofs", "--quiet", "-x-1", "-T0", "-U" + UUID, "--all-root", "-Enoinline_data,force-inode-extended", part, folder]
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise ErofsError("mkfs.erofs is not installed; ./xt setup installs it") from None
    if result.returncode != 0:
        raise ErofsError(f"mkfs.erofs: {(result.stderr or result.stdout).strip()}")
    size = os.path.getsize(part)
    if size % 4096:
        os.truncate(part, (size + 4095) // 4096 * 4096)
    os.replace(part, image)
