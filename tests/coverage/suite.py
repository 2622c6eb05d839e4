"""Lines and branches of the kernel that its tests execute, per folder: those in a booted machine, and those on the build machine."""

import glob
import os
import re

from xt import build, coverage, paths, root_image
from xt.shell import run

FULL = True
OWN_BUILD = True
CPUS = (1, 2, 4)
MEMORY = 1024
PROFILES = os.path.join(paths.COVERAGE, "profiles")
NATIVE = ("basics", "calls", "restricted", "log_server", "store_server")
IMAGES = (*(f"test-native-{name}" for name in NATIVE), "test-attacks", "test-fuzz")
# What the first programs start from the root image.
SERVERS = ("log", "store")
ROOT = os.path.join(paths.COVERAGE, "root.erofs")
# What the fuzzer calls in a boot with so many processors; its numbers come from a fixed seed.
CALLS = {1: 1_000_000, 2: 200_000, 4: 100_000}
# A processor with none of the features that the kernel can do without.
OLD = ("-cpu", "max,fsgsbase=off,smap=off,smep=off,umip=off,xsave=off,pcid=off,x2apic=off,tsc-deadline=off,pdpe1gb=off")
# Machines of other kinds for the kernel's own tests: name → words for QEMU, MiB of memory.
MACHINES = {"old processor": (OLD, MEMORY), "no ACPI": (("-machine", "acpi=off"), MEMORY), "i440FX": (("-machine", "pc"), MEMORY), "memory past 4 GiB": ((), 5120)}
# Tests on the build machine that drive the kernel's own sources: folder in the build and name.
HOST_TESTS = (("kernel", "kernel_state_test"), ("tests/cores", "cores_property_test"), ("tests/explore", "explore_test"))
# Of all branches, in percent, in a booted machine and together with these: what is not reached is explained in docs/book/assurance.md.
LEAST, LEAST_WITH_HOST = 81, 85


class Campaign:
    def __init__(self, context):
        self.context = context
        self.image = None

    def build(self):
        build.build("coverage", targets=(*IMAGES, *SERVERS))
        root_image.make_of({f"/bin/{name}": os.path.join(paths.COVERAGE, "bin", name) for name in SERVERS}, ROOT)
        self.image = coverage.Image()
        os.makedirs(PROFILES, exist_ok=True)
        for profile in glob.glob(os.path.join(PROFILES, "*")):
            if os.path.getmtime(profile) < os.path.getmtime(coverage.KERNEL):
                os.unlink(profile)

    def boot(self, name, image, cpus, append="", extra=(), verdict="native tests", memory=MEMORY):
        with coverage.counted(self.image, os.path.join(PROFILES, f"{name}-{cpus}.profraw"), memory) as words:
            code, text = self.context.boot(f"coverage-{name}-{cpus}", append=append, kernel=os.path.join(paths.COVERAGE, "bin", image), cpus=cpus, memory=memory,
                                           root=ROOT, extra=(*words, *extra), timeout=900)
        found = re.search(rf"{verdict}: (\d+) passed, (\d+) failed", text)
        # Counting makes a machine slower. A test that has only so much patience may fail here; that it holds is for its own suite to say.
        for line in text.splitlines():
            if line.startswith("FAIL"):
                print(f"{line} in {name} at {cpus} CPUs", flush=True)
        assert found and code in (33, 35) and int(found[1]) > 0, "no result; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:])

    def host_tests(self):
        """The profile of each is put beside it."""
        build.build("host-coverage", targets=tuple(name for _, name in HOST_TESTS))
        for folder, name in HOST_TESTS:
            program = os.path.join(paths.HOST_COVERAGE, folder, name)
            run([program], log=program + ".log", cwd=paths.TOP, env={**os.environ, "LLVM_PROFILE_FILE": program + ".profraw"})

    def figures(self):
        merged = os.path.join(paths.COVERAGE, "kernel.profdata")
        coverage.merge(sorted(glob.glob(os.path.join(PROFILES, "*.profraw"))), merged)
        report = coverage.Report.of(self.image, merged)
        print("In a booted machine:", report.table(), sep="\n", flush=True)
        line, lines, branch, branches = report.total()
        booted = coverage.percent(branch, branches)
        for folder, name in HOST_TESTS:
            program = os.path.join(paths.HOST_COVERAGE, folder, name)
            coverage.merge([program + ".profraw"], program + ".profdata")
            report.add_branches(coverage.Report(coverage.exported(program, program + ".profdata")))
        print("With the branches that tests on the build machine take:", report.table(), sep="\n", flush=True)
        for name, text in (("coverage.txt", report.table() + "\n"), ("unreached.txt", report.unreached())):
            with open(os.path.join(paths.COVERAGE, name), "w", encoding="utf-8") as file:
                file.write(text)
        both = coverage.percent(report.total()[2], branches)
        figure = f"{coverage.percent(line, lines):.1f} % of the lines and {booted:.1f} % of the branches in a booted machine, {both:.1f} % of the branches with the tests on the build machine"
        assert booted >= LEAST and both >= LEAST_WITH_HOST, f"{figure}: wanted are {LEAST} and {LEAST_WITH_HOST} %"
        return figure


def cases(context):
    campaign = Campaign(context)
    yield "build", campaign.build
    if campaign.image is None:
        return
    for cpus in CPUS:
        yield f"kernel tests {cpus} CPUs", lambda cpus=cpus: campaign.boot("kernel", "test-native-basics", cpus, append="test=kernel", verdict="kernel tests")
        for name in NATIVE:
            yield f"{name} {cpus} CPUs", lambda name=name, cpus=cpus: campaign.boot(name, f"test-native-{name}", cpus)
        yield f"attacks {cpus} CPUs", lambda cpus=cpus: campaign.boot("attacks", "test-attacks", cpus)
        yield f"fuzz {cpus} CPUs", lambda cpus=cpus: campaign.boot("fuzz", "test-fuzz", cpus, append=f"seed={cpus} calls={CALLS[cpus]} threads={min(cpus + 1, 4)}")
    for name, (extra, memory) in MACHINES.items():
        yield f"kernel tests, {name}", lambda name=name, extra=extra, memory=memory: campaign.boot(f"kernel-{name}", "test-native-basics", 2, "test=kernel", extra, "kernel tests", memory)
    yield "calls, old processor", lambda: campaign.boot("calls-old", "test-native-calls", 2, extra=OLD)
    yield "tests on the build machine", campaign.host_tests
    yield "figures", campaign.figures
