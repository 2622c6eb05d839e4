"""Writes cpio archives in the `newc` format, which Linux takes as initramfs (Documentation/driver-api/early-userspace/buffer-format.rst)."""

import os
import stat


class Archive:
    """Collects entries; `data()` gives the archive. Names are without a leading slash; parents are made as needed."""

    def __init__(self):
        self._parts = []
        self._inode = 0
        self._directories = set()

    def _entry(self, name, mode, body=b"", device=(0, 0)):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._parts.append(head + b"\0" * (-len(head) % 4) + body + b"\0" * (-len(body) % 4))

    def directory(self, name, mode=0o755):
        name = name.strip("/")
        if not name or name in self._directories:
            return
        self.directory(os.path.dirname(name))
        self._directories.add(name)
        self._entry(name, stat.S_IFDIR | mode)

    def file(self, name, body, mode=0o644):
        name = name.strip("/")
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, body)

    def link(self, name, target):
        name = name.strip("/")
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, major, minor, mode=0o600):
        name = name.strip("/")
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | mode, device=(major, minor))

    def tree(self, source, prefix=""):
        """Adds a folder of the machine: directories, regular files and symbolic links."""
        for folder, subfolders, files in os.walk(source):
            subfolders.sort()
            inside = os.path.join(prefix, os.path.relpath(folder, source)).removesuffix("/.").removesuffix(".")
            self.directory(inside)
            for name in sorted(files + [d for d in subfolders if os.path.islink(os.path.join(folder, d))]):
                path = os.path.join(folder, name)
                target = os.path.join(inside, name)
                if os.path.islink(path):
                    self.link(target, os.readlink(path))
                elif os.path.isfile(path):
                    with open(path, "rb") as stream:
                        self.file(target, stream.read(), os.stat(path).st_mode & 0o7777)

    def data(self):
        self._inode = -1
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)
