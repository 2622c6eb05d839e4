"""Errors put into the kernel, one at a time: the tests in the guest find them. A few picked by a seed here, all of them with --full."""

import importlib.util
import os
import random
import re
import time
import zlib

from xt import paths

HERE = os.path.dirname(os.path.abspath(__file__))
SHORT = 8
LEAST_SHARE = 0.8
LEAST_SHARE_OF_FEW = 0.6
# What measures time or needs very much of it, and is asked only about errors that name it.
SLOW_FILES = ("bounded", "budgets", "contention", "processors")
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
    folder = os.path.join(paths.TOP, "kernel", "tests", "native")
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


def _find(context, error, whole):
    """What the tests that are apt to find it, or all but the slow ones, say about a kernel with the error: the test and how it failed, or None."""
    _, path, text, seeded, apt, _ = error
    inner = os.path.join("kernel", path)
    source = _source(error)
    try:
        seeded_tree.write(inner, source.replace(text, seeded).encode())
        seeded_tree.build()
        return seeded_tree.boot(context.accel, _usual_files() if whole else apt)[0]
    finally:
        seeded_tree.write(inner, source.encode())


def _say(error, begin, what):
    print(f"{error[0]} ({time.monotonic() - begin:.0f} s): {what}", flush=True)


def _say(error, begin, what):
    print(f"{error[0]} ({time.monotonic() - begin:.0f} s): {what}", flush=True)


def _one(context, error):
    begin = time.monotonic()
    found = _find(context, error, False)
    assert found, f"{error[5]}\nkernel/{error[1]}; passed: {error[4]}"
    _say(error, begin, found)


def _pass_over(context, errors, whole):
    """Those that are not found, and what the compiler says of those that do not build."""
    missed, unbuilt = [], []
    for error in errors:
        begin = time.monotonic()
        try:
            found = _find(context, error, whole)
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
    missed, unbuilt = _pass_over(context, sorted(errors, key=lambda error: error[1].endswith(".hpp")), False)
    if context.full:
        missed, _ = _pass_over(context, missed, True)
    total = len(errors)
    found = total - len(missed) - len(unbuilt)
    print(f"found {found} of {total}: {100 * found // total} %", flush=True)
    for error in missed:
        print(f"not found: {error[0]} (kernel/{error[1]}): {error[5]}", flush=True)
    for name in bank.NOT_FOUND:
        if name in [error[0] for error in errors] and name not in [error[0] for error in missed]:
            print(f"found, and the bank says that it is not: {name}", flush=True)
    assert not unbuilt, "\n".join(unbuilt)
    assert found >= least * total, f"{len(missed)} of {total} errors were not found"


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
