"""Runs benchmarks: NAME is a folder of bench/ with a bench.py (`--list` shows them).

A bench.py has a docstring and `def figures(context): yield "figure", value, "unit"`. The results are added to build/bench/history.jsonl."""

import importlib.util
import json
import os
import time

from . import build, paths, qemu, results, suites
from .shell import Failure


def add(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--list", action="store_true", help="show the benchmarks")
    parser.add_argument("--no-build", action="store_true", help="measure what was built last")
    parser.add_argument("--accel", choices=["auto", "tcg", "kvm"], default="auto", help="default auto")
    parser.add_argument("--json", action="store_true", help="the figures as JSON, the last line")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/results/")


def discover():
    found = {}
    folder = os.path.join(paths.TOP, "bench")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name, "bench.py")
        if os.path.exists(path):
            specification = importlib.util.spec_from_file_location("bench_" + name, path)
            found[name] = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(found[name])
    return found


def run(arguments):
    known = discover()
    if arguments.list:
        for name, module in known.items():
            print(f"{name:16} {suites.summary(module)}")
        return 0
    for name in arguments.names:
        if name not in known:
            raise Failure(f"no benchmark '{name}'; there are {', '.join(known) or 'none'}")
    if not arguments.no_build:
        build.build_node()
    accel = qemu.accelerator(arguments.accel)
    context = suites.Context(True, accel)
    rows = []
    try:
        for name in arguments.names or known:
            for figure, value, unit in known[name].figures(context):
                rows.append({"bench": name, "figure": figure, "value": value, "unit": unit})
                print(f"{name:12} {figure:40} {value:>14} {unit}", flush=True)
    finally:
        context.close()
        if rows:
            os.makedirs(os.path.join(paths.BUILD, "bench"), exist_ok=True)
            with open(os.path.join(paths.BUILD, "bench", "history.jsonl"), "a", encoding="utf-8") as file:
                file.write(json.dumps({"commit": results.commit(), "time": int(time.time()), "accel": accel, "figures": rows}) + "\n")
    if arguments.record:
        results.write_bench(rows, accel, _host_cpu())
    if arguments.json:
        print(json.dumps(rows))
    return 0


def _host_cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown"
