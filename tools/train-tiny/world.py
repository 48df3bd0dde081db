"""The scenes of the tiny models' training data: one coloured shape that moves over a plain background.

Everything here is deterministic given a ``random.Random``. A *scene* is a dictionary with the keys
``size``, ``colour``, ``shape``, ``motion`` and ``background``; ``render`` turns it into a clip with values in
[-1, 1] and ``caption`` into the sentence that describes it.
"""

import random

import torch

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 50),
    "purple": (140, 60, 190),
    "pink": (245, 130, 180),
}
BACKGROUNDS = {"white": (240, 240, 240), "black": (20, 20, 20), "gray": (125, 125, 125)}
SHAPES = ["circle", "square", "triangle", "cross"]
MOTIONS = {
    "moving left": (-1, 0),
    "moving right": (1, 0),
    "moving up": (0, -1),
    "moving down": (0, 1),
    "standing still": (0, 0),
}
RADII = {"small": 9.0, "large": 15.0}  # pixels, in a frame of NATIVE_SIDE

NATIVE_SIDE = 64
NATIVE_FRAMES = 17
TRAVEL = 26.0  # pixels in a full clip, in a frame of NATIVE_SIDE
JITTER = 4.0  # the start varies by this many pixels in x and in y

WORDS = sorted(
    set("a on background".split())
    | set(COLOURS)
    | set(BACKGROUNDS)
    | set(SHAPES)
    | set(RADII)
    | set(" ".join(MOTIONS).split())
)

# How often each part of the sentence is left out in training captions.
LEAVE_OUT = {"size": 0.12, "colour": 0.03, "shape": 0.03, "motion": 0.12, "background": 0.12}


def random_scene(rng):
    """A scene with every property drawn uniformly."""
    return {
        "colour": rng.choice(list(COLOURS)),
        "shape": rng.choice(SHAPES),
        "motion": rng.choice(list(MOTIONS)),
        "background": rng.choice(list(BACKGROUNDS)),
        "size": rng.choice(list(RADII)),
    }


def random_omissions(rng, rates=None):
    """The parts of the sentence to leave out, drawn independently (see LEAVE_OUT)."""
    rates = LEAVE_OUT if rates is None else rates
    return {part for part, rate in rates.items() if rng.random() < rate}


def caption(scene, leave_out=()):
    """The sentence for a scene, without the parts named in ``leave_out``."""
    words = ["a"]
    words += [scene[part] for part in ("size", "colour", "shape", "motion") if part not in leave_out]
    if "background" not in leave_out:
        words += ["on", "a", scene["background"], "background"]
    return " ".join(words) if len(words) > 1 else ""


def signed_distance(shape, x, y, radius):
    """Distance in pixels from the outline of a shape centred at the origin, negative inside."""
    if shape == "circle":
        return (x * x + y * y).sqrt() - radius
    if shape == "square":
        return torch.maximum(x.abs(), y.abs()) - radius * 0.88
    if shape == "cross":
        arm, half = radius, radius * 0.34
        upright = torch.maximum(x.abs() - half, y.abs() - arm)
        level = torch.maximum(x.abs() - arm, y.abs() - half)
        return torch.minimum(upright, level)
    if shape == "triangle":
        return torch.maximum((x.abs() * 2.0 - (y + radius * 1.1)) * 0.447, y - radius * 0.75)
    raise ValueError(f"unknown shape {shape!r}")


def coverage(shape, centre_x, centre_y, radius, side):
    """How much of each pixel the shape covers: [..., side, side] in [0, 1] (anti-aliased)."""
    grid = torch.arange(side, dtype=torch.float32) + 0.5
    centre_x = torch.as_tensor(centre_x, dtype=torch.float32)[..., None, None]
    centre_y = torch.as_tensor(centre_y, dtype=torch.float32)[..., None, None]
    distance = signed_distance(shape, grid.view(1, -1) - centre_x, grid.view(-1, 1) - centre_y, radius)
    return (0.5 - distance).clamp(0, 1)


def render(scene, rng, frames=NATIVE_FRAMES, side=NATIVE_SIDE, any_colour=0.0):
    """Draw a scene: [3, frames, side, side] in [-1, 1].

    The start is drawn from ``rng``. A clip of fewer than 17 frames is the beginning of the full one. With
    probability ``any_colour`` shape and background take random RGB values instead of the scene's (used to
    train the autoencoder).
    """
    scale = side / NATIVE_SIDE
    step_x, step_y = MOTIONS[scene["motion"]]
    travel = TRAVEL * scale

    def start(direction):
        return side / 2 - direction * travel / 2 + rng.uniform(-JITTER, JITTER) * scale

    start_x, start_y = start(step_x), start(step_y)
    time = torch.arange(frames, dtype=torch.float32) / (NATIVE_FRAMES - 1)
    alpha = coverage(
        scene["shape"],
        start_x + step_x * travel * time,
        start_y + step_y * travel * time,
        RADII[scene["size"]] * scale,
        side,
    )
    shape_rgb, back_rgb = COLOURS[scene["colour"]], BACKGROUNDS[scene["background"]]
    if any_colour and rng.random() < any_colour:
        shape_rgb, back_rgb = ([rng.randint(0, 255) for _ in range(3)] for _ in range(2))
    front = torch.tensor(shape_rgb, dtype=torch.float32).view(3, 1, 1, 1) / 127.5 - 1
    back = torch.tensor(back_rgb, dtype=torch.float32).view(3, 1, 1, 1) / 127.5 - 1
    return back + (front - back) * alpha.unsqueeze(0)


def render_batch(count, rng, frames=NATIVE_FRAMES, side=NATIVE_SIDE, any_colour=0.0):
    """``count`` random scenes and their clips: (list of scenes, [count, 3, frames, side, side])."""
    scenes = [random_scene(rng) for _ in range(count)]
    clips = torch.stack([render(scene, rng, frames, side, any_colour) for scene in scenes])
    return scenes, clips


if __name__ == "__main__":
    for seed in range(8):
        rng = random.Random(seed)
        print(caption(random_scene(rng), random_omissions(rng)))
