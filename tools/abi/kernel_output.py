"""What the kernel and its callers get from a kernel interface: numbers, decoders, user stubs, negative tests."""

from text import HEAD, comment, kind_class, rights_expression, scalar_type

# The table has a power of two of entries, so that an index from user mode can be clamped with a mask.
def table_size(interface):
    highest = max(call.number for call in interface.calls)
    size = 1
    while size <= highest:
        size *= 2
    return size


def numbers(interface, source):
    rows = "".join(f"    {call.name} = {call.number},\n" for call in interface.calls)
    names = "".join(f'    case KernelCall::{call.name}: return "{call.name}";\n' for call in interface.calls)
    return (HEAD.format(source=source) + "#pragma once\n#include <cstdint>\n\nnamespace abi {\n\n"
            "enum class KernelCall : std::uint32_t {\n" + rows + "};\n"
            f"inline constexpr std::uint32_t kernel_call_limit = {max(call.number for call in interface.calls) + 1};\n\n"
            "// The name of a call for traces; \"unknown\" for a number that names none.\n"
            "constexpr const char* kernel_call_name(std::uint64_t number) {\n"
            "    switch (static_cast<KernelCall>(number < kernel_call_limit ? number : 0)) {\n" + names +
            "    }\n    return \"unknown\";\n}\n\n} // namespace abi\n")


def handler_parameter(item):
    kind = item.type
    if kind.category == "scalar":
        return scalar_type(kind.name)
    return {
        "deadline": lambda: "abi::Deadline",
        "guest_address": lambda: "std::uint64_t",
        "slot": lambda: "abi::Handle",
        "handle": lambda: f"Held<{kind_class(kind.name)}>",
        "pointer": lambda: f"UserPointer<abi::{kind.name}>",
        "buffer": lambda: "UserBytes",
    }[kind.category]()


def handlers(interface, source):
    text = HEAD.format(source=source)
    text += "// Declarations of the handlers, for inclusion in namespace kernel where Held, UserPointer and UserBytes are known.\n"
    for call in interface.calls:
        text += "\n" + comment(call.doc) + comment(["Errors: " + (", ".join(call.errors) or "none") + "."])
        if call.custom:
            text += f"base::Result<void> {call.name}(Thread& caller);\n"
            continue
        parameters = "".join(f", {handler_parameter(item)} {item.name}" for item in call.inputs)
        text += f"base::Result<std::uint64_t> call_{call.name}(Thread& caller{parameters});\n"
    return text


def decode(item, register):
    """The statements that turn one argument into its typed form, and the expression that names it then."""
    kind, name, word = item.type, item.name, f"arguments[{register}]"
    if kind.category == "scalar" and kind.name == "u32":
        return f"    const std::uint32_t {name} = TRY(decode_u32({word}));\n", name
    if kind.category == "scalar" and kind.name == "bool":
        return f"    const bool {name} = TRY(decode_bool({word}));\n", name
    if kind.category == "scalar" and kind.name == "i64":
        return f"    const auto {name} = static_cast<std::int64_t>({word});\n", name
    if kind.category == "handle":
        rights = rights_expression(kind.rights)
        if kind.name == "any":
            look_up = f"lookup_any(caller, {word}, {rights})"
        else:
            function = "lookup_optional" if kind.optional else "lookup"
            look_up = f"{function}<{kind_class(kind.name)}>(caller, {word}, {rights})"
        return f"    auto {name} = TRY({look_up});\n", f"std::move({name})"
    if kind.category == "pointer":
        check = f"    TRY(decode_range({word}, sizeof(abi::{kind.name})));\n"
        return check + f"    const UserPointer<abi::{kind.name}> {name}({word});\n", name
    if kind.category == "buffer":
        length = f"arguments[{register + 1}]"
        return f"    TRY(decode_range({word}, {length}));\n    const UserBytes {name}{{{word}, {length}}};\n", name
    return f"    const std::uint64_t {name} = {word};\n", name


DECODE_HELPERS = """
namespace decoders {

// The six words where the entry saved them: rdi, rsi, rdx, r10, r8, r9.
class Arguments {
public:
    explicit Arguments(const arch::Registers& registers) : registers_(registers) {}
    std::uint64_t operator[](unsigned number) const {
        switch (number) {
        case 0: return registers_.rdi;
        case 1: return registers_.rsi;
        case 2: return registers_.rdx;
        case 3: return registers_.r10;
        case 4: return registers_.r8;
        default: return registers_.r9;
        }
    }

private:
    const arch::Registers& registers_;
};
using Decoder = base::Result<std::uint64_t> (*)(Thread&, Arguments);

inline base::Result<std::uint32_t> decode_u32(std::uint64_t word) {
    if (word >> 32) return std::unexpected(abi::Error::bad_argument);
    return static_cast<std::uint32_t>(word);
}
inline base::Result<bool> decode_bool(std::uint64_t word) {
    if (word > 1) return std::unexpected(abi::Error::bad_argument);
    return word == 1;
}
// A range that is not within the personality half is refused before anything is done; whether it is mapped shows when it is copied.
inline base::Result<void> decode_range(std::uint64_t address, std::uint64_t length) {
    const bool inside = arch::personality_half().contains(address, length) || base::weakened(base::Weakness::native_pointer);
    if (length != 0 && !inside) return std::unexpected(abi::Error::bad_pointer);
    return {};
}
"""


def dispatch_table(interface, source):
    text = HEAD.format(source=source)
    text += "// For inclusion in namespace kernel. Each decoder checks all arguments, in order, before the handler is called.\n"
    text += DECODE_HELPERS
    plain = [call for call in interface.calls if not call.custom]
    for call in plain:
        arguments = "arguments" if call.inputs else ""
        name, place = (call.name + "_generally", "[[gnu::noinline]] ") if call.short else (call.name, "")
        text += f"\n{place}base::Result<std::uint64_t> {name}(Thread& caller, Arguments {arguments}) {{\n"
        register, expressions = 0, ["caller"]
        for item in call.inputs:
            statements, expression = decode(item, register)
            text += statements
            expressions.append(expression)
            register += item.type.registers
        text += f"    return call_{call.name}({', '.join(expressions)});\n}}\n"
        if call.short:
            words = "".join(f", arguments[{number}]" for number in range(register))
            text += f"base::Result<std::uint64_t> {call.name}(Thread& caller, Arguments arguments) {{\n    std::uint64_t value = 0;\n"
            text += f"    if (short_ways::{call.name}(caller{words}, value)) [[likely]] return value;\n    [[clang::musttail]] return {name}(caller, arguments);\n}}\n"
    size = table_size(interface)
    by_number = {call.number: call for call in plain}
    rows = "".join(f"    {by_number[number].name if number in by_number else 'unknown'},\n" for number in range(size))
    text += "\nbase::Result<std::uint64_t> unknown(Thread&, Arguments) { return std::unexpected(abi::Error::unknown_call); }\n"
    text += f"\nconstexpr std::size_t table_size = {size};\n"
    text += "constexpr Decoder table[table_size] = {\n" + rows + "};\n\n} // namespace decoders\n"
    custom = "".join(f"    case {call.number}: return {call.name}(caller);\n" for call in interface.calls if call.custom)
    text += f"""
// Calls with a register convention of their own.
constexpr bool is_custom_call(std::uint64_t number) {{
    return {' || '.join(f'number == {call.number}' for call in interface.calls if call.custom) or 'false'};
}}
base::Result<void> dispatch_custom(Thread& caller, std::uint64_t number) {{
    switch (number) {{
{custom}    }}
    return std::unexpected(abi::Error::unknown_call);
}}

// All other calls. Errors: unknown_call, and those of the call.
base::Result<std::uint64_t> dispatch(Thread& caller, std::uint64_t number, const arch::Registers& registers) {{
    if (number >= decoders::table_size) return std::unexpected(abi::Error::unknown_call);
    return decoders::table[index_within<decoders::table_size>(number)](caller, decoders::Arguments(registers));
}}
"""
    return text


def stub_parameter(item):
    kind = item.type
    if kind.category == "scalar":
        return scalar_type(kind.name), [f"static_cast<std::uint64_t>({item.name})"]
    if kind.category == "pointer":
        constant = "const " if kind.direction == "in" else ""
        return f"{constant}abi::{kind.name}&", [f"reinterpret_cast<std::uint64_t>(&{item.name})"]
    if kind.category == "buffer":
        constant = "const " if kind.direction == "in" else ""
        return f"std::span<{constant}std::byte>", [f"reinterpret_cast<std::uint64_t>({item.name}.data())", f"{item.name}.size()"]
    return {"deadline": "abi::Deadline", "guest_address": "std::uint64_t", "handle": "abi::Handle", "slot": "abi::Handle"}[
        kind.category], [item.name]


STUB_HEAD = """#pragma once
#include "abi/audit.hpp"
#include "abi/info.hpp"
#include "abi/kernel_calls.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace native::call {

struct RawResult {
    std::int64_t status; // 0 or a negative abi::Error
    std::uint64_t value;
};

#if defined(THEMELIOS_HOST)
// On the build machine a test supplies the kernel.
RawResult raw(abi::KernelCall number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e, std::uint64_t f);
inline RawResult raw_losing_registers(abi::KernelCall number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e,
                                      std::uint64_t f) {
    return raw(number, a, b, c, d, e, f);
}
#else
inline RawResult raw(abi::KernelCall number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e,
                     std::uint64_t f) {
    RawResult result;
    register std::uint64_t r10 asm("r10") = d;
    register std::uint64_t r8 asm("r8") = e;
    register std::uint64_t r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result.status), "=d"(result.value)
                 : "0"(static_cast<std::uint64_t>(number)), "D"(a), "S"(b), "1"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

// For the calls that keep rsp and rbp alone.
inline RawResult raw_losing_registers(abi::KernelCall number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e,
                                      std::uint64_t f) {
    RawResult result;
    register std::uint64_t r10 asm("r10") = d;
    register std::uint64_t r8 asm("r8") = e;
    register std::uint64_t r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result.status), "=d"(result.value), "+D"(a), "+S"(b), "+r"(r10), "+r"(r8), "+r"(r9)
                 : "0"(static_cast<std::uint64_t>(number)), "1"(c)
                 : "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
    return result;
}
#endif

inline base::Result<std::uint64_t> checked(RawResult result) {
    if (result.status < 0) [[unlikely]]
        return std::unexpected(static_cast<abi::Error>(-result.status));
    return result.value;
}
"""


def stubs(interface, source):
    text = HEAD.format(source=source) + STUB_HEAD
    for call in interface.calls:
        if call.custom:
            continue
        parameters, words = [], []
        for item in call.inputs:
            kind, expressions = stub_parameter(item)
            parameters.append(f"{kind} {item.name}")
            words += expressions
        words += ["0"] * (6 - len(words))
        function = "raw_losing_registers" if call.loses_registers else "raw"
        raw = f"checked({function}(abi::KernelCall::{call.name}, {', '.join(words)}))"
        text += "\n" + comment(call.doc) + comment(["Errors: " + (", ".join(call.errors) or "none") + "."])
        result = "void"
        if call.outputs:
            kind = call.outputs[0].type
            result = "abi::Handle" if kind.category == "handle" else scalar_type(kind.name)
        text += f"inline base::Result<{result}> {call.name}({', '.join(parameters)}) {{\n"
        if not call.outputs:
            text += f"    TRY({raw});\n    return {{}};\n}}\n"
        elif result in ("abi::Handle", "std::uint64_t"):
            text += f"    return {raw};\n}}\n"
        else:
            text += f"    return static_cast<{result}>(TRY({raw}));\n}}\n"
    return text + "\n} // namespace native::call\n"


CALL_TABLE_HEAD = """#pragma once
#include "abi/audit.hpp"
#include "abi/info.hpp"
#include "abi/types.hpp"

#include <cstdint>

// Every call as the interface file describes it, for programs that make calls without knowing them.
namespace native::call_table {

enum class ArgumentType : std::uint8_t { value, handle, optional_handle, pointer, buffer, length, deadline };

struct Argument {
    ArgumentType type;
    abi::ObjectKind kind; // of a handle; none: any kind
    abi::Rights rights;   // that a handle must have
    std::uint32_t size;   // of what a pointer names; of a value in a register
};
struct Call {
    std::uint32_t number;
    const char* name;
    std::uint8_t count; // registers
    bool custom;        // a register convention of its own
    Argument arguments[6];
    std::uint64_t errors; // a bit for each abi::Error that the interface file names, and for those that the types of the arguments imply
};

constexpr std::uint64_t error_bit(abi::Error error) { return std::uint64_t{1} << static_cast<unsigned>(error); }
"""


NEGATIVE_HEAD = """#include "native/call_table.hpp"

// Cases in which each call must refuse: for inclusion at namespace scope. All arguments but the tested one are to be right, as `calls` describes them.
namespace negative {

using native::call_table::Argument;
using native::call_table::ArgumentType;

enum class Fault : std::uint8_t {
    bad_handle, closed_handle, revoked_handle, wrong_kind, missing_right, too_wide,
    bad_pointer,    // an address that is not the caller's
    half_readable,  // what is behind it is not mapped
    read_only,      // it may be read, and is to be written
    half_read_only, // the same for what is behind its first bytes
    value,          // the value
    distance,       // so far from the right value
    beside,         // an address that begins outside the place
    too_long,       // a length that ends outside the place
    unmapped,
    more_rights,    // than the handle before it has
    message,        // a tag, or what it says is in the ThreadPage
    past, poll, never,
};

// Where a value is to lie.
enum class Place : std::uint8_t { none, half, memory, device, io_port };

// What is right for an argument that is neither a handle nor a pointer.
struct Right {
    enum class Form : std::uint8_t { constant, begin, length, word };
    Form form;
    Place place;
    std::uint8_t turn;   // of the places that this call names: the second is another one
    std::uint64_t value; // of a constant
};
struct Call {
    native::call_table::Call as_named;
    Right rights[6];
};
struct Test {
    std::uint32_t number;
    std::uint8_t index; // register of the tested argument
    Fault fault;
    Place place;
    abi::Error expected;
    std::uint64_t value;
};
"""


def negative_rows(item):
    kind = item.type
    if kind.category in ("handle", "slot"):
        name = "none" if kind.name in ("any", "slot") else kind.name
        form = "optional_handle" if kind.optional else "handle"
        return [f"{{ArgumentType::{form}, abi::ObjectKind::{name}, {rights_expression(kind.rights)}, 0}}"]
    if kind.category == "pointer":
        return [f"{{ArgumentType::pointer, abi::ObjectKind::none, 0, sizeof(abi::{kind.name})}}"]
    if kind.category == "buffer":
        return ["{ArgumentType::buffer, abi::ObjectKind::none, 0, 0}", "{ArgumentType::length, abi::ObjectKind::none, 0, 0}"]
    form = "deadline" if kind.category == "deadline" else "value"
    return [f"{{ArgumentType::{form}, abi::ObjectKind::none, 0, {4 if kind.name == 'u32' else 8}}}"]


def implied_errors(call):
    """Errors that decoding gives by itself: the interface file need not name them for each call."""
    for item in call.inputs:
        kind = item.type
        if kind.category in ("handle", "slot"):
            yield "bad_handle"
            if kind.rights:
                yield "missing_right"
        if kind.category == "handle":
            yield "revoked"
            if kind.name != "any":
                yield "wrong_kind"
        if kind.category in ("pointer", "buffer"):
            yield "bad_pointer"
        if kind.name in ("u32", "bool"):
            yield "bad_argument"


def call_row(call):
    rows = [row for item in call.inputs for row in negative_rows(item)]
    errors = " | ".join(f"error_bit(abi::Error::{name})" for name in sorted({*call.errors, *implied_errors(call)})) or "0"
    return f'    {{{call.number}, "{call.name}", {len(rows)}, {"true" if call.custom else "false"}, {{{", ".join(rows)}}}, {errors}}},\n'


def call_table(interface, source):
    calls = "".join(call_row(call) for call in interface.calls)
    return HEAD.format(source=source) + CALL_TABLE_HEAD + "\ninline constexpr Call calls[] = {\n" + calls + "};\n\n} // namespace native::call_table\n"


def widest(item):
    return (1 << (32 if item.type.name == "u32" else 64)) - 1


def wrong_values(rule, item):
    """Numbers that break a rule, and whether they are distances from the right value."""
    if rule.word == "multiple of":
        return sorted({1, rule.numbers[0] // 2, rule.numbers[0] - 1}), True
    if rule.word == "at most":
        most = [rule.numbers[0] + 1, rule.numbers[0] * 2 + 2]
        # Bytes of a length that no half has room for are a bad pointer.
        return most if item.type.category == "buffer" else [*most, widest(item)], False
    if rule.word == "at least":
        return sorted({0, 1, rule.numbers[0] - 1}), False
    if rule.word == "not 0":
        return [0], False
    if rule.word == "to":
        low, high = rule.numbers
        return [*([low - 1] if low else []), high + 1, widest(item)], False
    if rule.word == "one of":
        near = {number + step for number in (0, *rule.numbers) for step in (-1, 0, 1)}
        return sorted(number for number in near if number >= 0 and number not in rule.numbers) + [widest(item)], False
    if rule.word == "bits":
        return [1 << bit for bit in range(widest(item).bit_length()) if not rule.numbers[0] >> bit & 1], False
    return [], False


PLACE_FAULTS = {"begins": "beside", "ends": "too_long", "mapped": "unmapped", "rights held": "more_rights", "a message": "message"}


def rule_faults(item):
    for rule in item.rules:
        if rule.word in PLACE_FAULTS:
            yield PLACE_FAULTS[rule.word], rule.error, rule.place or "none", 0
        values, distances = wrong_values(rule, item)
        for value in values:
            yield "distance" if distances else "value", rule.error, "none", value


def handle_faults(kind):
    yield "bad_handle", "bad_handle"
    yield "closed_handle", "bad_handle"
    if kind.category == "handle":
        yield "revoked_handle", "revoked"
        if kind.name != "any":
            yield "wrong_kind", "wrong_kind"
    if kind.rights:
        yield "missing_right", "missing_right"


def memory_faults(kind):
    yield "bad_pointer", "bad_pointer"
    yield "half_readable", "bad_pointer"
    if kind.direction == "out":
        yield "read_only", "bad_pointer"
        yield "half_read_only", "bad_pointer"


def negative_faults(item, call):
    """What can be wrong with an argument: fault, the error that it must give, the place and the value of the fault, registers behind the first."""
    kind = item.type
    if kind.category in ("handle", "slot"):
        yield from ((*fault, "none", 0, 0) for fault in handle_faults(kind))
    if kind.category in ("pointer", "buffer"):
        yield from ((*fault, "none", 0, 0) for fault in memory_faults(kind))
    if kind.category == "deadline":
        yield "past", "timed_out", "none", 0, 0
        yield "poll", "would_block" if "would_block" in call.errors else "timed_out", "none", 0, 0
        yield "never", "canceled", "none", 0, 0
    if kind.name == "u32":
        yield "too_wide", "bad_argument", "none", 0, 0
    yield from ((*fault, kind.registers - 1) for fault in rule_faults(item))


def right_constant(item):
    """A number that keeps all rules."""
    number = 0
    for rule in item.rules:
        if rule.word == "not 0":
            number = max(number, 1)
        elif rule.word in ("at least", "to", "one of"):
            number = max(number, rule.numbers[0])
    return number


def right_rows(call):
    begins = 0
    for item in call.inputs:
        places = {rule.word: rule.place for rule in item.rules if rule.place}
        if item.type.category == "buffer":
            yield "{Right::Form::constant, Place::none, 0, 0}"
            yield f"{{Right::Form::constant, Place::none, 0, {max(64, right_constant(item))}}}"
        elif "begins" in places:
            yield f"{{Right::Form::begin, Place::{places['begins']}, {begins}, 0}}"
            begins += places["begins"] == "half"
        elif "ends" in places:
            yield f"{{Right::Form::length, Place::{places['ends']}, 0, 0}}"
        elif any(rule.word == "mapped" for rule in item.rules):
            yield "{Right::Form::word, Place::none, 0, 0}"
        else:
            yield f"{{Right::Form::constant, Place::none, 0, {right_constant(item)}}}"


def negative(interface, source):
    calls, tests = "", ""
    for call in interface.calls:
        index = 0
        for item in call.inputs:
            for fault, error, place, value, behind in negative_faults(item, call):
                tests += f"    {{{call.number}, {index + behind}, Fault::{fault}, Place::{place}, abi::Error::{error}, {value:#x}}},\n"
            index += item.type.registers
        calls += "    {" + call_row(call).strip().rstrip(",") + f", {{{', '.join(right_rows(call))}}}}},\n"
    return (HEAD.format(source=source) + NEGATIVE_HEAD + "\nusing native::call_table::error_bit;\n\ninline constexpr Call calls[] = {\n" + calls +
            "};\n\ninline constexpr Test tests[] = {\n" + tests + "};\n\n} // namespace negative\n")
