"""Requests for `pony` and `flux`, shared by all interfaces. Pictures are bytes of PNG files."""

from typing import Any

from clips import disc

Parameters = dict[str, Any]

RED = disc(44, (220, 40, 40))
BLUE = disc(20, (50, 80, 220))

PROMPT = "score_9, a (red:1.3) cat on a blue chair"

SIDE = 64
"""Pixels of a side of a picture in the tests' catalog."""

MODES: dict[str, dict[str, Parameters]] = {
    model: {"txt2img": {}, "img2img": {"reference_image": RED}} for model in ("pony", "flux")
}
"""Every mode with its required parameters."""

EVERYWHERE: list[tuple[str, Parameters]] = [
    ("txt2img", {"prompt": "a dog"}),
    ("txt2img", {"prompt": PROMPT + ", " + "long grass, " * 60 + "evening"}),
    ("txt2img", {"seed": 2}),
    ("txt2img", {"width": 80}),
    ("txt2img", {"height": 80}),
    ("txt2img", {"steps": 22}),
    ("txt2img", {"output_format": "webp"}),
    ("img2img", {"reference_image": BLUE}),
    ("img2img", {"denoising_strength": 0.3}),
]

PONY: list[tuple[str, Parameters]] = [
    ("txt2img", {"prompt": PROMPT.replace("(red:1.3)", "red")}),
    ("txt2img", {"prompt": PROMPT + " BREAK a dog"}),
    ("txt2img", {"negative_prompt": "blurry"}),
    ("txt2img", {"cfg_scale": 3.0}),
    ("txt2img", {"sampler": "Euler a"}),
    ("txt2img", {"sampler": "DPM++ SDE Karras"}),
    ("txt2img", {"clip_skip": 1}),
    ("txt2img", {"clip_skip": 3}),
    ("txt2img", {"clip_skip": 4}),
]

FLUX: list[tuple[str, Parameters]] = [
    ("txt2img", {"guidance_scale": 1.5}),
    ("txt2img", {"negative_prompt": "blurry"}),
    ("txt2img", {"sampler": "flow-matching"}),
]

CHANGES = (
    [(model, *change) for model in MODES for change in EVERYWHERE]
    + [("pony", *change) for change in PONY]
    + [("flux", *change) for change in FLUX]
)
"""Parameters that change the result of the requests in `MODES`: the model, the mode and the parameters."""
