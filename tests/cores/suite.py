"""The kernel's state cores under random commands and under a fuzzer, and its protocols as models in Promela."""

import os
import re
import subprocess

from xt import build, paths

OWN_BUILD = True
FOLDER = os.path.join(paths.HOST, "tests", "cores")
PROPERTIES = os.path.join(FOLDER, "cores_property_test")
SEEDED_PROPERTIES = os.path.join(FOLDER, "cores_property_seeded_test")
FUZZ = os.path.join(FOLDER, "cores_fuzz")
SEEDED_FUZZ = os.path.join(FOLDER, "cores_fuzz_seeded")

SEED = 1
# Core → inputs in the long form, of about a minute each; a command costs the more, the larger the core's state.
WHOLE = {"slot_table": 100_000, "lease": 100_000, "quota": 35_000, "deadline": 200_000, "futex": 80_000, "page_map": 20_000, "page_table": 10_000,
         "wait": 500_000, "clock": 500_000}
SHORT = 4_000
LONGEST = 512  # bytes of an input, of which a command takes four

MODELS = os.path.join(paths.TOP, "tests", "explore", "models")


def _properties(context):
    bounds = {"RC_PARAMS": "seed=1 max_success=20000 max_size=300"} if context.full else {}
    result = subprocess.run([PROPERTIES], capture_output=True, text=True, env={**os.environ, **bounds})
    lines = [line for line in result.stdout.splitlines() if re.search(r": \d+ sequences, ", line)]
    configuration = [line for line in result.stderr.splitlines() if line.startswith("Using configuration")]
    assert result.returncode == 0 and len(lines) == len(WHOLE), (result.stdout + result.stderr)[-4000:]
    print("\n".join(configuration[:1] + lines), flush=True)


def _properties_find():
    result = subprocess.run([SEEDED_PROPERTIES], capture_output=True, text=True)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def _fuzz(context, core, error=""):
    """The fuzzer's exit code and words. Errors that were put in have to be found in the short form."""
    runs = WHOLE[core] if context.full and not error else SHORT
    artifacts = os.path.join(context.log_folder, f"fuzz-{core}{'-' + error if error else ''}-")
    result = subprocess.run([SEEDED_FUZZ if error else FUZZ, f"-seed={SEED}", f"-runs={runs}", f"-max_len={LONGEST}", "-len_control=0", f"-artifact_prefix={artifacts}"],
                            capture_output=True, text=True, errors="replace", env={**os.environ, "THEMELIOS_CORE": core, "THEMELIOS_ERROR": error})
    return result.returncode, result.stderr


def _fuzz_core(context, core):
    code, text = _fuzz(context, core)
    broken = [line for line in text.splitlines() if "BROKEN" in line or "Test unit written" in line or "SUMMARY" in line]
    assert code == 0, f"seed {SEED}: " + "\n".join(broken) + "\n" + text[-2000:] + f"\nagain: THEMELIOS_CORE={core} {FUZZ} FILE"
    done = re.search(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+)", text)
    assert done, text[-2000:]
    figure = f"{core}: seed {SEED}, {done[1]} inputs, {done[2]} edges, {done[3]} features"
    print(figure, flush=True)
    return figure


def _fuzz_finds(context):
    errors = [line.split() for line in subprocess.run([SEEDED_FUZZ, "--errors"], capture_output=True, text=True, check=True).stdout.splitlines()]
    missed = []
    for core, error in errors:
        code, text = _fuzz(context, core, error)
        if code == 0 or f"BROKEN {core}:" not in text:
            missed.append(f"{core} with {error} (exit code {code})")
    assert errors and not missed, "not found: " + ", ".join(missed)
    print(f"{len(errors)} errors found", flush=True)


def _verify(model, error=None):
    """Walks all states of a model; gives the number of states, and what was violated or None."""
    folder = os.path.join(paths.BUILD, "models", model)
    os.makedirs(folder, exist_ok=True)
    for words in (["spin", "-Pclang-19 -E -x c", *([f"-D{error}"] if error else []), "-a", os.path.join(MODELS, model + ".pml")],
                  ["clang-19", "-O2", "-w", "-DSAFETY", "-o", "pan", "pan.c"]):
        made = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert made.returncode == 0, (made.stdout + made.stderr)[-2000:]
    text = subprocess.run([os.path.join(folder, "pan"), "-m100000"], cwd=folder, capture_output=True, text=True).stdout
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+) states, stored", text)
    violated = re.search(r"pan:1: (.*)", text)
    assert errors and states and (violated is not None) == (errors[1] != "0"), text[-2000:]
    assert violated or ("Search not completed" not in text and "too small" not in text), text[-2000:]
    return int(states[1]), violated[1] if violated else None


def _model(model):
    states, violated = _verify(model)
    assert violated is None, f"{violated}; the steps to it: spin -t -p {os.path.join(MODELS, model)}.pml, in {os.path.join(paths.BUILD, 'models', model)}"
    figure = f"{model}: {states} states, all that are reachable"
    print(figure, flush=True)
    return figure


def _model_finds(model):
    with open(os.path.join(MODELS, model + ".pml"), encoding="utf-8") as file:
        errors = re.search(r"Errors: ([A-Z_, ]+)\.", file.read())[1].split(", ")
    assert len(errors) >= 3, "too few errors to say anything"
    found = {error: _verify(model, error) for error in errors}
    missed = [error for error, (_, violated) in found.items() if violated is None]
    assert not missed, "not found: " + ", ".join(missed)
    for error, (states, violated) in found.items():
        print(f"{model}, {error}: {violated}, after {states} states", flush=True)


def cases(context):
    built = []

    def compile_cores():
        build.build("host", targets=[os.path.basename(each) for each in (PROPERTIES, SEEDED_PROPERTIES, FUZZ, SEEDED_FUZZ)])
        built.append(True)

    yield "build", compile_cores
    if not built:
        return
    yield "properties", lambda: _properties(context)
    yield "properties find every error put in", _properties_find
    for core in WHOLE:
        yield f"fuzz {core}", lambda core=core: _fuzz_core(context, core)
    yield "fuzz finds every error put in", lambda: _fuzz_finds(context)
    for model in sorted(name.removesuffix(".pml") for name in os.listdir(MODELS)):
        yield f"model {model}", lambda model=model: _model(model)
        yield f"model {model} finds every error put in", lambda model=model: _model_finds(model)
