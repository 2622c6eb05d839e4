"""The support tables of the book, made from the tables that the code itself uses, so neither can say what the other does not.

Linux' system calls come from linux/calls/*.inc, the paths of Docker's API from services/engine/router.cpp, the settings of a container from services/engine/request_fields.inc. A row that this reader does not
understand is an error: a table that silently lost a line would be worse than none.
"""

import glob
import os
import re

from . import paths

_CALL = re.compile(r'(FULL|PARTIAL|REFUSED|MISSING)\((\d+), (\w+)(?:, "((?:[^"\\]|\\.)*)")?\)')
_ROUTE = re.compile(r'Route\{"(\w+)", "(\w+)", "(\w*)", (true|false), (\w+)(?:, "([^"]*)")?\}')
_ABSENT = re.compile(r'Absent\{"(\w+)", "([^"]*)"\}')
_FIELD = re.compile(r'(HONOURED|NO_EFFECT|REFUSED)\("([\w.*\[\]]+)"\)')
_TREATMENTS = {"HONOURED": "read", "NO_EFFECT": "no effect, with a warning", "REFUSED": "400"}
_LEVELS = {"FULL": "yes", "PARTIAL": "in part", "REFUSED": "refused", "MISSING": "no"}


def linux_calls(texts):
    """[(number, name, level, note)] by number, of the texts of linux/calls/*.inc."""
    rows = {}
    for text in texts:
        for line in text.splitlines():
            line = line.strip()
            if not line or line.startswith("//"):
                continue
            found = _CALL.fullmatch(line)
            if not found or (found[1] == "PARTIAL") != bool(found[4]):
                raise ValueError(f"not a row of the call table: {line}")
            if int(found[2]) in rows:
                raise ValueError(f"two rows of call {found[2]}")
            rows[int(found[2])] = (int(found[2]), found[3], _LEVELS[found[1]], found[4] or "")
    return [rows[number] for number in sorted(rows)]


def docker_paths(text):
    """[(method, path, missing feature or "")], [(first segment, missing feature)] of the text of the router."""
    routes = [(found[1], _path(found), found[6] or "" if found[5] == "nullptr" else "") for found in _ROUTE.finditer(text)]
    absent = [(found[1], found[2]) for found in _ABSENT.finditer(text)]
    if len(routes) != text.count(" Route{\"") or len(absent) != text.count(" Absent{\""):
        raise ValueError("services/engine/router.cpp has a row that is written differently from the others")
    return routes, absent


def container_settings(text):
    """[(path of the setting, what is made of it)] of the text of services/engine/request_fields.inc, in its order."""
    rows = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("//"):
            continue
        found = _FIELD.fullmatch(line.strip())
        if not found or found[2] in (path for path, _ in rows):
            raise ValueError(f"not a row of the settings, or one that is there twice: {line}")
        rows.append((found[2], _TREATMENTS[found[1]]))
    return rows


def _path(found):
    name = "{name}" if found[4] == "true" else ""
    return "/" + "/".join(filter(None, (found[2], name, found[3])))


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def linux_page(texts):
    rows = linux_calls(texts)
    count = {level: sum(row[2] == level for row in rows) for level in _LEVELS.values()}
    return (
        "# Linux system calls\n\n"
        "Made from `linux/calls/*.inc`, the table by which the personality itself finds its handlers.\n\n"
        f"Of {len(rows)} calls of x86_64 Linux (0 to {rows[-1][0]}), {count['yes']} are there, {count['in part']} in part, "
        f"{count['refused']} are refused by `EPERM`, for on Linux they need a capability that no container has here, and {count['no']} answer `ENOSYS`. *In part* has a note that says what is missing; that part gives Linux' own error for it.\n\n"
        + _table(("number", "call", "there", "note"), [(row[0], f"`{row[1]}`", row[2], row[3]) for row in rows])
    )


def docker_page(text):
    routes, absent = docker_paths(text)
    there = [(method, f"`{path}`") for method, path, missing in routes if not missing]
    missing = [(method, f"`{path}`", what) for method, path, what in routes if what]
    missing += [("any", f"`/{first}` ...", what) for first, what in absent]
    return (
        "# Paths of the Docker Engine API\n\n"
        "Made from `services/engine/router.cpp`, the table by which the engine finds its handlers. Every path also works with a version in front (`/v1.43/...`).\n\n"
        "## There\n\n" + _table(("method", "path"), there)
        + "\n## Refused\n\nWith status 501 and a sentence that names the feature.\n\n"
        + _table(("method", "path", "what it would be"), missing)
        + "\nAny other path is 404; a path that is there for other methods alone is 405.\n"
    )


def settings_page(text):
    rows = container_settings(text)
    return (
        "# Settings of a container\n\n"
        "Made from `services/engine/request_fields.inc`, the table by which the engine checks the body of `POST /containers/create`. `*` is any member of a map, `[]` any element of a list.\n\n"
        "*read*: it works, or its value is refused with a sentence ([options of the commands](../book/support.md)). Any other setting is refused by its name where it asks for something, at any "
        "depth, and brings a warning where it does not.\n\n"
        + _table(("setting", "here"), [(f"`{path}`", what) for path, what in rows])
    )


def write(folder):
    """linux-calls.md, docker-paths.md and container-settings.md into `folder`, which exists."""
    texts = []
    for name in sorted(glob.glob(os.path.join(paths.TOP, "linux", "calls", "*.inc"))):
        with open(name, encoding="utf-8") as file:
            texts.append(file.read())
    with open(os.path.join(paths.TOP, "services", "engine", "router.cpp"), encoding="utf-8") as file:
        router = file.read()
    with open(os.path.join(paths.TOP, "services", "engine", "request_fields.inc"), encoding="utf-8") as file:
        settings = file.read()
    for name, page in (("linux-calls.md", linux_page(texts)), ("docker-paths.md", docker_page(router)), ("container-settings.md", settings_page(settings))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(page)
