"""Shows the node's own figures (GET /themelios/node)."""

import json

from . import api, node


def add(parser):
    parser.add_argument("--json", action="store_true", help="as the API gives it")


def _lines(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _lines(inner, f"{name}[{index}]")
    else:
        yield f"{name:40} {value}"


def run(arguments):
    figures = api.get_json(node.need_running()["api"], "/themelios/node")
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(_lines(figures)))
