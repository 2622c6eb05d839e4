"""A figure of the kernel's layers, drawn from what its files include: each layer uses only those below it."""

import os
import re
from collections import Counter
from xml.sax.saxutils import escape

from check import dependencies

# The top folder's name → what is there, in a few words.
LAYERS = {
    "init": "the first process and what it holds",
    "call": "the calls: arguments decoded, rights checked",
    "device": "memory and ports of devices, interrupts, what devices may reach",
    "audit": "the audit log",
    "restricted": "restricted mode: guests and their personality",
    "ipc": "endpoints, replies, notifications, ports",
    "thread": "threads, processes, budgets, the scheduler, futexes",
    "space": "address spaces, Memories, translations",
    "object": "handles, leases, quotas, how objects end",
    "memory": "frames, the kernel's own map, the heap",
    "core": "state without a machine: the host's tests walk it",
    "arch": "the machine",
}
LEFT, WIDTH, HEIGHT, GAP = 20, 430, 30, 14


def includes(top):
    """How many times a file of one layer includes one of another: {(from, to): count}. Tests aside."""
    found = Counter()
    for layer in dependencies.KERNEL_LAYERS:
        for folder, _, names in os.walk(os.path.join(top, "kernel", layer)):
            for name in names:
                if not name.endswith(dependencies.SOURCES) or "_test." in name:
                    continue
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    for target in re.findall(r'^\s*#\s*include\s*"kernel/(\w+)[/.]', file.read(), re.MULTILINE):
                        if target in dependencies.KERNEL_LAYERS and target != layer:
                            found[layer, target] += 1
    return found


def draw(edges):
    """The figure as SVG. A ValueError where a layer has no words here, or uses one above it."""
    order = list(reversed(dependencies.KERNEL_LAYERS))
    if set(order) != set(LAYERS):
        raise ValueError(f"layers and their words differ: {sorted(set(order) ^ set(LAYERS))}")
    place = {layer: 20 + index * (HEIGHT + GAP) for index, layer in enumerate(order)}
    height = 20 + len(order) * (HEIGHT + GAP)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="13">',
             '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#567"/></marker></defs>']
    for (begin, end), count in sorted(edges.items()):
        if place[end] <= place[begin]:
            raise ValueError(f"kernel/{begin} includes kernel/{end}, which lies above it")
        right, from_y, to_y = LEFT + WIDTH, place[begin] + HEIGHT * 0.7, place[end] + HEIGHT * 0.3
        bend = right + 20 + 0.6 * (to_y - from_y)
        lines.append(f'<path d="M{right} {from_y:.0f} C{bend:.0f} {from_y:.0f} {bend:.0f} {to_y:.0f} {right} {to_y:.0f}" fill="none" stroke="#567" stroke-opacity="0.55" '
                     f'stroke-width="{min(0.8 + count / 12, 4):.1f}" marker-end="url(#end)"><title>{begin} includes {end}: {count}</title></path>')
    for layer, y in place.items():
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#eef3f7" stroke="#567"/>'
                     f'<text x="{LEFT + 10}" y="{y + 20}"><tspan font-weight="bold">{layer}/</tspan><tspan dx="8">{escape(LAYERS[layer])}</tspan></text>')
    return "\n".join([*lines, "</svg>", ""])


def write(top, path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(includes(top)))
