"""Suites that need no booted node: unit tests of the host configuration, tests of the tools, checks on the tree and on what was built."""

import os
import subprocess
import sys
import types

from . import build, paths


def _suite(text, cases, own_build=True):
    return types.SimpleNamespace(__doc__=text, cases=cases, OWN_BUILD=own_build)


def _host(context):
    built = []

    def compile_all():
        build.build("host")
        built.append(True)

    yield "build", compile_all
    if not built:
        return
    listing = subprocess.run(["ctest", "--test-dir", paths.HOST, "-N"], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        head, _, name = line.partition(": ")
        # Walks over states are a suite of their own.
        if head.strip().startswith("Test ") and "#" in head and not name.strip().startswith("explore_"):
            yield name.strip(), lambda name=name.strip(): _ctest(context, name)


def _ctest(context, name):
    result = subprocess.run(["ctest", "--test-dir", paths.HOST, "-R", f"^{name}$", "--output-on-failure", "--no-tests=error"],
                            capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(result.stdout[-4000:])


def _unit_tests(folder):
    def test():
        result = subprocess.run([sys.executable, "-B", "-m", "unittest", "discover", "-q", "-s", folder, "-p", "*_test.py", "-t", folder],
                                capture_output=True, text=True, cwd=paths.TOP,
                                env={**os.environ, "PYTHONPATH": os.path.join(paths.TOP, "tools")})
        if result.returncode != 0:
            raise AssertionError(result.stderr[-4000:])
    return test


def _tools(context):
    tools = os.path.join(paths.TOP, "tools")
    for folder in sorted(os.listdir(tools)):
        path = os.path.join(tools, folder)
        if os.path.isdir(path) and any(name.endswith("_test.py") for name in os.listdir(path)):
            yield folder, _unit_tests(path)


def _check(context):
    from check import binary, dependencies, length, locks
    yield "dependencies", lambda: _none(dependencies.violations(paths.TOP))
    yield "file length", lambda: _none(length.violations(paths.TOP))
    programs = os.path.join(paths.NATIVE, "bin")
    if os.path.isdir(programs):
        yield "fields with locks", lambda: _none(locks.violations(paths.NATIVE))
        for name in sorted(os.listdir(programs)):
            path = os.path.join(programs, name)
            if binary.is_checked(path):
                yield f"binary {name}", lambda path=path: _none(binary.violations(path))


def _none(violations):
    found = list(violations)
    if found:
        raise AssertionError("\n".join(found[:40]) + (f"\n... {len(found)} in all" if len(found) > 40 else ""))


SUITES = {
    "check": _suite("the rules of the tree, and of what the compiler made", _check, own_build=False),
    "tools": _suite("the tools' own tests", _tools),
    "host": _suite("unit tests with sanitizers", _host),
}
