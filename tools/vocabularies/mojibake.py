"""Writes the tables of prompt cleaning: diffusion/src/text/prompt/tables.rs.

The tables are the character classes that ftfy checks, the single-byte encodings that it tries, and the HTML entities that
Python resolves without a semicolon. Needs ftfy 6.3.1.

    python mojibake.py ../../diffusion/src/text/prompt/tables.rs
"""

import html.entities
import os
import subprocess
import sys

import ftfy.badness
import ftfy.chardata

# Bits of a character's classes, in the order of the constants in the Rust file.
NAMES = {
    "common": "COMMON",
    "c1": "C1",
    "bad": "BAD",
    "law": "LAW",
    "currency": "CURRENCY",
    "start_punctuation": "OPENING",
    "end_punctuation": "CLOSING",
    "numeric": "NUMERIC",
    "kaomoji": "KAOMOJI",
    "upper_accented": "UPPER_ACCENTED",
    "lower_accented": "LOWER_ACCENTED",
    "upper_common": "UPPER_COMMON",
    "lower_common": "LOWER_COMMON",
    "box": "BOX",
    "utf8_first_of_2": "FIRST_OF_2",
    "utf8_first_of_3": "FIRST_OF_3",
    "utf8_first_of_4": "FIRST_OF_4",
    "utf8_continuation": "CONTINUATION",
    "utf8_continuation_strict": "STRICT_CONTINUATION",
}

ENCODINGS = {
    "sloppy-windows-1252": "WINDOWS_1252",
    "sloppy-windows-1251": "WINDOWS_1251",
    "sloppy-windows-1250": "WINDOWS_1250",
    "sloppy-windows-1253": "WINDOWS_1253",
    "sloppy-windows-1254": "WINDOWS_1254",
    "sloppy-windows-1257": "WINDOWS_1257",
    "iso-8859-2": "ISO_8859_2",
    "macroman": "MAC_ROMAN",
    "cp437": "CP437",
}

HEAD = """//! Tables of prompt cleaning: classes of characters, single-byte encodings, HTML entities without a semicolon.
//!
//! Written by `tools/vocabularies/mojibake.py` from ftfy 6.3.1 (Apache-2.0, Robyn Speer) and Python's `html.entities`.
"""


def members(ranges):
    """Returns the characters that the content of a regular expression's brackets matches."""
    found, place = set(), 0
    while place < len(ranges):
        last = ranges[place + 2] if ranges[place + 1 : place + 2] == "-" else ranges[place]
        found.update(map(chr, range(ord(ranges[place]), ord(last) + 1)))
        place += 1 if last == ranges[place] else 3
    return found


def letter(character):
    return f"\\u{{{ord(character):x}}}"


def rows(classes):
    """Returns (first, last, classes) for each range of characters with the same classes."""
    found = []
    for character in map(chr, range(0x10000)):
        names = [NAMES[name] for name, inside in classes.items() if character in inside]
        if not names:
            continue
        if found and found[-1][2] == names and ord(found[-1][1]) + 1 == ord(character):
            found[-1][1] = character
        else:
            found.append([character, character, names])
    return found


def main():
    classes = {
        name: members(ranges)
        for name, ranges in {**ftfy.badness.MOJIBAKE_CATEGORIES, **ftfy.chardata.UTF8_CLUES}.items()
    }
    assert list(classes) == list(NAMES) and ftfy.chardata.CHARMAP_ENCODINGS[1:] == list(ENCODINGS)
    out = [HEAD]
    for bit, name in enumerate(NAMES.values()):
        out.append(f"pub(super) const {name}: u32 = 1 << {bit};")
    out.append("\n/// First and last character of a range, and the classes of all in between. Ascending.")
    table = rows(classes)
    out.append(f"pub(super) const CLASSES: [(char, char, u32); {len(table)}] = [")
    for first, last, names in table:
        out.append(f"    ('{letter(first)}', '{letter(last)}', {' | '.join(names)}),")
    out.append("];\n")
    for encoding, name in ENCODINGS.items():
        upper = bytes(range(0x80, 0x100)).decode(encoding)
        assert len(set(upper)) == 128 and min(upper) >= "\x80"
        shown = "".join(c if c.isprintable() and not "\u0300" <= c <= "\u036f" else letter(c) for c in upper)
        out.append(f"/// Bytes 0x80 to 0xff of {encoding.removeprefix('sloppy-')}; unassigned ones stand for themselves.")
        out.append(f'pub(super) const {name}: &str = "{shown}";')
    short = sorted(name for name in html.entities.html5 if not name.endswith(";"))
    assert all(html.entities.html5[name] == html.entities.html5[name + ";"] for name in short)
    out.append("\n/// Names of entities that are resolved without a semicolon too.")
    out.append(f"pub(super) const SHORT_ENTITIES: [&str; {len(short)}] = [")
    out.extend(f'    "{name}",' for name in short)
    out.append("];\n")
    double = sorted((name, value[1]) for name, value in html.entities.html5.items() if len(value) == 2)
    out.append("/// Second characters of the entities that have two; the crate html-escape knows the first alone.")
    out.append(f"pub(super) const SECOND_LETTERS: [(&str, char); {len(double)}] = [")
    out.extend(f"    (\"{name.removesuffix(';')}\", '{letter(second)}')," for name, second in double)
    out.append("];")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    style = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "rustfmt.toml")
    subprocess.run(["rustfmt", "--edition", "2024", "--config-path", style, sys.argv[1]], check=True)


main()
