"""Makes the kernel's display font, a C++ table of 8 by 16 bitmaps, from a font in GRUB's PFF2 format (Debian's grub-common has one).

Usage: python3 -m image.font FONT.pf2 OUTPUT.cpp"""

import struct
import sys

FIRST, LAST = 0x20, 0x7e
WIDTH, HEIGHT = 8, 16


def sections(data):
    """Name → contents, and the whole file for DATA's offsets, which count from the file's begin."""
    found, at = {}, 0
    while at + 8 <= len(data):
        name, length = data[at:at + 4], struct.unpack_from(">I", data, at + 4)[0]
        if name == b"DATA":
            break
        found[name] = data[at + 8:at + 8 + length]
        at += 8 + length
    return found


def glyph_rows(data, offset, ascent):
    width, height, left, bottom, _ = struct.unpack_from(">HHhhh", data, offset)
    bits = data[offset + 10:offset + 10 + (width * height + 7) // 8]
    rows = [0] * HEIGHT
    for y in range(height):
        row = ascent - bottom - height + y
        for x in range(width):
            index = y * width + x
            if bits[index // 8] >> (7 - index % 8) & 1 and 0 <= row < HEIGHT and 0 <= left + x < WIDTH:
                rows[row] |= 0x80 >> (left + x)
    return rows


def table(data):
    parts = sections(data)
    ascent = struct.unpack(">H", parts[b"ASCE"])[0]
    index = parts[b"CHIX"]
    offsets = {code: offset for code, _, offset in struct.iter_unpack(">IBI", index[:len(index) // 9 * 9])}
    missing = [code for code in range(FIRST, LAST + 1) if code not in offsets]
    if missing:
        raise ValueError(f"the font lacks {len(missing)} of the printable ASCII characters")
    return [glyph_rows(data, offsets[code], ascent) for code in range(FIRST, LAST + 1)]


def main(source, target):
    with open(source, "rb") as file:
        rows = table(file.read())
    with open(target, "w", encoding="ascii") as file:
        file.write('#include "kernel/core/display.hpp"\n\nnamespace kernel::display {\n\n'
                   f"const std::uint8_t font[{LAST - FIRST + 1}][{HEIGHT}] = {{\n")
        for glyph in rows:
            file.write("    {" + ", ".join(f"0x{row:02x}" for row in glyph) + "},\n")
        file.write("};\n\n} // namespace kernel::display\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
