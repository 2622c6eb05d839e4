"""Runs the tests: NAME is a suite (`--list` shows them) or SUITE/CASE.

The last line is `N passed, N failed`."""

import json
import time
import traceback

from . import build, qemu, results as kept, suites
from .shell import Failure


def add(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help="suites or SUITE/CASE (default: all but the full ones)")
    parser.add_argument("--full", action="store_true", help="what takes long too")
    parser.add_argument("--list", action="store_true", help="show the suites")
    parser.add_argument("--no-build", action="store_true", help="test what was built last")
    parser.add_argument("--accel", choices=["auto", "tcg", "kvm"], default="tcg", help="of nodes that are booted (default tcg)")
    parser.add_argument("--json", action="store_true", help="the result as JSON, before the last line")
    parser.add_argument("--record", action="store_true", help="with --full NAME: keep the outcome in docs/results/")


def _select(names, known, full):
    """Suite → the cases asked for (None: all)."""
    if not names:
        return {name: None for name, module in known.items() if full or not getattr(module, "FULL", False)}
    chosen = {}
    for name in names:
        suite, _, case = name.partition("/")
        if suite not in known:
            raise Failure(f"no suite '{suite}'; there are {', '.join(known)}")
        if getattr(known[suite], "FULL", False) and not full:
            raise Failure(f"'{suite}' takes long: ./xt test --full {suite}")
        if not case:
            chosen[suite] = None
        elif chosen.get(suite, []) is not None:
            chosen.setdefault(suite, []).append(case)
    return chosen


def run(arguments):
    known = suites.discover()
    if arguments.list:
        for name, module in known.items():
            print(f"{name:16} {suites.summary(module)}{' (full)' if getattr(module, 'FULL', False) else ''}")
        return 0
    chosen = _select(arguments.names, known, arguments.full)
    if arguments.record and not (arguments.full and all(wanted is None for wanted in chosen.values())):
        raise Failure("only whole suites in their long form are recorded: ./xt test --full NAME --record")
    if not arguments.no_build and any(not getattr(known[name], "OWN_BUILD", False) for name in chosen):
        build.build_node()
    context = suites.Context(arguments.full, qemu.accelerator(arguments.accel))
    results = []
    try:
        for suite, wanted in chosen.items():
            _run_suite(suite, known[suite], wanted, context, results)
    finally:
        context.close()
    failed = [row for row in results if row["error"]]
    if failed:
        print("\nfailed:")
        for row in failed:
            print(f"  {row['suite']}/{row['case']}")
    if arguments.json:
        print(json.dumps(results))
    if arguments.record:
        kept.add_campaign(results)
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not results else 0


def _run_suite(suite, module, wanted, context, results):
    def record(case, error, seconds, figure=None):
        results.append({"suite": suite, "case": case, "error": error, "seconds": round(seconds, 3), "figure": figure if isinstance(figure, str) else None})
        print(f"{'FAIL' if error else 'ok  '} {suite}/{case} ({seconds:.1f} s)", flush=True)
        if error:
            log = context.node_log()
            text = error + (f"\n--- the end of the node's serial port\n{log}" if log else "") + f"\nagain: ./xt test '{suite}/{case}'"
            print("     " + text.replace("\n", "\n     "), flush=True)

    ran = set()
    try:
        for case, function in module.cases(context):
            # What a suite builds is needed by every case behind it.
            if wanted is not None and case not in wanted and case != "build":
                continue
            ran.add(case)
            begin = time.monotonic()
            try:
                figure = function()
                record(case, None, time.monotonic() - begin, figure)
            except (AssertionError, Failure) as error:
                record(case, str(error) or traceback.format_exc(), time.monotonic() - begin)
            except Exception:
                record(case, traceback.format_exc(), time.monotonic() - begin)
    except Exception:
        record("(suite)", traceback.format_exc(), 0)
    for case in set(wanted or ()) - ran:
        record(case, "there is no such case", 0)
