"""Makes the vocabularies of diffusion/vocabularies from a published package: clip.bin, t5.bin and umt5.bin.

The source is the crate diffusion-rs-sys 0.1.20 (MIT). It contains stable-diffusion.cpp (MIT), which has CLIP's merges and
the `tokenizer.json` of T5 and UMT5 as C headers. Their SHA-256 are checked. Needs cargo and Python's standard library.

    python pack.py ../../diffusion/vocabularies

Each file is one zlib stream. Its content:

- clip.bin: CLIP's `merges.txt` without its first line.
- t5.bin, umt5.bin: the number of pieces and the number of ids (32 bits each, little-endian), then planes with one byte for each
  piece. The first planes have the pieces in ascending order of their bytes: how many bytes a piece shares with the previous
  one; how many further bytes it has; the three bytes of its id, lowest plane first. The next planes have the pieces in order of
  their ids: the four bytes of the difference between the bits of the score (float32) and those of the previous score, lowest
  plane first. Then come the further bytes of all pieces, and the rest of the file is the character map. The file does not
  contain pieces without a character, or the tokens `<extra_id_...>`.
"""

import base64
import glob
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

CRATE = "diffusion-rs-sys"
VERSION = "0.1.20"
CRATE_SHA256 = "1947b40e9b457a11baef32b105b5047227911ac48ae050e5828c5980e6a12af4"
CONTENT_SHA256 = {
    "clip_merges": "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a",
    "t5": "3166cd247de723aaa827b0c868b201d2b56f48a9cee0f5c4781a6afb1b32994e",
    "umt5": "24568697871e6c50515a706cb0c62d059738bb4a903054abd1fc9db78a2eddd7",
}


def fetch_sources():
    """Downloads the crate with cargo, checks it, and returns the folder of its sources."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "src"))
        open(os.path.join(folder, "src", "lib.rs"), "w").close()
        with open(os.path.join(folder, "Cargo.toml"), "w") as file:
            file.write(f'[package]\nname = "fetch"\nedition = "2024"\n[dependencies]\n{CRATE} = "={VERSION}"\n[workspace]\n')
        subprocess.run(["cargo", "fetch"], cwd=folder, check=True)
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    (archive,) = glob.glob(f"{home}/registry/cache/*/{CRATE}-{VERSION}.crate")
    with open(archive, "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == CRATE_SHA256
    (sources,) = glob.glob(f"{home}/registry/src/*/{CRATE}-{VERSION}")
    return sources


def content(sources, name):
    """Returns the bytes of the first array in one of the C headers."""
    with open(f"{sources}/stable-diffusion.cpp/src/tokenizers/vocab/{name}.hpp") as file:
        text = file.read()
    start = text.index("{")
    array = text[start : text.index("}", start)]
    found = bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", array))
    assert hashlib.sha256(found).hexdigest() == CONTENT_SHA256[name]
    return found


def planes(numbers, count):
    """Returns the lowest `count` bytes of all numbers: first the lowest byte of each, then the next one."""
    return b"".join(bytes(number >> 8 * place & 0xFF for number in numbers) for place in range(count))


def unigram(document):
    """Returns a T5 vocabulary in the layout of the file."""
    pieces = [(text, score) for text, score in document["model"]["vocab"] if not text.startswith("<extra_id_")]
    scores = [struct.unpack("<I", struct.pack("<f", score))[0] for _, score in pieces]
    assert [struct.unpack("<f", struct.pack("<I", bits))[0] for bits in scores] == [score for _, score in pieces]
    ordered = sorted((text.encode(), id) for id, (text, _) in enumerate(pieces) if text)
    assert len({text for text, _ in ordered}) == len(ordered)
    shared, following, tails, before = bytearray(), bytearray(), bytearray(), b""
    for text, _ in ordered:
        length = len(os.path.commonprefix([before, text]))
        shared.append(length)
        following.append(len(text) - length)
        tails += text[length:]
        before = text
    differences = [(bits - previous) & 0xFFFFFFFF for previous, bits in zip([0, *scores], scores)]
    steps = (document["normalizer"] or {}).get("normalizers", [])
    charsmap = b"".join(
        base64.b64decode(step["precompiled_charsmap"]) for step in steps if step["type"] == "Precompiled"
    )
    return b"".join(
        [
            struct.pack("<II", len(ordered), len(pieces)),
            shared,
            following,
            planes([id for _, id in ordered], 3),
            planes(differences, 4),
            tails,
            charsmap,
        ]
    )


def main():
    out = sys.argv[1]
    sources = fetch_sources()
    contents = {
        "clip.bin": content(sources, "clip_merges").split(b"\n", 1)[1],
        "t5.bin": unigram(json.loads(content(sources, "t5"))),
        "umt5.bin": unigram(json.loads(content(sources, "umt5"))),
    }
    for name, data in contents.items():
        packed = zlib.compress(data, 9)
        with open(os.path.join(out, name), "wb") as file:
            file.write(packed)
        print(f"{name}: {len(data)} bytes, packed {len(packed)}, SHA-256 unpacked {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
