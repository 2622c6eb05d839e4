#!/usr/bin/env python3
"""Makes the code and pages of the interface files: generate.py --out FOLDER FILE.abi..."""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kernel_output
import protocol_output
import reference
from language import InterfaceError, parse
from text import write


def generate(out, paths):
    interfaces = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            interface = parse(file.read(), path)
        source = "abi/" + os.path.basename(path)
        if any(other.name == interface.name for other in interfaces):
            raise InterfaceError(f"{path}: interface {interface.name} is there twice")
        interfaces.append(interface)
        if interface.kernel:
            write(out, "abi/kernel_calls.hpp", kernel_output.numbers(interface, source))
            write(out, "kernel/handlers.inc", kernel_output.handlers(interface, source))
            write(out, "kernel/dispatch_table.inc", kernel_output.dispatch_table(interface, source))
            write(out, "native/kernel_stubs.hpp", kernel_output.stubs(interface, source))
            write(out, "native/call_table.hpp", kernel_output.call_table(interface, source))
            write(out, "tests/kernel_negative.inc", kernel_output.negative(interface, source))
        else:
            write(out, f"abi/{interface.name}_messages.hpp", protocol_output.messages(interface, source))
            write(out, f"abi/{interface.name}_client.hpp", protocol_output.client(interface, source))
            write(out, f"abi/{interface.name}_server.hpp", protocol_output.server(interface, source))
        write(out, f"docs/reference/{interface.name}.md", reference.page(interface, source))
    write(out, "native/message.hpp", protocol_output.MESSAGE)
    write(out, "trace/interfaces.json", reference.trace_table(interfaces))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder for what is made")
    parser.add_argument("files", nargs="+", help="interface files")
    arguments = parser.parse_args()
    try:
        generate(arguments.out, arguments.files)
    except (InterfaceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
