"""Reference pages for people, and the tables that trace decoders read."""

import json


def page(interface, source):
    title = "Kernel calls" if interface.kernel else f"Protocol `{interface.name}`"
    text = f"# {title}\n\nMade from `{source}`.\n\n"
    if not interface.kernel:
        text += " ".join(interface.doc) + "\n\n"
    for call in interface.calls:
        text += f"## {call.number} {call.name}\n\n" + " ".join(call.doc) + "\n\n"
        if call.custom:
            text += "Has a register convention of its own.\n\n"
        if call.loses_registers:
            text += "Keeps `rsp` and `rbp` alone.\n\n"
        rows = [("in", item) for item in call.inputs] + [("out", item) for item in call.outputs]
        if rows:
            text += "| | name | type |\n|---|---|---|\n"
            text += "".join(f"| {direction} | `{item.name}` | {item.text} |\n" for direction, item in rows) + "\n"
        text += "Errors: " + (", ".join(f"`{error}`" for error in call.errors) or "none") + ".\n\n"
    if interface.retired:
        text += "Retired numbers: " + ", ".join(str(number) for number in interface.retired) + ".\n"
    return text


def trace_table(interfaces):
    table = {}
    for interface in interfaces:
        table[interface.name] = {
            str(call.number): {
                "name": call.name,
                "in": [{"name": item.name, "type": item.text, "registers": item.type.registers} for item in call.inputs],
                "out": [{"name": item.name, "type": item.text} for item in call.outputs],
            } for call in interface.calls
        }
    return json.dumps(table, indent=1, sort_keys=True) + "\n"
