"""What `anisora` and `phr00t` are asked for, whatever way it goes there. Pictures are bytes of PNG files."""

from dataclasses import dataclass
from typing import Any

from clips import disc

Parameters = dict[str, Any]

RED = disc(44, (220, 40, 40))
BLUE = disc(20, (50, 80, 220))
GREEN = disc(32, (40, 180, 60))

PROMPT = "a large red circle moving left on a white background"


def given(index: int, image: bytes, **more: Any) -> Parameters:
    """A frame at a place of the clip."""
    return {"frame_index": index, "image": image, **more}


BOTH: Parameters = {"first_frame_image": RED, "last_frame_image": BLUE}

MODES: dict[str, dict[str, Parameters]] = {
    "anisora": {
        "t2v": {},
        "i2v": {"reference_image": RED},
        "first_last_frame": BOTH,
        "arbitrary_frame": {
            "num_frames": 21,
            # The last of them moves to 16.
            "arbitrary_frames": [given(0, RED), given(8, BLUE), given(13, GREEN)],
        },
    },
    "phr00t": {"t2v": {}, "i2v": {"reference_image": RED}, "first_last_frame": BOTH},
}
"""Every mode, with the least that it asks for."""

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

COUNTS = [(model, *change) for model in MODES for change in EVERYWHERE] + [("anisora", *change) for change in ANISORA]
"""What makes another clip of what `MODES` asks for: the model, the mode, and what is asked for besides."""


@dataclass(frozen=True)
class Strength:
    """A parameter that holds a frame of the clip to a picture: the higher, the nearer."""

    name: str
    model: str
    mode: str
    values: tuple[float, ...]
    frame: int
    picture: bytes
    parameters: Parameters

    def request(self, value: float) -> Parameters:
        """What is asked for at this value."""
        if self.name == "strength":
            return {**self.parameters, "arbitrary_frames": [given(self.frame, self.picture, strength=value)]}
        return {**self.parameters, self.name: value}


STRENGTHS = [
    Strength("reference_strength", "anisora", "i2v", (0.1, 0.5, 1.0), 0, RED, {"reference_image": RED}),
    Strength("reference_strength", "phr00t", "i2v", (0.5, 0.75, 1.0), 0, RED, {"reference_image": RED}),
    *(
        Strength(name, model, "first_last_frame", (0.5, 0.75, 1.0), frame, picture, BOTH)
        for model in MODES
        for name, frame, picture in (("first_strength", 0, RED), ("last_strength", 4, BLUE))
    ),
    Strength("strength", "anisora", "arbitrary_frame", (0.1, 0.5, 1.0), 8, RED, {"num_frames": 17}),
]
"""Tried with weights that were trained: those that were drawn at random show no direction."""
