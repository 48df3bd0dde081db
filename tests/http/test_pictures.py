"""The pictures of tests/golden/pictures as data URIs: each is accepted, or refused with its fault, as the table says.

Files of some other types are left out, because their data URI is refused for its type."""

import base64
from collections.abc import Callable
from pathlib import Path

from conftest import Server, failure

PICTURES = Path(__file__).resolve().parents[1] / "golden" / "pictures"
TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif", ".svg": "image/svg+xml"}


def test_a_picture_is_accepted_or_refused_with_its_fault(paused: Callable[..., Server]) -> None:
    server = paused()
    counts = {"read": 0, "refused": 0}
    for line in (PICTURES / "table.tsv").read_text().splitlines():
        name, verdict, words, *_ = line.split("\t")
        path = PICTURES / name
        kind = TYPES.get(path.suffix, f"image/{path.suffix.removeprefix('.')}")
        if path.suffix not in TYPES and kind not in ("image/heic", "image/avif", "image/bmp", "image/tiff", "image/jxl"):
            continue  # A data URI of such a type is refused because of its type.
        uri = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
        request = {"model": "tiny-image", "prompt": "a red circle", "mode": "img2img", "steps": 4, "reference_image": uri}
        answer = server.client.post("/generate", json=request)
        if verdict == "read":
            assert answer.status_code == 202, (name, answer.text)
        else:
            detail = failure(answer, 422, "validation_error")["detail"]
            assert detail.startswith("reference_image: ") and words in detail, (name, detail)
        counts[verdict] += 1
    assert counts["read"] > 80 and counts["refused"] > 15, counts
