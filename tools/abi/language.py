"""The interface language of abi/*.abi: parsing and checking. abi/kernel.abi's head describes the language."""

import re
from dataclasses import dataclass, field

RIGHTS = ("duplicate", "transfer", "inspect", "read", "write", "execute", "map", "send", "receive", "start", "stop", "suspend",
          "resume", "acknowledge", "bind", "charge", "control")
KINDS = ("quota", "lease", "process", "thread", "space", "memory", "endpoint", "reply", "notification", "port", "budget", "irq",
         "io_space", "io_port", "device", "audit_log", "pager")
ERRORS = ("bad_handle", "wrong_kind", "missing_right", "revoked", "bad_argument", "bad_pointer", "no_memory", "no_slots", "exists",
          "not_found", "bad_state", "timed_out", "canceled", "peer_closed", "would_block", "too_large", "unknown_call",
          "not_supported", "changed", "denied", "broken", "io", "overflow")
SCALARS = ("u64", "u32", "i64", "bool")

REGISTERS = 6
MESSAGE_WORDS = 56
MESSAGE_HANDLES = 4

NAME = re.compile(r"[a-z][a-z0-9_]*$")
HANDLE = re.compile(r"(optional )?handle(?: (\w+))?(?: ?\{([a-z_, ]*)\})?$")
POINTER = re.compile(r"pointer (\w+) (in|out)$")
BYTES = re.compile(r"bytes(\d+)$")
RULE = re.compile(r"(?:(?P<word>multiple of|at most|at least|bits) (?P<number>\w+)|(?P<low>\d+) to (?P<high>\d+)|(?P<choice>one of)(?P<list>(?: \d+)+)|"
                  r"(?P<place>begins|ends) in (?P<object>\w+)|(?P<plain>not 0|mapped|rights held|a message)) else (?P<error>\w+)$")
# What a value can lie in: the half of the space that the call works on, or an object that the call names.
PLACES = ("half", "memory", "device", "io_port")


class InterfaceError(Exception):
    """An interface file breaks a rule; the text says where and which."""


@dataclass
class Type:
    """One type of the language. `category`: scalar, deadline, handle, slot, pointer, buffer, guest_address, bytes."""

    category: str
    name: str = ""          # scalar: u64...; handle: the kind or "any"; pointer: the struct
    rights: tuple = ()
    optional: bool = False
    direction: str = ""     # pointer, buffer: in or out
    size: int = 0           # bytes: how many

    @property
    def registers(self):
        return 2 if self.category == "buffer" else 1

    @property
    def words(self):
        """Words of a message that the field takes; handles travel beside the words."""
        if self.category in ("handle", "slot"):
            return 0
        return (self.size + 7) // 8 if self.category == "bytes" else 1


@dataclass
class Rule:
    """What the kernel asks of a value, and the error that it gives otherwise. `word` is the rule's name, `numbers` what it says."""

    word: str
    error: str
    numbers: tuple = ()
    place: str = ""


@dataclass
class Field:
    name: str
    type: Type
    text: str  # as written, for the reference page
    rules: tuple = ()


@dataclass
class Call:
    number: int
    name: str
    line: int
    doc: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    errors: list = None
    custom: bool = False
    loses_registers: bool = False
    short: bool = False


@dataclass
class Interface:
    name: str
    kernel: bool
    doc: list
    calls: list = field(default_factory=list)
    retired: list = field(default_factory=list)


def parse_type(text):
    if text in SCALARS:
        return Type("scalar", text)
    if text in ("deadline", "guest_address"):
        return Type(text, text)
    if match := POINTER.match(text):
        return Type("pointer", match[1], direction=match[2])
    if text in ("bytes in", "bytes out"):
        return Type("buffer", direction=text[6:])
    if match := BYTES.match(text):
        return Type("bytes", size=int(match[1]))
    if match := HANDLE.match(text):
        kind = match[2] or "any"
        rights = tuple(right.strip() for right in (match[3] or "").split(",") if right.strip())
        if kind == "slot":
            if match[1]:
                raise InterfaceError("a slot cannot be optional")
        elif kind != "any" and kind not in KINDS:
            raise InterfaceError(f"unknown kind of object '{kind}'")
        for right in rights:
            if right not in RIGHTS:
                raise InterfaceError(f"unknown right '{right}'")
        return Type("slot" if kind == "slot" else "handle", kind, rights, bool(match[1]))
    raise InterfaceError(f"unknown type '{text}'")


def parse_rule(text):
    match = RULE.match(text)
    if not match:
        raise InterfaceError(f"unknown rule '{text}'")
    if match["error"] not in ERRORS:
        raise InterfaceError(f"unknown error '{match['error']}'")
    if match["word"]:
        return Rule(match["word"], match["error"], (int(match["number"], 0),))
    if match["low"]:
        return Rule("to", match["error"], (int(match["low"]), int(match["high"])))
    if match["choice"]:
        return Rule("one of", match["error"], tuple(int(number) for number in match["list"].split()))
    if match["place"]:
        if match["object"] not in PLACES:
            raise InterfaceError(f"nothing begins or ends in '{match['object']}'")
        return Rule(match["place"], match["error"], place=match["object"])
    return Rule(match["plain"], match["error"])


class Parser:
    def __init__(self, text, path):
        self.path = path
        self.interface = None
        self.call = None
        self.doc = []
        for number, line in enumerate(text.splitlines(), 1):
            self.number = number
            try:
                self.line(line)
            except InterfaceError as error:
                raise InterfaceError(f"{path}:{number}: {error}") from None
        if self.interface is None:
            raise InterfaceError(f"{path}: no interface")
        self.finish_call()
        check(self.interface, path)

    def line(self, line):
        stripped = line.strip()
        if stripped.startswith("#"):
            if self.interface is None:
                self.doc.append(stripped.lstrip("#").strip())
            return
        if not stripped:
            return
        word, _, rest = stripped.partition(" ")
        rest = rest.strip()
        handler = getattr(self, "word_" + word, None)
        if handler is None:
            raise InterfaceError(f"unknown word '{word}'")
        if word not in ("interface", "call", "retired") and self.call is None:
            raise InterfaceError(f"'{word}' outside a call")
        handler(rest)

    def word_interface(self, rest):
        if self.interface is not None:
            raise InterfaceError("a second interface in one file")
        parts = rest.split()
        if len(parts) not in (1, 2) or not NAME.match(parts[0]) or parts[1:] not in ([], ["kernel"]):
            raise InterfaceError("expected: interface NAME [kernel]")
        self.interface = Interface(parts[0], len(parts) == 2, self.doc)

    def word_call(self, rest):
        if self.interface is None:
            raise InterfaceError("a call before the interface's name")
        self.finish_call()
        parts = rest.split()
        if len(parts) != 2 or not parts[0].isdigit() or not NAME.match(parts[1]):
            raise InterfaceError("expected: call NUMBER NAME")
        self.call = Call(int(parts[0]), parts[1], self.number)

    def word_retired(self, rest):
        if self.interface is None or not rest.isdigit():
            raise InterfaceError("expected: retired NUMBER")
        self.finish_call()
        self.interface.retired.append(int(rest))

    def word_doc(self, rest):
        if rest:
            self.call.doc.append(rest)

    def word_in(self, rest):
        self.call.inputs.append(self.parse_field(rest, self.call.inputs))

    def word_out(self, rest):
        self.call.outputs.append(self.parse_field(rest, self.call.outputs))

    def word_errors(self, rest):
        if self.call.errors is not None:
            raise InterfaceError("a second list of errors")
        names = [name.strip() for name in rest.split(",")]
        self.call.errors = [] if names == ["none"] else names
        for name in self.call.errors:
            if name not in ERRORS:
                raise InterfaceError(f"unknown error '{name}'")

    def word_flags(self, rest):
        if rest == "custom":
            self.call.custom = True
        elif rest == "loses registers":
            self.call.loses_registers = True
        elif rest == "short":
            self.call.short = True
        else:
            raise InterfaceError(f"unknown flag '{rest}'")

    def parse_field(self, rest, fields):
        name, separator, text = rest.partition(":")
        name = name.strip()
        if not separator or not NAME.match(name):
            raise InterfaceError("expected: NAME: TYPE")
        if any(other.name == name for other in fields):
            raise InterfaceError(f"two arguments named '{name}'")
        text = " ".join(text.split())
        kind, *rules = (part.strip() for part in text.split(";"))
        item = Field(name, parse_type(kind), text, tuple(parse_rule(rule) for rule in rules))
        if item.rules and item.type.category not in ("scalar", "buffer"):
            raise InterfaceError(f"{name}: rules are for numbers and for the length of bytes")
        return item

    def finish_call(self):
        if self.call is not None:
            self.interface.calls.append(self.call)
        self.call = None


def check(interface, path):
    """What can only be judged when a call is complete."""
    numbers, names = set(interface.retired), set()
    if len(numbers) != len(interface.retired):
        raise InterfaceError(f"{path}: a number is retired twice")
    for call in interface.calls:
        def refuse(reason):
            raise InterfaceError(f"{path}:{call.line}: call {call.name}: {reason}")

        if call.number == 0:
            refuse("0 is no number of a call")
        if call.number in interface.retired:
            refuse(f"number {call.number} is retired")
        if call.number in numbers:
            refuse(f"number {call.number} is used twice")
        if call.name in names:
            refuse("the name is used twice")
        numbers.add(call.number)
        names.add(call.name)
        if not call.doc:
            refuse("no doc")
        if call.errors is None:
            refuse("no errors")
        if interface.kernel:
            check_kernel_call(call, refuse)
        else:
            check_message(call, refuse)


def check_kernel_call(call, refuse):
    for item in call.inputs:
        for rule in item.rules:
            if rule.error not in call.errors:
                refuse(f"{item.name}: its rule gives {rule.error}, which is not among the call's errors")
        if item.type.category == "bytes":
            refuse(f"{item.name}: kernel calls take bytes by address: 'bytes in' or 'bytes out'")
    if len(call.outputs) > 1:
        refuse("more than one value comes back")
    for item in call.outputs:
        if item.type.category not in ("scalar", "handle"):
            refuse(f"{item.name}: only numbers and handles come back")
    if not call.custom and sum(item.type.registers for item in call.inputs) > REGISTERS:
        refuse(f"more than {REGISTERS} registers")


def check_message(call, refuse):
    if call.custom or call.loses_registers or call.short:
        refuse("flags are for kernel calls")
    for fields in (call.inputs, call.outputs):
        for item in fields:
            if item.rules:
                refuse(f"{item.name}: rules are for kernel calls")
            if item.type.category not in ("scalar", "handle", "bytes"):
                refuse(f"{item.name}: a message has numbers, bytesN and handles only")
        if message_words(fields) > MESSAGE_WORDS:
            refuse(f"more than {MESSAGE_WORDS} words")
        if sum(item.type.category == "handle" for item in fields) > MESSAGE_HANDLES:
            refuse(f"more than {MESSAGE_HANDLES} handles")


def message_words(fields):
    """Words of a message: where handles are optional, one word in front says which are there."""
    return sum(item.type.words for item in fields) + int(has_optional(fields))


def has_optional(fields):
    return any(item.type.optional for item in fields)


def parse(text, path="<text>"):
    return Parser(text, path).interface
