"""Keeps results of whole runs in docs/results/ (`--record` of `./xt test --full NAME` and of `./xt bench`)."""

import os
import subprocess
import time

from . import paths

_FOLDER = os.path.join(paths.TOP, "docs", "results")
_CAMPAIGNS = os.path.join(_FOLDER, "campaigns.md")
_BENCH = os.path.join(_FOLDER, "bench.md")


def commit():
    """The commit that is checked out, with `+` where files differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", paths.TOP, *words], capture_output=True, text=True).stdout.strip()
    changed = git("status", "--porcelain", "--", ".", ":!docs/results")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def _today():
    return time.strftime("%Y-%m-%d", time.gmtime())


def add_campaign(results):
    """One row for each suite of `results` (the rows that ./xt test keeps): the newest stands last."""
    suites = {}
    for row in results:
        suites.setdefault(row["suite"], []).append(row)
    with open(_CAMPAIGNS, "a", encoding="utf-8") as file:
        for suite, rows in suites.items():
            failed = [row["case"] for row in rows if row["error"]]
            outcome = f"{len(rows) - len(failed)} passed, {len(failed)} failed" + (": " + ", ".join(failed) if failed else "")
            outcome = "; ".join([outcome, *(row["figure"] for row in rows if row["figure"])])
            file.write(f"| {_today()} | `{commit()}` | `{suite}` | {outcome} | {sum(row['seconds'] for row in rows):.0f} s |\n")


def write_bench(rows, accel, cpu):
    """The page of figures; a benchmark that did not run now keeps the section that it has. `cpu`: what the host says of its processor."""
    sections = _sections()
    for bench in dict.fromkeys(row["bench"] for row in rows):
        lines = [f"`./xt bench {bench}`, {_today()}, commit `{commit()}`, `-accel {accel}`, {os.cpu_count()} CPUs: {cpu}", "", "| figure | value |", "|---|---:|"]
        lines += [f"| {row['figure']} | {row['value']} {row['unit']} |" for row in rows if row["bench"] == bench]
        sections[bench] = "\n".join(lines)
    with open(_BENCH, "w", encoding="utf-8") as file:
        file.write("# Figures\n\nWritten by `./xt bench --record`. What the rows mean: [measuring](../book/measuring.md).\n")
        for bench, text in sorted(sections.items()):
            file.write(f"\n## {bench}\n{text}\n")


def _sections():
    if not os.path.exists(_BENCH):
        return {}
    with open(_BENCH, encoding="utf-8") as file:
        parts = file.read().split("\n## ")[1:]
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}
