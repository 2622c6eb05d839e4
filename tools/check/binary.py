"""What the linked kernel and native programs must not hold: x87, MMX, SSE or AVX instructions and %fs or %gs outside named assembly symbols, a TLS segment, a segment
that is both writable and executable; and what they must: guarded stack frames. The compiler's flags alone do not ensure it: `double` still compiles to x87, and thread_local uses %fs."""

import os
import re
import subprocess

# Assembly routines that save, use and restore vector registers.
VECTOR_SYMBOLS = re.compile(r"^copy_large_\w*$")
# Assembly where the kernel is entered and left. Elsewhere the kernel only reaches fields of its per-processor data, which lies at %gs:0.
ENTRY_SYMBOLS = re.compile(r"^((fast_)?system_call_entry|native_\w+|guest_call|constant_call|plain_call|enter_generally|exchange_\w+|compatibility_call_entry|common_entry|paranoid_entry|handle_interrupt|return_\w+|thread_first_run)$")
PER_PROCESSOR = re.compile(r"%gs:(?:0x[0-9a-f]{1,3})?(?![0-9a-f(])")
REGISTER = re.compile(r"%(?:[xyz]mm\d+|mm[0-7]|st(?:\(\d\))?|k[0-7])\b")
SEGMENT = re.compile(r"%(?:fs|gs):")
X87 = re.compile(r"^f(?:ld|st|add|sub|mul|div|ild|ist|ucom|com|xch|chs|abs|sqrt|sin|cos|n?init|n?stcw|ldcw|n?stsw|n?clex|wait|ree|incstp|decstp|nop|prem|yl2x|2xm1|scale|ptan|patan)\w*$")
STATE = re.compile(r"^(?:fx(?:save|rstor)|x(?:save|rstor))\w*$")
CONTROL = re.compile(r"^(?:ld|v?st|vld)mxcsr$|^emms$")
SYMBOL = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\s+([a-z][a-z0-9.]*)\s*(.*)$")
PREFIXES = ("lock", "rep", "repne", "repe", "repz", "repnz", "notrack", "data16", "cs", "ds", "es")


def _elf_header(path):
    try:
        with open(path, "rb") as file:
            return file.read(32)
    except OSError:
        return b""


def is_checked(path):
    header = _elf_header(path)
    # 64-bit x86 programs that are linked for the upper half, with their symbols. Loaders are not: they begin in 32-bit mode and hold the others as data.
    return not path.endswith(".stripped") and header[:5] == b"\x7fELF\x02" and header[18:20] == b"\x3e\x00" and len(header) == 32 and header[31] == 0xff


def judge(mnemonic, operands, symbol, kernel=False):
    """The reason why an instruction must not be in a function, or None. The kernel saves and restores the guests' vector state as a whole."""
    if not VECTOR_SYMBOLS.match(symbol):
        if REGISTER.search(operands):
            return "uses vector or x87 registers"
        if X87.match(mnemonic) or CONTROL.match(mnemonic) or (STATE.match(mnemonic) and not kernel):
            return "is a floating-point instruction"
    if SEGMENT.search(operands):
        if not kernel or not (ENTRY_SYMBOLS.match(symbol) or PER_PROCESSOR.search(operands)):
            return "uses %fs or %gs"
    return None


def code_violations(listing, kernel=False):
    symbol = "?"
    for line in listing:
        if match := SYMBOL.match(line):
            symbol = match[1]
            continue
        match = INSTRUCTION.match(line)
        if not match:
            continue
        mnemonic, operands = match[1], match[2].split("#")[0]
        while mnemonic in PREFIXES and operands:
            mnemonic, _, operands = operands.strip().partition(" ")
        operands = re.sub(r"<[^>]*>", "", operands)
        reason = judge(mnemonic, operands, symbol, kernel)
        if reason:
            yield f"{symbol}: {mnemonic} {operands.strip()}: {reason}"


GUARDED = re.compile(r"\bcall[a-z]*\s.*<__stack_chk_fail>$")


def note_guards(listing, seen):
    """Passes the listing on; `seen` gets the first call that reports a frame that was written over."""
    for line in listing:
        if not seen and GUARDED.search(line.rstrip()):
            seen.append(line)
        yield line


def segment_violations(path):
    listing = subprocess.run(["llvm-readelf-19", "-lW", path], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        parts = line.split()
        if parts[:1] == ["TLS"]:
            yield "a TLS segment"
        if parts[:1] == ["LOAD"]:
            flags = "".join(parts[6:-1])
            if "W" in flags and "E" in flags:
                yield f"a segment that is writable and executable: {line.strip()}"


def violations(path):
    name = os.path.basename(path)
    yield from (f"{name}: {reason}" for reason in segment_violations(path))
    with subprocess.Popen(["llvm-objdump-19", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True) as process:
        guarded = []
        yield from (f"{name}: {reason}" for reason in code_violations(note_guards(process.stdout, guarded), name == "kernel"))
    if process.returncode != 0:
        yield f"{name}: cannot be disassembled"
    elif not guarded:
        yield f"{name}: no stack frame is guarded"
