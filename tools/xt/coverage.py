"""Which lines and branches of the kernel were executed, from the memory of machines that ran a kernel with counters (build/coverage).

Such a kernel needs no code that writes a profile: QEMU keeps the guest's memory in a file, which outlives it, and the counters are read out of that. With the sections of the kernel's
file they make what LLVM calls a raw profile (InstrProfData.inc), and llvm-cov tells the source's branches from it."""

import collections
import contextlib
import json
import os
import struct
import subprocess
import tempfile

from . import paths
from .shell import Failure

KERNEL = os.path.join(paths.COVERAGE, "bin", "kernel")
_MAGIC = int.from_bytes(b"\xfflprofr\x81", "big")
_VERSION = 10
_DATA_BYTES = 64  # of a function's record
_PAGE = 4096
_CHUNK = 64 << 20
# The kernel's image begins with the section of requests to the loader, and that with this mark.
_IMAGE_BEGIN = struct.pack("<4Q", 0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9)
_CODE, _EXPANSION = 0, 1  # kinds of regions


def _run(words):
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure(f"{words[0]}: {result.stderr.strip()[-1000:]}")
    return result.stdout


class Image:
    """The sections of a kernel with counters: name → (address, content)."""

    def __init__(self, path=KERNEL):
        with open(path, "rb") as file:
            content = file.read()
        offset, = struct.unpack_from("<Q", content, 40)
        size, count, names = struct.unpack_from("<3H", content, 58)
        headers = [struct.unpack_from("<2I4Q", content, offset + i * size) for i in range(count)]
        names = headers[names][4]
        self.path = path
        self.sections = {}
        for name, _, _, address, begin, length in headers:
            end = content.index(b"\0", names + name)
            self.sections[content[names + name:end].decode()] = (address, content[begin:begin + length])
        if "__llvm_prf_cnts" not in self.sections:
            raise Failure(f"{path} has no counters")
        self.base = self.sections[".requests"][0]

    def counters(self, memory):
        """The content of the counters' section in the memory of a machine, a file that is open for reading."""
        address, initial = self.sections["__llvm_prf_cnts"]
        name_address, names = self.sections["__llvm_prf_names"]
        requests = self.sections[".requests"][1]
        for place in _places(memory):
            # The loader's copy of the file looks the same, but nothing in it was answered.
            answered = os.pread(memory.fileno(), len(requests), place) != requests
            if answered and os.pread(memory.fileno(), len(names), place + name_address - self.base) == names:
                found = os.pread(memory.fileno(), len(initial), place + address - self.base)
                if len(found) == len(initial) and any(found):
                    return found
        raise Failure("the machine's memory holds no kernel that has counted anything")

    def raw_profile(self, counters):
        data_address, data = self.sections["__llvm_prf_data"]
        names_address, names = self.sections["__llvm_prf_names"]
        address = self.sections["__llvm_prf_cnts"][0]
        delta = (address - data_address) & ~0 % (1 << 64)
        header = struct.pack("<16Q", _MAGIC, _VERSION, 0, len(data) // _DATA_BYTES, 0, len(counters) // 8, 0, 0, 0, len(names), delta, 0, names_address, 0, 0, 2)
        return header + data + counters + names + bytes(-len(names) % 8)


def _places(memory):
    """Offsets of pages that begin with the mark; holes of the file are left out."""
    end = 0
    while True:
        try:
            begin = os.lseek(memory.fileno(), end, os.SEEK_DATA)
        except OSError:
            return
        end = min(os.lseek(memory.fileno(), begin, os.SEEK_HOLE), begin + _CHUNK)
        content = os.pread(memory.fileno(), end - begin, begin)
        at = content.find(_IMAGE_BEGIN)
        while at >= 0:
            if (begin + at) % _PAGE == 0:
                yield begin + at
            at = content.find(_IMAGE_BEGIN, at + 1)


@contextlib.contextmanager
def counted(image, profile, mebibytes):
    """Gives words for QEMU's command line; the machine that was started with them, which has so much memory, must be gone at the block's end.
    What its kernel counted is then written to the file `profile`, however the machine ended."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(prefix="themelios-memory-", dir=shared or paths.COVERAGE) as memory:
        try:
            yield ("-object", f"memory-backend-file,id=ram,size={mebibytes}M,mem-path={memory.name},share=on", "-machine", "memory-backend=ram")
        finally:
            found = image.counters(memory)
            with open(profile, "wb") as file:
                file.write(image.raw_profile(found))


def merge(profiles, target):
    _run(["llvm-profdata-19", "merge", "-o", target, *profiles])


def exported(program, profile):
    """What llvm-cov tells of a program's profile."""
    return json.loads(_run(["llvm-cov-19", "export", "-format=text", program, f"-instr-profile={profile}"]))


class Report:
    """Lines, branches and functions below kernel/, by source place: a template's instances count as one, each use of a macro by itself.

    A branch is one outcome of a condition: each has two. `content` is what llvm-cov exports (exported())."""

    @classmethod
    def of(cls, image, profile):
        return cls(exported(image.path, profile))

    def __init__(self, content):
        content = content["data"][0]
        self.lines = {}  # file → (covered, all)
        self.branches = collections.defaultdict(lambda: [0, 0])  # (file, line, column, line and column in a macro) → how often true, false
        self.functions = collections.defaultdict(lambda: ["", 0])  # (file, line) → name, how often
        for file in content["files"]:
            if name := _inside(file["filename"]):
                lines = file["summary"]["lines"]
                self.lines[name] = (lines["covered"], lines["count"])
        for function in content["functions"]:
            self._add(function)

    def _add(self, function):
        name = _inside(function["filenames"][0])
        if not name:
            return
        regions = function["regions"]
        entry = self.functions[name, regions[0][0]]
        entry[0] = function["name"]
        entry[1] += function["count"]
        uses = {region[6]: region for region in regions if region[7] == _EXPANSION}
        for branch in function["branches"]:
            counts = [count if count < 1 << 62 else 0 for count in branch[4:6]]
            # Both are zero in code that ran: the compiler knew the condition.
            if not any(counts) and _executed(regions, branch):
                continue
            place, inner = branch, ()
            while place[6 if place is branch else 5] in uses:
                inner = branch[:2]
                place = uses[place[6 if place is branch else 5]]
            found = self.branches[(name, *place[:2], *inner)]
            found[0] += counts[0]
            found[1] += counts[1]

    def add_branches(self, other):
        """What another program took of the branches that are in this one."""
        for place, counts in other.branches.items():
            if place in self.branches:
                found = self.branches[place]
                found[0] += counts[0]
                found[1] += counts[1]

    def folders(self):
        """Folder of kernel/ → [lines covered, all, branches covered, all]."""
        found = collections.defaultdict(lambda: [0] * 4)
        for name, (covered, count) in self.lines.items():
            row = found[name.split("/")[1]]
            row[0] += covered
            row[1] += count
        for place, counts in self.branches.items():
            row = found[place[0].split("/")[1]]
            row[2] += sum(count != 0 for count in counts)
            row[3] += 2
        return dict(sorted(found.items()))

    def total(self):
        return [sum(column) for column in zip(*self.folders().values())]

    def table(self):
        rows = [*self.folders().items(), ("total", self.total())]
        lines = [f"{'folder':12} {'lines':>12} {'%':>6} {'branches':>12} {'%':>6}"]
        for name, (line, all_lines, branch, all_branches) in rows:
            lines.append(f"{name:12} {f'{line}/{all_lines}':>12} {percent(line, all_lines):6.1f} {f'{branch}/{all_branches}':>12} {percent(branch, all_branches):6.1f}")
        return "\n".join(lines)

    def unreached(self):
        """Text: the functions that never ran, and the conditions that went one way alone, or none."""
        lines = ["Functions that never ran:"]
        names = [(place, name.rpartition(":")[2].rpartition(";")[2]) for place, (name, count) in sorted(self.functions.items()) if count == 0]
        plain = subprocess.run(["llvm-cxxfilt-19"], input="\n".join(name for _, name in names), capture_output=True, text=True, check=True).stdout.splitlines()
        lines += [f"{file}:{line}: {name}" for ((file, line), _), name in zip(names, plain)]
        lines += ["", "Conditions, and what they never were:"]
        for place, (true, false) in sorted(self.branches.items()):
            if not (true and false):
                lines.append(f"{':'.join(map(str, place[:3]))}: {'true' if false else 'false' if true else 'reached'}")
        return "\n".join(lines) + "\n"


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def _inside(path):
    """The name in the tree of a file of the kernel, but of no test; else None."""
    name = os.path.relpath(os.path.realpath(path), paths.TOP)
    return name if name.startswith("kernel/") and not name.startswith("kernel/tests/") else None


def _executed(regions, branch):
    """Whether the smallest region of code around a branch ran."""
    around = [region for region in regions if region[7] == _CODE and region[5] == branch[6] and region[:2] <= branch[:2] and branch[2:4] <= region[2:4]]
    return bool(around) and max(around, key=lambda region: (region[:2], [-end for end in region[2:4]]))[4] > 0
