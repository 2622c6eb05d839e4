"""Walks over all states of the kernel's state cores on the host: short bounds, and with --full the whole ones."""

import os
import re
import subprocess

from xt import build, paths

PROGRAM = os.path.join(paths.HOST, "tests", "explore", "explore_test")
WAITS = os.path.join(paths.HOST, "tests", "explore", "explore_waits_test")
MODELS = {"authority": PROGRAM, "quota": PROGRAM, "quota_race": PROGRAM, "ranges": PROGRAM, "range_steps": PROGRAM, "tlb": PROGRAM, "waits": WAITS}


def _walk(context, model):
    bounds = "whole" if context.full else "short"
    result = subprocess.run([MODELS[model], f"--gtest_filter=Explore.{model}"], capture_output=True, text=True, env={**os.environ, "THEMELIOS_EXPLORE": bounds})
    lines = [line for line in result.stdout.splitlines() if re.search(r"\d states, ", line) and " in all: " not in line]
    assert result.returncode == 0 and lines, (result.stdout + result.stderr)[-4000:]
    print("\n".join(lines), flush=True)
    walks = [re.search(r"(\d+) states, (\d+) transitions", line) for line in lines]
    states, transitions = (sum(int(walk[number]) for walk in walks) for number in (1, 2))
    ended = sum("(all reachable)" in line for line in lines)
    return f"{model}: {states:,} states, {transitions:,} transitions, {ended} of {len(lines)} walks over all that are reachable"


def _finds():
    found = {}
    for program in ("explore_seeded_test", "explore_waits_seeded_test"):
        result = subprocess.run([os.path.join(os.path.dirname(PROGRAM), program)], capture_output=True, text=True)
        assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
        found[program] = len(re.findall(r"\[ +OK \] Finds\w*\.", result.stdout))
    text = f"errors put in and found: {sum(found.values())}"
    print(text, flush=True)
    return text


def cases(context):
    built = []

    def compile_host():
        build.build("host")
        built.append(True)

    yield "build", compile_host
    if not built:
        return
    for model in MODELS:
        yield model, lambda model=model: _walk(context, model)
    yield "finds every error put in", _finds
