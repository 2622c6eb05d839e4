"""Attacks that must fail, and their teeth: in the twin image, where the protection is left out, the same attack succeeds."""

import glob
import os
import re

from xt import build, paths

MARKER = b"ThemeliOS twin: may be weakened"
IMAGE = "test-attacks"
# Weakness of lib/base/weaken.hpp → the attack that it lets through.
NATIVE_TEETH = {
    "handle_generation": "a_forged_generation_names_nothing",
    "handle_rights": "a_right_that_was_taken_is_not_had",
    "badge_change": "a_badge_is_not_changed_by_its_holder",
    "restricted_bit": "a_guest_makes_no_native_call_from_native_code",
    "guest_execute": "native_code_does_not_run_in_the_guest_half",
    "native_call_place": "a_native_call_from_the_guest_half_ends_the_process",
    "native_pointer": "native_pointers_lie_in_the_personality_half",
}


# A lost personality has more than one way to its neighbour where rights are not looked at.
FUZZ_TEETH = ("handle_rights", "a_lost_personality_harms_nobody_else")


def _names():
    with open(os.path.join(paths.TOP, "lib", "base", "weaken.hpp"), encoding="utf-8") as file:
        text = file.read()
    return re.findall(r'"([a-z_]+)"\}', text)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _release_is_whole():
    """No marker and no weakness' name in anything that a node boots."""
    for path in (paths.DIRECT, paths.ROOT_IMAGE):
        content = _read(path)
        found = [word for word in [MARKER, *(name.encode() for name in _names())] if word in content]
        assert not found, f"{path} holds {found}"
    programs = [path for path in glob.glob(os.path.join(paths.NATIVE, "bin", "*")) if os.path.isfile(path)]
    assert len(programs) > 10
    assert not [path for path in programs if MARKER in _read(path)]


def _twin_is_weak():
    """The search finds what it looks for where it is."""
    names = [name.encode() for name in _names()]
    assert len(names) == len(set(names)) > len(NATIVE_TEETH)
    for program in ("kernel", "switch", "personality"):
        content = _read(os.path.join(paths.TWIN, "bin", program))
        missing = [word for word in [MARKER, *names] if word not in content]
        assert not missing, f"the twin's {program} lacks {missing}"


def _result(text):
    found = re.search(r"native tests: (\d+) passed, (\d+) failed", text)
    assert found, "no result; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:])
    return int(found[1]), int(found[2])


def _fails(context, folder, cpus):
    name = os.path.basename(folder)
    code, text = context.boot(f"attacks-{name}-{cpus}", kernel=os.path.join(folder, "bin", IMAGE), cpus=cpus)
    passed, failed = _result(text)
    lines = "\n".join(line for line in text.splitlines() if "FAIL" in line or line.startswith("  "))
    assert code == 33 and failed == 0 and passed >= len(NATIVE_TEETH), lines


def _succeeds(context, weakness, attack):
    image = os.path.join(paths.TWIN, "bin", IMAGE)
    code, text = context.boot(f"attacks-{weakness}", append=f"weaken={weakness} only={attack}", kernel=image)
    assert code == 35 and _result(text) == (0, 1) and f"FAIL {attack}" in text, f"{attack} still holds without {weakness}: it tests nothing"


def cases(context):
    built = []

    def compile_twin():
        build.build("twin")
        built.append(True)

    yield "build", compile_twin
    if not built:
        return
    yield "the release holds no weakness", _release_is_whole
    yield "the twin holds them all", _twin_is_weak
    for cpus in (1, 2, 4):
        yield f"native {cpus} CPUs", lambda cpus=cpus: _fails(context, paths.NATIVE, cpus)
    yield "native in the twin, nothing weakened", lambda: _fails(context, paths.TWIN, 2)
    for weakness, attack in [*NATIVE_TEETH.items(), FUZZ_TEETH]:
        yield f"teeth {weakness} {attack}", lambda weakness=weakness, attack=attack: _succeeds(context, weakness, attack)
