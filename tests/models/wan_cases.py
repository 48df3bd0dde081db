"""Requests for `anisora` and `phr00t`, shared by all interfaces. Pictures are bytes of PNG files."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clips import SIDE, disc

Parameters = dict[str, Any]

RED = disc(44, (220, 40, 40))
BLUE = disc(20, (50, 80, 220))
GREEN = disc(32, (40, 180, 60))

PROMPT = "a large red circle moving left on a white background"
"""The prompt for the pictures, in the form of the tiny model's training data."""

TRUE_SIZE: Parameters = {"width": SIDE, "height": SIDE}
"""The size of the pictures, for requests whose frames are compared with them."""


def given(index: int, image: bytes, **more: Any) -> Parameters:
    """A frame at a position of the clip."""
    return {"frame_index": index, "image": image, **more}


BOTH: Parameters = {"first_frame_image": RED, "last_frame_image": BLUE}

MODES: dict[str, dict[str, Parameters]] = {
    "anisora": {
        "t2v": {},
        "i2v": {"reference_image": RED},
        "first_last_frame": BOTH,
        "arbitrary_frame": {
            "num_frames": 21,
            # The frame 13 moves to 16, the nearest multiple of 8.
            "arbitrary_frames": [given(0, RED), given(8, BLUE), given(13, GREEN)],
        },
    },
    "phr00t": {"t2v": {}, "i2v": {"reference_image": RED}, "first_last_frame": BOTH},
}
"""Every mode with its required parameters."""

EVERYWHERE: list[tuple[str, Parameters]] = [
    ("t2v", {"prompt": "a small blue triangle standing still on a black background"}),
    ("t2v", {"seed": 2}),
    ("t2v", {"width": 48}),
    ("t2v", {"height": 48}),
    ("t2v", {"num_frames": 9}),
    ("t2v", {"fps": 24}),
    ("t2v", {"output_format": "webm"}),
    ("i2v", {"reference_image": BLUE}),
    ("i2v", {"reference_strength": 0.5}),
    ("i2v", {"denoising_strength": 0.25}),
    ("first_last_frame", {"first_frame_image": GREEN}),
    ("first_last_frame", {"last_frame_image": GREEN}),
    ("first_last_frame", {"first_strength": 0.5}),
    ("first_last_frame", {"last_strength": 0.5}),
]

ANISORA: list[tuple[str, Parameters]] = [
    ("t2v", {"motion_score": 4.0}),
    ("t2v", {"guidance_scale": 3.0}),
    ("arbitrary_frame", {"arbitrary_frames": [given(0, RED, strength=0.3), given(8, BLUE), given(13, GREEN)]}),
    ("arbitrary_frame", {"arbitrary_frames": [given(0, RED), given(8, BLUE, strength=0.3), given(13, GREEN)]}),
    ("arbitrary_frame", {"arbitrary_frames": [given(0, RED), given(8, BLUE), given(20, GREEN)]}),
    ("arbitrary_frame", {"denoising_strength": 0.25}),
]

CHANGES = [(model, *change) for model in MODES for change in EVERYWHERE] + [("anisora", *change) for change in ANISORA]
"""Parameters that change the result of the requests in `MODES`: the model, the mode and the parameters."""


@dataclass(frozen=True)
class Strength:
    """A strength parameter. The higher it is, the nearer a frame of the clip is to its picture."""

    name: str
    model: str
    mode: str
    values: tuple[float, ...]
    frame: int
    picture: bytes

    def request(self, value: float) -> Parameters:
        """The parameters of the request with this value."""
        if self.mode == "arbitrary_frame":
            frames = [given(self.frame, self.picture, strength=value)]
            return {**TRUE_SIZE, "num_frames": 17, "arbitrary_frames": frames}
        return {**TRUE_SIZE, self.name: value}


STRENGTHS = [
    Strength("reference_strength", "anisora", "i2v", (0.1, 0.5, 1.0), 0, RED),
    Strength("reference_strength", "phr00t", "i2v", (0.5, 0.75, 1.0), 0, RED),
    *(
        Strength(name, model, "first_last_frame", (0.5, 0.75, 1.0), frame, picture)
        for model in MODES
        for name, frame, picture in (("first_strength", 0, RED), ("last_strength", 4, BLUE))
    ),
    Strength("strength", "anisora", "arbitrary_frame", (0.1, 0.5, 1.0), 8, RED),
]
"""Only for trained weights: random weights show an effect, but not its direction."""


@dataclass(frozen=True)
class Still:
    """The result of a denoising strength of 0: a still clip that shows the nearest picture at each frame."""

    model: str
    mode: str
    parameters: Parameters
    pictures: dict[int, bytes]
    """Some of the frames."""

    def request(self, value: float) -> Parameters:
        """The parameters of the request with this value."""
        return {**TRUE_SIZE, **self.parameters, "denoising_strength": value}


STILL = [
    Still("anisora", "i2v", {}, {0: RED, 4: RED}),
    Still("phr00t", "i2v", {}, {0: RED, 4: RED}),
    Still(
        "anisora",
        "arbitrary_frame",
        {"num_frames": 9, "arbitrary_frames": [given(0, RED), given(8, BLUE)]},
        {0: RED, 4: RED, 8: BLUE},
    ),
]
"""Only for trained weights."""

SAMPLERS = ["UniPC", "Euler", "DPM++ 2M", "Euler a", "SA-Solver", "iPNDM"]
"""Samplers that a catalog may offer for a model of the family."""


def sampler(choices: list[str]) -> Parameters:
    """The parameter that chooses one of these."""
    return {"default": choices[0], "choices": choices}


HUE = {"type": "number", "label": "Hue", "default": 0.0, "minimum": 0.0, "maximum": 1.0}

OFFERS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("the mode inpaint", lambda models: models["anisora"]["modes"].append("inpaint")),
    ("the parameter hue", lambda models: models["anisora"]["parameters"].update(hue=HUE)),
    ("the sampler Heun", lambda models: models["anisora"]["parameters"].update(sampler=sampler([*SAMPLERS, "Heun"]))),
    ("the sampler Heun", lambda models: models["anisora"]["sampling"].update(sampler="Heun")),
]
"""Offers that no model of the family supports, with the change of the catalog that makes the offer."""
