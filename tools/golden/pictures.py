"""Writes `tests/golden/pictures`: pictures for the tests of decoding, and the expected result of each.

`table.tsv` has one line for each picture: its file, its outcome (`read` or `refused`), and then either the largest allowed difference of a
channel and the file with exactly the same pixels (`-` if there is none), or words of the refusal. `expected/FILE.png` is the expected
result: in sRGB, upright, on white. It is made without the library, with Pillow, libjpeg, libwebp and littlecms. For formats that Pillow
does not support, it is computed here with the formulas of the standard.

    python3 -m venv /tmp/pictures && /tmp/pictures/bin/pip install pillow==13.0.0 numpy imagecodecs pillow-heif
    apt-get install libjpeg-turbo-progs
    /tmp/pictures/bin/python tools/golden/pictures.py
"""

import io
import pathlib
import shutil
import struct
import subprocess
import zlib

import imagecodecs
import numpy as np
import pillow_heif
from icc import ADOBE, D65, P3, SRGB, WIDE, colorants, grey_profile, inks_to_xyz, matrix_profile, profile, table_profile
from PIL import Image, ImageCms, ImageOps

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "pictures"
WIDTH, HEIGHT = 24, 16

lines: list[str] = []


def read(name: str, data: bytes, expected: np.ndarray, tolerance: int = 0, same_as: str = "-") -> bytes:
    """A picture that is read as `expected`."""
    (OUT / name).write_bytes(data)
    Image.fromarray(expected.astype(np.uint8), "RGB").save(OUT / "expected" / f"{name}.png", optimize=True)
    lines.append(f"{name}\tread\t{tolerance}\t{same_as}")
    return data


def refused(name: str, data: bytes, words: str) -> None:
    """A picture that is refused with a detail that has these words."""
    (OUT / name).write_bytes(data)
    lines.append(f"{name}\trefused\t{words}")


# --- Pixels -------------------------------------------------------------------------------------------------------------------


def base() -> np.ndarray:
    """Fields of strong colours, large enough for the blocks of JPEG. All halves differ, so that a wrong orientation shows."""
    colours = [(200, 40, 40), (40, 180, 60), (50, 60, 200), (230, 200, 50), (40, 170, 190), (120, 120, 120)]
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for index, colour in enumerate(colours):
        row, column = divmod(index, 3)
        pixels[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = colour
    pixels[:3, :3] = (250, 250, 250)
    return pixels


def alpha() -> np.ndarray:
    """A gradient from transparent on the left to opaque on the right."""
    return np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))


def on_white(rgb: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    share = opacity.astype(np.float64)[..., None] / 255
    return np.floor(rgb * share + 255 * (1 - share) + 0.5)


def pil(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def saved(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


# --- PNG ----------------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def packed(values: np.ndarray, depth: int) -> bytes:
    """Rows of samples (row, column, channel) with a filter byte before each."""
    rows = []
    for row in values.reshape(values.shape[0], -1):
        if depth == 16:
            body = row.astype(">u2").tobytes()
        elif depth == 8:
            body = row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(value), f"0{depth}b") for value in row)
            bits += "0" * (-len(bits) % 8)
            body = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        rows.append(b"\0" + body)
    return b"".join(rows)


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(values: np.ndarray, kind: int, depth: int = 8, before: bytes = b"", interlaced: bool = False, after: bytes = b"") -> bytes:
    """A PNG of samples (row, column, channel) of a colour type; `before` are chunks before the pixels."""
    if values.ndim == 2:
        values = values[..., None]
    height, width = values.shape[:2]
    passes = [values[y::down, x::across] for y, x, down, across in ADAM7] if interlaced else [values]
    data = b"".join(packed(part, depth) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(data, 9)) + after
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def exif(orientation: int) -> bytes:
    return b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack("<HH", orientation, 0) + b"\0\0\0\0"


# --- Colours ---------------------------------------------------------------------------------------------------------------------


def shown(image: Image.Image, icc: bytes) -> np.ndarray:
    """Converts to sRGB with littlecms, through Pillow."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    target = ImageCms.createProfile("sRGB")
    return np.array(ImageCms.profileToProfile(image, source, target, renderingIntent=0, outputMode="RGB"))


# --- JPEG ------------------------------------------------------------------------------------------------------------------------


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def segments(data: bytes):
    """Marker, start and end of every segment before the coded pixels."""
    at = 2
    while True:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        yield data[at + 1], at, at + 2 + length
        if data[at + 1] == 0xDA:
            return
        at += 2 + length


def without(data: bytes, marker: int) -> bytes:
    for found, start, end in segments(data):
        if found == marker:
            return data[:start] + data[end:]
    raise ValueError(f"no segment {marker:#x}")


def patched(data: bytes, marker: int, offset: int, new: bytes) -> bytes:
    """The file with other bytes at an offset after a marker's length."""
    for found, start, _ in segments(data):
        if found == marker:
            at = start + 4 + offset
            return data[:at] + new + data[at + len(new) :]
    raise ValueError(f"no segment {marker:#x}")


def marked(data: bytes, old: int, new: int) -> bytes:
    for found, start, _ in segments(data):
        if found == old:
            return data[: start + 1] + bytes([new]) + data[start + 2 :]
    raise ValueError(f"no segment {old:#x}")


def cjpeg(bitmap: bytes, *options: str) -> bytes:
    return subprocess.run(["cjpeg", *options], input=bitmap, capture_output=True, check=True).stdout


def rgb_of(data: bytes) -> np.ndarray:
    return np.array(ImageOps.exif_transpose(pil(data)).convert("RGB"))


def jpegs(pixels: np.ndarray) -> None:
    best = {"quality": 98, "subsampling": 0}
    plain = saved(pixels, "JPEG", **best)
    upright = rgb_of(plain)
    read("plain.jpg", plain, upright, 3)
    for name, options in [
        ("progressive.jpg", {"progressive": True}),
        ("restarts.jpg", {"restart_marker_blocks": 1}),
        ("optimised.jpg", {"optimize": True}),
    ]:
        data = saved(pixels, "JPEG", **(best | options))
        read(name, data, rgb_of(data), 3)
    for name, subsampling in [("half-colour.jpg", 2), ("half-wide.jpg", 1)]:
        data = saved(pixels, "JPEG", quality=98, subsampling=subsampling)
        read(name, data, rgb_of(data), 6)
    odd = saved(pixels[:15, :23], "JPEG", **best)
    read("odd-size.jpg", odd, rgb_of(odd), 3)
    grey = saved(Image.fromarray(pixels).convert("L"), "JPEG", quality=98)
    read("grey.jpg", grey, rgb_of(grey), 2)

    for orientation in range(1, 9):
        data = saved(pixels, "JPEG", exif=b"Exif\0\0" + exif(orientation), **best)
        read(f"orientation-{orientation}.jpg", data, rgb_of(data), 3)

    # Data that phones and cameras append to the picture.
    clip = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\xff\xda\x00\x08 no picture \xff\xda" * 3 + b"\xff"
    read("motion-photo.jpg", plain + clip, upright, 3, "plain.jpg")
    second = saved(255 - pixels, "JPEG", **best)
    mpf = segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    read("several-pictures.jpg", plain[:2] + mpf + plain[2:] + second, upright, 3, "plain.jpg")
    read("cut-second-picture.jpg", plain[:2] + mpf + plain[2:] + second[:-40], upright, 3, "plain.jpg")
    read("thumbnail.jpg", plain[:2] + segment(0xE1, b"Exif\0\0" + exif(1) + second) + plain[2:], upright, 3, "plain.jpg")
    spaced = b"".join(b"\xff\xff" + plain[start:end] for _, start, end in segments(plain))
    read("filled-markers.jpg", plain[:2] + spaced + plain[list(segments(plain))[-1][2] :], upright, 3, "plain.jpg")
    lines_after = patched(plain, 0xC0, 1, b"\0\0")[:-2] + segment(0xDC, struct.pack(">H", HEIGHT)) + b"\xff\xd9"
    read("lines-after-scan.jpg", lines_after, upright, 3, "plain.jpg")

    # How channels become colours.
    rgb = saved(pixels, "JPEG", keep_rgb=True, **best)
    read("rgb.jpg", rgb, rgb_of(rgb), 2)
    numbered = patched(rgb, 0xC0, 6, b"\1")
    numbered = patched(patched(numbered, 0xC0, 9, b"\2"), 0xC0, 12, b"\3")
    numbered = patched(patched(patched(numbered, 0xDA, 1, b"\1"), 0xDA, 3, b"\2"), 0xDA, 5, b"\3")
    read("rgb-numbered.jpg", numbered, rgb_of(numbered), 2)
    named = without(rgb, 0xEE)
    read("rgb-named.jpg", named, rgb_of(named), 2)
    inks = np.dstack([255 - pixels, np.tile(np.linspace(0, 200, HEIGHT).astype(np.uint8)[:, None], (1, WIDTH))])
    cmyk = saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=98)
    read("cmyk.jpg", cmyk, rgb_of(cmyk), 3)
    read("cmyk-unmarked.jpg", without(cmyk, 0xEE), rgb_of(without(cmyk, 0xEE)), 3, "cmyk.jpg")
    # Adobe's form: the three inks as YCbCr of the remaining light, marked by the transform 2.
    ycc = np.array(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    ycck = saved(Image.fromarray(np.dstack([255 - ycc, inks[..., 3]]), "CMYK"), "JPEG", quality=98)
    ycck = patched(ycck, 0xEE, 11, b"\2")
    read("ycck.jpg", ycck, rgb_of(ycck), 4)

    # Colour profiles.
    adobe = matrix_profile(ADOBE, 563 / 256)
    data = saved(pixels, "JPEG", icc_profile=adobe, **best)
    read("adobe-rgb.jpg", data, shown(pil(data), adobe), 4)
    pieces = [adobe[at : at + 200] for at in range(0, len(adobe), 200)]
    whole = [segment(0xE2, b"ICC_PROFILE\0" + bytes([i, len(pieces)]) + piece) for i, piece in enumerate(pieces, 1)]
    read("profile-in-pieces.jpg", plain[:2] + b"".join(reversed(whole)) + plain[2:], shown(pil(plain), adobe), 4, "adobe-rgb.jpg")
    read("profile-piece-missing.jpg", plain[:2] + b"".join(whole[1:]) + plain[2:], upright, 3, "plain.jpg")
    data = saved(pixels, "JPEG", icc_profile=matrix_profile(P3, None), exif=b"Exif\0\0" + exif(6), **best)
    turned = Image.fromarray(shown(pil(data), matrix_profile(P3, None))).transpose(Image.Transpose.ROTATE_270)
    read("display-p3-turned.jpg", data, np.array(turned), 4)
    data = saved(Image.fromarray(pixels).convert("L"), "JPEG", quality=98, icc_profile=grey_profile(1.0))
    read("grey-linear.jpg", data, shown(pil(data), grey_profile(1.0)), 3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Bytes 24 to 35 of a profile are the time when it was made.
    srgb = srgb[:24] + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + srgb[36:]
    data = saved(pixels, "JPEG", icc_profile=srgb, **best)
    read("srgb-profile.jpg", data, upright, 3, "plain.jpg")
    data = saved(pixels, "JPEG", icc_profile=b"no profile at all" * 20, **best)
    read("broken-profile.jpg", data, upright, 3, "plain.jpg")
    data = saved(pixels, "JPEG", icc_profile=grey_profile(1.0), **best)
    read("profile-of-another-kind.jpg", data, upright, 3, "plain.jpg")
    press = table_profile(b"CMYK", b"prtr", 4, 9, inks_to_xyz)
    data = saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=98, icc_profile=press)
    # Pillow gives inks with 255 for full ink, and littlecms reads them so.
    read("cmyk-profile.jpg", data, shown(pil(data), press), 6)

    refused("cut-short.jpg", plain[:-60], "cut short")
    refused("cut-in-header.jpg", plain[:100], "cut short")
    bitmap = saved(pixels, "PPM")
    refused("arithmetic.jpg", cjpeg(bitmap, "-arithmetic"), "arithmetic coding")
    refused("arithmetic-progressive.jpg", cjpeg(bitmap, "-arithmetic", "-progressive"), "arithmetic coding")
    refused("hierarchical.jpg", marked(plain, 0xC0, 0xC5), "hierarchical")
    deep = (pixels[..., 0].astype(np.uint16) * 16).copy()
    refused("12-bit.jpg", imagecodecs.jpeg8_encode(deep, level=95, bitspersample=12), "12 bits a channel")
    refused("lossless.jpg", imagecodecs.jpeg8_encode(pixels, lossless=True), "lossless")
    refused("jpeg-ls.jpg", imagecodecs.jpegls_encode(pixels[..., 0].copy()), "JPEG-LS")
    two = patched(plain, 0xC0, 0, b"\x08")
    refused("height-zero.jpg", patched(two, 0xC0, 1, b"\0\0"), "no pixels")


def pngs(pixels: np.ndarray) -> None:
    plain = png(pixels, 2)
    read("plain.png", plain, pixels)
    opacity = alpha()
    transparent = on_white(pixels, opacity)
    read("on-white.png", png(transparent.astype(np.uint8), 2), transparent)
    same = {"same_as": "plain.png"}
    read("interlaced.png", png(pixels, 2, interlaced=True), pixels, **same)
    read("alpha.png", png(np.dstack([pixels, opacity]), 6), transparent, 0, "on-white.png")
    read("interlaced-alpha.png", png(np.dstack([pixels, opacity]), 6, interlaced=True), transparent, 0, "on-white.png")
    read("16-bit.png", png(pixels.astype(np.uint16) * 257, 2, 16), pixels, **same)
    read("16-bit-alpha.png", png(np.dstack([pixels, opacity]).astype(np.uint16) * 257, 6, 16), transparent, 0, "on-white.png")
    deep = np.linspace(0, 65535, WIDTH * HEIGHT).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
    grey = np.repeat((deep / 257 + 0.5).astype(np.uint8)[..., None], 3, axis=2)
    read("16-bit-grey.png", png(deep, 0, 16), grey)
    read("8-bit-grey.png", png(grey[..., 0], 0), grey, 0, "16-bit-grey.png")
    read("grey-alpha.png", png(np.dstack([grey[..., 0], opacity]), 4), on_white(grey, opacity))
    for depth in (1, 2, 4):
        steps = 2**depth
        levels = np.tile(np.arange(WIDTH) % steps, (HEIGHT, 1))
        levels[HEIGHT // 2 :] = 0
        scaled = np.repeat((levels * 255 // (steps - 1)).astype(np.uint8)[..., None], 3, axis=2)
        read(f"{depth}-bit-grey.png", png(levels, 0, depth), scaled)
        read(f"{depth}-bit-interlaced.png", png(levels, 0, depth, interlaced=True), scaled, 0, f"{depth}-bit-grey.png")

    # Palettes: every colour once, and the first two see-through.
    colours, indices = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    indices = indices.reshape(HEIGHT, WIDTH)
    palette = chunk(b"PLTE", colours.astype(np.uint8).tobytes())
    read("palette.png", png(indices, 3, 8, palette), pixels, **same)
    read("palette-4-bit.png", png(indices, 3, 4, palette, interlaced=True), pixels, **same)
    see_through = np.full(len(colours), 255, np.uint8)
    see_through[:2] = (0, 128)
    mixed = on_white(pixels, see_through[indices])
    read("palette-alpha.png", png(indices, 3, 8, palette + chunk(b"tRNS", see_through[:2].tobytes())), mixed)
    read("palette-alpha-4-bit.png", png(indices, 3, 4, palette + chunk(b"tRNS", see_through[:2].tobytes())), mixed, 0, "palette-alpha.png")
    gone = (pixels == (200, 40, 40)).all(axis=2)
    one_colour = on_white(pixels, np.where(gone, 0, 255))
    read("one-colour-see-through.png", png(pixels, 2, 8, chunk(b"tRNS", struct.pack(">HHH", 200, 40, 40))), one_colour)
    deep_trns = chunk(b"tRNS", struct.pack(">HHH", 200 * 257, 40 * 257, 40 * 257))
    read("one-colour-16-bit.png", png(pixels.astype(np.uint16) * 257, 2, 16, deep_trns), one_colour, 0, "one-colour-see-through.png")

    turned = np.array(Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_270))
    read("turned.png", png(turned, 2), turned)
    read("orientation-6.png", png(pixels, 2, 8, chunk(b"eXIf", exif(6))), turned, 0, "turned.png")

    # One frame is a picture; what animates it does not matter.
    control = chunk(b"acTL", struct.pack(">II", 1, 0))
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0))
    read("one-frame.png", png(pixels, 2, 8, control + frame), pixels, **same)
    two = chunk(b"acTL", struct.pack(">II", 2, 0)) + frame
    again = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0))
    again += chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(packed(255 - pixels, 8)))
    refused("animated.png", png(pixels, 2, 8, two, after=again), "animated")

    # Colours.
    def icc(data: bytes) -> bytes:
        return chunk(b"iCCP", b"test\0\0" + zlib.compress(data))

    image = Image.fromarray(pixels)
    adobe, p3 = matrix_profile(ADOBE, 563 / 256), matrix_profile(P3, None)
    read("adobe-rgb.png", png(pixels, 2, 8, icc(adobe)), shown(image, adobe), 1)
    read("adobe-rgb-16-bit.png", png(pixels.astype(np.uint16) * 257, 2, 16, icc(adobe)), shown(image, adobe), 1)
    converted = shown(image, adobe)
    read("adobe-rgb-alpha.png", png(np.dstack([pixels, opacity]), 6, 8, icc(adobe)), on_white(converted, opacity), 1)
    read("adobe-rgb-palette.png", png(indices, 3, 8, palette + b"", ).replace(palette, icc(adobe) + palette), converted, 1)
    read("display-p3.png", png(pixels, 2, 8, icc(p3)), shown(image, p3), 1)
    wide = matrix_profile(WIDE, 1.8, (0.3457, 0.3585))
    read("prophoto.png", png(pixels, 2, 8, icc(wide)), shown(image, wide), 2)
    swapped = matrix_profile(SRGB, None, order=(1, 2, 0))
    read("channels-swapped.png", png(pixels, 2, 8, icc(swapped)), pixels[..., [2, 0, 1]], 1)
    table = table_profile(b"RGB ", b"mntr", 3, 17, lambda rgb: (rgb**1.8) @ colorants(P3, D65).T)
    read("profile-of-tables.png", png(pixels, 2, 8, icc(table)), shown(image, table), 4)
    # Computed by formula, because littlecms uses tables that are coarse for dark values.
    light = grey[..., 0] / 255
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    linear = np.repeat(np.rint(encoded).astype(np.uint8)[..., None], 3, axis=-1)
    read("grey-linear.png", png(grey[..., 0], 0, 8, icc(grey_profile(1.0))), linear, 1)
    read("grey-linear-16-bit.png", png(grey[..., 0].astype(np.uint16) * 257, 0, 16, icc(grey_profile(1.0))), linear, 1)
    read("grey-linear-alpha.png", png(np.dstack([grey[..., 0], opacity]), 4, 8, icc(grey_profile(1.0))), on_white(linear, opacity), 1)
    in_rgb = shown(Image.fromarray(grey), adobe)
    read("grey-in-adobe-rgb.png", png(grey[..., 0], 0, 8, icc(adobe)), in_rgb, 1)
    read("broken-profile.png", png(pixels, 2, 8, icc(b"no profile at all" * 20)), pixels, **same)

    def gamma(value: float) -> bytes:
        return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))

    def primaries(all_three, white=D65) -> bytes:
        return chunk(b"cHRM", b"".join(struct.pack(">I", round(part * 100_000)) for point in (white, *all_three) for part in point))

    light = pixels / 255.0
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    read("gamma-linear.png", png(pixels, 2, 8, gamma(1.0)), (encoded + 0.5).astype(np.uint8), 1)
    read("gamma-srgb.png", png(pixels, 2, 8, gamma(0.45455)), pixels, **same)
    read("gamma-and-primaries.png", png(pixels, 2, 8, gamma(1 / 1.8) + primaries(ADOBE)), shown(image, matrix_profile(ADOBE, 1.8)), 2)
    read("primaries-of-srgb.png", png(pixels, 2, 8, gamma(0.45455) + primaries(SRGB)), pixels, **same)
    read("primaries-nonsense.png", png(pixels, 2, 8, gamma(0.45455) + primaries(((0, 0), (0, 0), (0, 0)), (0, 0))), pixels, **same)
    # More specific colour information has priority.
    srgb = chunk(b"sRGB", b"\0")
    read("srgb-before-gamma.png", png(pixels, 2, 8, srgb + gamma(1.0) + primaries(ADOBE)), pixels, **same)
    read("profile-before-gamma.png", png(pixels, 2, 8, gamma(1.0) + icc(adobe)), converted, 1, "adobe-rgb.png")
    code = lambda *values: chunk(b"cICP", bytes(values))  # noqa: E731
    read("code-points-srgb.png", png(pixels, 2, 8, code(1, 13, 0, 1) + icc(adobe)), pixels, **same)
    read("code-points-p3.png", png(pixels, 2, 8, code(12, 13, 0, 1)), shown(image, p3), 2)
    read("code-points-unknown.png", png(pixels, 2, 8, code(200, 200, 0, 1)), pixels, **same)
    refused("hdr-pq.png", png(pixels, 2, 8, code(9, 16, 0, 1)), "HDR")
    refused("hdr-hlg.png", png(pixels, 2, 8, code(9, 18, 0, 1)), "HDR")
    refused("narrow-range.png", png(pixels, 2, 8, code(1, 13, 0, 0)), "narrow range")
    refused("cut-short.png", plain[:-40], "cut short")


def webps(pixels: np.ndarray) -> None:
    opacity = alpha()
    lossless = {"lossless": True, "exact": True}
    plain = saved(pixels, "WEBP", **lossless)
    read("lossless.webp", plain, pixels, 0, "plain.png")
    read("lossless-alpha.webp", saved(np.dstack([pixels, opacity]), "WEBP", **lossless), on_white(pixels, opacity), 0, "on-white.png")
    for name, image in [("lossy.webp", pixels), ("lossy-alpha.webp", np.dstack([pixels, opacity]))]:
        data = saved(image, "WEBP", quality=95)
        back = np.array(pil(data).convert("RGBA"))
        read(name, data, on_white(back[..., :3], back[..., 3]), 2)
    turned = np.array(Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_270))
    read("orientation-6.webp", saved(pixels, "WEBP", exif=b"Exif\0\0" + exif(6), **lossless), turned, 0, "turned.png")
    adobe = matrix_profile(ADOBE, 563 / 256)
    read("adobe-rgb.webp", saved(pixels, "WEBP", icc_profile=adobe, **lossless), shown(Image.fromarray(pixels), adobe), 1, "adobe-rgb.png")

    def part(kind: bytes, content: bytes) -> bytes:
        return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def three(value: int) -> bytes:
        return struct.pack("<I", value)[:3]

    def animated(frames: list[bytes]) -> bytes:
        body = b"WEBP" + part(b"VP8X", b"\x02\0\0\0" + three(WIDTH - 1) + three(HEIGHT - 1)) + part(b"ANIM", b"\0" * 6)
        for frame in frames:
            head = three(0) + three(0) + three(WIDTH - 1) + three(HEIGHT - 1) + three(100) + b"\0"
            body += part(b"ANMF", head + frame[12:])
        return part(b"RIFF", body)

    read("one-frame.webp", animated([plain]), pixels, 0, "plain.png")
    refused("animated.webp", animated([plain, saved(255 - pixels, "WEBP", **lossless)]), "animated")
    refused("cut-short.webp", plain[:-20], "cut short")


def others(pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    refused("picture.gif", saved(image, "GIF"), "GIF")
    refused("animated.gif", saved(image, "GIF", save_all=True, append_images=[ImageOps.invert(image)]), "GIF")
    refused("picture.bmp", saved(image, "BMP"), "BMP")
    refused("picture.tiff", saved(image, "TIFF", compression="tiff_lzw"), "TIFF")
    refused("picture.ico", saved(image, "ICO", sizes=[(16, 16)]), "icon")
    refused("picture.avif", saved(image, "AVIF", quality=60), "AVIF")
    refused("picture.jp2", imagecodecs.jpeg2k_encode(pixels), "JPEG 2000")
    refused("picture.jxl", imagecodecs.jpegxl_encode(pixels), "JPEG XL")
    heic = io.BytesIO()
    pillow_heif.from_pillow(image.resize((64, 64))).save(heic, quality=40)
    refused("picture.heic", heic.getvalue(), "HEIC")
    refused("picture.svg", b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>\n", "SVG")
    refused("page.html", b"\n<!DOCTYPE html>\n<title>A page about a picture</title>\n", "web page")
    refused("clip.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08mdat", "video")
    refused("document.pdf", b"%PDF-1.7\n", "PDF")
    refused("text.txt", b"A text.\n", "not a PNG, JPEG or WebP file")
    refused("data-uri.txt", b"data:image/png;base64,iVBORw0KGgo=", "base64")


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "expected").mkdir(parents=True)
    pixels = base()
    for make in (pngs, jpegs, webps, others):
        make(pixels)
    (OUT / "table.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} pictures, {sum(file.stat().st_size for file in OUT.rglob('*') if file.is_file())} bytes")


if __name__ == "__main__":
    main()
