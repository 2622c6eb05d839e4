"""Errors put into the kernel, one at a time: the tests in the guest find them. A few picked by a seed here, all of them with --full."""

import hashlib
import importlib.util
import json
import os
import random
import re
import time
import zlib

from xt import paths

OWN_BUILD = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join("kernel", "tests", "native")
# What the long form has found out already; whoever ends it and starts it again goes on there.
KEPT = os.path.join(paths.BUILD, "mutants", "outcomes.json")
# What a kernel is made of, but for the tests in it.
MADE_OF = ("CMakeLists.txt", "CMakePresets.json", "cmake", "abi", "lib", "kernel")
SHORT = 8
LEAST_SHARE = 0.8
LEAST_SHARE_OF_FEW = 0.6
# What measures time or needs very much of it, and is asked only about errors that name it.
SLOW_FILES = ("bounded", "bounded_calls", "bounded_ends", "budgets", "contention", "processors")
# The files whose tests have a verdict by the guest's clock alone.
MEASURED = ("bounded", "bounded_calls", "bounded_ends")
SLOW_FILES_ASKED = ("budgets", "contention", "processors")


def _load(name):
    specification = importlib.util.spec_from_file_location("mutants_" + name, os.path.join(HERE, name + ".py"))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


bank = _load("bank")
seeded_tree = _load("seeded_tree")


def _source(error):
    with open(os.path.join(paths.TOP, "kernel", error[1]), encoding="utf-8") as file:
        return file.read()


def _tests():
    """(file, test) of all tests in the guest."""
    folder = os.path.join(paths.TOP, TESTS)
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for test in re.findall(r"^KERNEL_USER_TEST\((\w+)\)", file.read(), re.MULTILINE):
                yield name.partition(".")[0], test


def _texts():
    """The bank does not rot: each text stands in its file once, each name in the bank, and the tests that are asked are there."""
    wrong = [f"{error[0]}: its text stands in kernel/{error[1]} {_source(error).count(error[2])} times" for error in bank.ERRORS if _source(error).count(error[2]) != 1]
    names = [error[0] for error in bank.ERRORS]
    wrong += [f"{name}: there are two of that name" for name in sorted(set(names)) if names.count(name) > 1]
    wrong += [f"{name}: not in the bank" for name in bank.NOT_FOUND if name not in names]
    tests = list(_tests())
    wrong += [f"{error[0]}: there is no test '{word}'" for error in bank.ERRORS for word in error[4].split(",")
              if not any(word == file or test == word or test.startswith(word + "_") for file, test in tests)]
    assert not wrong, "\n".join(wrong)


def _usual_files():
    return ",".join(sorted({file for file, _ in _tests()} - set(SLOW_FILES)))


def _contents(names):
    """Digest of the files of these names below the top, or in these folders; the tests in the guest are none of theirs."""
    digest = hashlib.sha256()
    for name in names:
        path = os.path.join(paths.TOP, name)
        inner = sorted(os.path.join(folder, file) for folder, _, files in os.walk(path) for file in files) if os.path.isdir(path) else [path]
        for file in inner:
            if os.path.relpath(file, paths.TOP).startswith(TESTS + os.sep) and name != os.path.relpath(file, paths.TOP):
                continue
            with open(file, "rb") as content:
                digest.update(file.removeprefix(paths.TOP).encode() + b"\0" + content.read())
    return digest.hexdigest()


class Outcomes:
    """What was found out about an error, for as long as the kernel, the error and the tests that were asked stay as they are."""

    def __init__(self):
        self._kernel = _contents(MADE_OF)
        self._known = {}
        if os.path.exists(KEPT):
            with open(KEPT, encoding="utf-8") as file:
                self._known = json.load(file)

    def key(self, error, only):
        words = only.split(",")
        asked = sorted({file for file, test in _tests() if any(word in (file, test) or test.startswith(word + "_") for word in words)})
        helpers = [name for name in sorted(os.listdir(os.path.join(paths.TOP, TESTS))) if not name.endswith(".cpp")] + ["main.cpp", "runner.cpp"]
        files = _contents(os.path.join(TESTS, name) for name in (*(file + ".cpp" for file in asked), *helpers))
        return hashlib.sha256("\0".join((self._kernel, files, only, *error[:4])).encode()).hexdigest()

    def known(self, key):
        return key in self._known

    def __getitem__(self, key):
        return self._known[key]

    def keep(self, key, outcome):
        self._known[key] = outcome
        with open(KEPT + ".new", "w", encoding="utf-8") as file:
            json.dump(self._known, file, indent=0)
        os.replace(KEPT + ".new", KEPT)


def _find(context, error, whole, outcomes):
    """What the tests that are apt to find it, or all but the slow ones, say about a kernel with the error: the test and how it failed, or None."""
    _, path, text, seeded, apt, _ = error
    only = _usual_files() if whole else apt
    key = outcomes and outcomes.key(error, only)
    if key and outcomes.known(key):
        return outcomes[key]
    inner = os.path.join("kernel", path)
    source = _source(error)
    try:
        seeded_tree.write(inner, source.replace(text, seeded).encode())
        seeded_tree.build()
        found = seeded_tree.boot(context.accel, only, any((file, word) in _tests() for file in MEASURED for word in only.split(",")))[0]
        if key:
            outcomes.keep(key, found)
        return found
    finally:
        seeded_tree.write(inner, source.encode())


def _say(error, begin, what):
    print(f"{error[0]} ({time.monotonic() - begin:.0f} s): {what}", flush=True)


def _pass_over(context, errors, whole, outcomes):
    """Those that are not found, and what the compiler says of those that do not build."""
    missed, unbuilt = [], []
    for error in errors:
        begin = time.monotonic()
        try:
            found = _find(context, error, whole, outcomes)
        except seeded_tree.Unbuilt as failure:
            unbuilt.append(f"{error[0]}: {failure}")
            _say(error, begin, "DOES NOT BUILD")
            continue
        _say(error, begin, found or "not found by " + ("any test" if whole else error[4]))
        if not found:
            missed.append(error)
    return missed, unbuilt


def _share(context, errors, least):
    # A header has many files built again: whoever watches sees the others first.
    outcomes = Outcomes() if context.full else None
    missed, unbuilt = _pass_over(context, sorted(errors, key=lambda error: error[1].endswith(".hpp")), False, outcomes)
    if context.full:
        missed, _ = _pass_over(context, missed, True, outcomes)
    total = len(errors)
    found = total - len(missed) - len(unbuilt)
    figure = f"found {found} of {total}: {100 * found // total} %"
    print(figure, flush=True)
    for error in missed:
        print(f"not found: {error[0]} (kernel/{error[1]}): {error[5]}", flush=True)
    for name in bank.NOT_FOUND:
        if name in [error[0] for error in errors] and name not in [error[0] for error in missed]:
            print(f"found, and the bank says that it is not: {name}", flush=True)
    assert not unbuilt, "\n".join(unbuilt)
    assert found >= least * total, f"{len(missed)} of {total} errors were not found"
    return figure


def _sound(context):
    """Without an error nothing fails of what is asked about errors later."""
    for only in (_usual_files(), *(SLOW_FILES_ASKED if context.full else ())):
        found, text = seeded_tree.boot(context.accel, only)
        assert not found, f"{found}\n" + "\n".join(text.splitlines()[-20:])


def _copy_and_build():
    seeded_tree.copy()
    seeded_tree.build()


def cases(context):
    yield "every text is found once", _texts
    yield "build", _copy_and_build
    yield "the tests pass where nothing is wrong", lambda: _sound(context)
    if context.full:
        yield "the share that is found", lambda: _share(context, bank.ERRORS, LEAST_SHARE)
        return
    # Others as the kernel changes, and the same for one state of it.
    seed = zlib.crc32("".join(_source(error) for error in bank.ERRORS).encode())
    picked = random.Random(seed).sample([error for error in bank.ERRORS if error[0] not in bank.NOT_FOUND], SHORT)
    print(f"seed {seed}: {', '.join(error[0] for error in picked)}", flush=True)
    yield "the share that is found", lambda: _share(context, picked, LEAST_SHARE_OF_FEW)
