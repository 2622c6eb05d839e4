"""Small helpers that all outputs share."""

import os

HEAD = "// Made by tools/abi from {source}. Changes belong there.\n"


def pascal(name):
    return "".join(part.capitalize() for part in name.split("_"))


# Kinds whose class in the kernel is not simply the name in PascalCase.
def kind_class(kind):
    return "Object" if kind == "any" else pascal(kind)


def rights_expression(rights):
    return " | ".join(f"abi::right::{right}" for right in rights) if rights else "0"


def scalar_type(name):
    return {"u64": "std::uint64_t", "u32": "std::uint32_t", "i64": "std::int64_t", "bool": "bool"}[name]


def comment(lines, indent=""):
    return "".join(f"{indent}// {line}\n" for line in lines)


def write(folder, path, text):
    """Leaves an unchanged file alone, so that nothing is compiled again for it."""
    target = os.path.join(folder, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        with open(target, encoding="utf-8") as old:
            if old.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(target, "w", encoding="utf-8") as new:
        new.write(text)
