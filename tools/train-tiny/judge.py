"""Recognises the properties of a clip by plain image analysis, without a model.

Frames are [3, H, W] in [0, 1]. A frame is read in four steps:

1. background: the median of the outermost two pixels, and the nearest background of the training data;
2. colour: the pixels farthest from the background, their median, and the nearest colour of the training data;
3. mask: how far each pixel is between background and colour, in [0, 1];
4. shape: the mask is compared with drawn templates of the four shapes, over radii and sub-pixel positions; the
   greatest intersection over union is chosen, and its radius gives the size.

Motion is the path of the mask's centroid from the first frame to the last.
"""

import functools
from collections import Counter

import torch

import world

LEAST_CONTRAST = 0.12  # a frame whose pixels are all nearer to the background has no shape
LEAST_IOU = 0.6  # below this a shape is not one of the four
STILL = 6.0  # pixels that a shape standing still may drift
MOVED = 13.0  # pixels that a moving shape must travel at least (half of the full distance)
RADII = [6.0 + 0.75 * step for step in range(19)]  # 6 to 19.5


def _nearest(rgb, palette):
    names = list(palette)
    values = torch.tensor([palette[name] for name in names], dtype=torch.float32) / 255
    return names[int(((values - rgb) ** 2).sum(1).argmin())]


def _border(frame):
    ring = torch.ones(frame.shape[1:], dtype=torch.bool)
    ring[2:-2, 2:-2] = False
    return frame[:, ring]


@functools.lru_cache(maxsize=None)
def _centroid_offset(shape):
    """Centroid of a shape of radius 1, relative to the point that it is drawn around."""
    side = 256
    alpha = world.coverage(shape, side / 2, side / 2, 64.0, side)
    return tuple((value - side / 2) / 64.0 for value in centroid(alpha))


def centroid(mask):
    """Centre of gravity (x, y) of a mask."""
    grid_x = torch.arange(mask.shape[-1]) + 0.5
    grid_y = torch.arange(mask.shape[-2]) + 0.5
    total = mask.sum().clamp(min=1e-6)
    return float((mask.sum(0) * grid_x).sum() / total), float((mask.sum(1) * grid_y).sum() / total)


def _overlaps(mask, shape, radii, shifts):
    """Soft intersection over union with templates of every radius at every shift: [radii, shifts]."""
    x, y = centroid(mask)
    offset_x, offset_y = _centroid_offset(shape)
    radius = torch.tensor(radii).view(-1, 1)
    shift_x, shift_y = torch.tensor(shifts).T
    centres_x, centres_y = x - offset_x * radius + shift_x, y - offset_y * radius + shift_y
    templates = world.coverage(shape, centres_x, centres_y, radius[..., None, None], mask.shape[-1])
    return torch.minimum(templates, mask).sum((2, 3)) / torch.maximum(templates, mask).sum((2, 3))


def match_shape(mask):
    """(shape, radius, intersection over union) of the best template."""
    fine = [(dx, dy) for dx in (-0.5, 0.0, 0.5) for dy in (-0.5, 0.0, 0.5)]
    best = ("none", 0.0, 0.0)
    for shape in world.SHAPES:
        coarse = _overlaps(mask, shape, RADII, [(0.0, 0.0)]).flatten()
        radius = RADII[int(coarse.argmax())]
        near = [radius + step for step in (-0.5, -0.25, 0.0, 0.25, 0.5)]
        overlap = _overlaps(mask, shape, near, fine)
        value = float(overlap.max())
        if value > best[2]:
            best = (shape, near[int(overlap.max(1).values.argmax())], value)
    return best


def read_frame(frame):
    """Background, colour, shape, size, position and fit of one frame."""
    border = _border(frame).median(1).values
    background = _nearest(border, world.BACKGROUNDS)
    distance = (frame - border.view(3, 1, 1)).norm(dim=0)
    result = {"background": background, "colour": None, "shape": None, "size": None, "fit": 0.0, "at": None}
    if distance.max() < LEAST_CONTRAST:
        return result
    inner = frame[:, distance > 0.7 * distance.flatten().topk(8).values[-1]].median(1).values
    result["colour"] = _nearest(inner, world.COLOURS)
    way = inner - border
    mask = ((frame - border.view(3, 1, 1)) * way.view(3, 1, 1)).sum(0) / (way * way).sum()
    mask = mask.clamp(0, 1)
    mask = torch.where(mask < 0.15, torch.zeros_like(mask), mask)
    shape, radius, fit = match_shape(mask)
    if fit >= LEAST_IOU:
        result["shape"] = shape
        small, large = world.RADII["small"], world.RADII["large"]
        scaled = radius * world.NATIVE_SIDE / frame.shape[-1]
        result["size"] = "small" if scaled < (small + large) / 2 else "large"
    result["fit"] = fit
    result["at"] = centroid(mask)
    return result


def _majority(values):
    """The value that more than half of the frames agree on."""
    value, count = Counter(values).most_common(1)[0]
    return value if count * 2 > len(values) else None


def _motion(start, end):
    if start is None or end is None:
        return None
    dx, dy = end[0] - start[0], end[1] - start[1]
    along, across = max(abs(dx), abs(dy)), min(abs(dx), abs(dy))
    if along < STILL:
        return "standing still"
    if along < MOVED or across > STILL:
        return None
    if abs(dx) > abs(dy):
        return "moving right" if dx > 0 else "moving left"
    return "moving down" if dy > 0 else "moving up"


def read_clip(clip, frames=5):
    """What a clip [3, T, H, W] shows: each property by the majority of some frames, motion from first to last."""
    count = clip.shape[1]
    at = sorted({round(step * (count - 1) / max(frames - 1, 1)) for step in range(frames)})
    seen = [read_frame(clip[:, index]) for index in at]
    result = {key: _majority([frame[key] for frame in seen]) for key in ("background", "colour", "shape", "size")}
    result["fit"] = sum(frame["fit"] for frame in seen) / len(seen)
    if count > 1:
        result["motion"] = _motion(seen[0]["at"], seen[-1]["at"])
    return result


def psnr(one, other):
    """Peak signal to noise ratio in dB of two frames in [0, 1]."""
    error = ((one - other) ** 2).mean().clamp(min=1e-10)
    return float(-10 * error.log10())
