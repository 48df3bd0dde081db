"""Refused requests: each error has its code, a detail that names the fault, and advice, and no task is stored."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import pytest

import must
from support import QUICK, bomb, data_uri, png

CYCLE: list[Any] = []
CYCLE.append(CYCLE)

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no prompt": ({"prompt": None}, "prompt is required"),
    "empty prompt": ({"prompt": ""}, "prompt must not be blank"),
    "blank prompt": ({"prompt": " \t\n"}, "prompt must not be blank"),
    "long prompt": ({"prompt": "x" * 2001}, "at most 2000 characters"),
    "long prompt in wide characters": ({"prompt": "é" * 2001}, "at most 2000 characters"),
    "prompt of another type": ({"prompt": 5}, "prompt must be a string"),
    "prompt that is not Unicode": ({"prompt": "\ud800"}, "prompt holds a character"),
    "long negative prompt": ({"negative_prompt": "x" * 1001}, "at most 1000 characters"),
    "unknown model": ({"model": "no-such"}, "no-such"),
    "model of another type": ({"model": 5}, "model must be a string"),
    "unknown mode": ({"mode": "no-such"}, "no-such"),
    "mode of another type": ({"mode": 5}, "mode must be a string"),
    "mode of another model": ({"mode": "img2img"}, "img2img"),
    "unknown parameter": ({"no_such": 1}, "no_such"),
    "parameter of another model": ({"sampler": "Euler"}, "sampler"),
    "parameter of another mode": ({"reference_image": png()}, "reference_image does not apply"),
    "text for a number": ({"steps": "ten"}, "steps must be"),
    "boolean for a number": ({"steps": True}, "steps must be"),
    "list for a number": ({"steps": [10]}, "steps must be"),
    "dict for a number": ({"steps": {"a": 1}}, "steps must be"),
    "bytes for a number": ({"steps": b"10"}, "steps"),
    "fraction for a whole number": ({"steps": 10.5}, "steps must be"),
    "NaN": ({"guidance_scale": math.nan}, "guidance_scale must be a finite number"),
    "infinity": ({"guidance_scale": math.inf}, "guidance_scale must be a finite number"),
    "minus infinity": ({"guidance_scale": -math.inf}, "guidance_scale must be a finite number"),
    "number beyond 64 bits": ({"seed": 1 << 70}, "seed is too large"),
    "seed too large": ({"seed": 1 << 31}, "seed"),
    "steps too few": ({"steps": 3}, "steps"),
    "width off the step": ({"width": 65}, "width"),
    "frames off the step": ({"num_frames": 6}, "num_frames"),
    "unknown choice": ({"output_format": "gif"}, "output_format"),
    "object of another kind": ({"steps": object()}, "steps cannot be of type object"),
    "list that holds itself": ({"steps": CYCLE}, "nested too deeply"),
    "missing image": ({"mode": "i2v"}, "reference_image is required"),
    "missing last frame": ({"mode": "first_last_frame", "first_frame_image": png()}, "last_frame_image is required"),
    "image that is no image": ({"mode": "i2v", "reference_image": b"no image"}, "reference_image"),
    "empty image": ({"mode": "i2v", "reference_image": b""}, "reference_image"),
    "cut image": ({"mode": "i2v", "reference_image": png()[:60]}, "reference_image"),
    "image that lies about its format": (
        {"mode": "i2v", "reference_image": data_uri(png(), "image/jpeg")},
        "reference_image",
    ),
    "text that is no data URI": ({"mode": "i2v", "reference_image": "picture.png"}, "reference_image"),
    "image of another type": ({"mode": "i2v", "reference_image": 5}, "reference_image"),
    "locked value changed": ({"model": "anisora", "steps": 9}, "steps"),
    "key that is no string": (
        {"model": "anisora", "mode": "arbitrary_frame", "arbitrary_frames": [{1: 2}]},
        "a key of arbitrary_frames[0] must be a string",
    ),
    "frame without an image": (
        {"model": "anisora", "mode": "arbitrary_frame", "arbitrary_frames": [{"frame_index": 0}]},
        "arbitrary_frames",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_requests(shared: must.Platform, name: str) -> None:
    given, named = INVALID[name]
    request = {"model": "tiny-video", "prompt": "a red circle moving left", **given}
    before = shared.tasks().total
    with pytest.raises(must.ValidationError) as caught:
        shared.submit(**request)
    error = caught.value
    assert error.code == must.ErrorCode.VALIDATION_ERROR
    assert named in error.detail
    assert error.user_action
    assert "\n" not in str(error)
    assert shared.tasks().total == before


def test_an_image_with_more_pixels_than_fit_into_memory(shared: must.Platform) -> None:
    before = shared.tasks().total
    with pytest.raises((must.PayloadTooLargeError, must.ValidationError)) as caught:
        shared.submit("tiny-video", "a red circle moving left", mode="i2v", reference_image=bomb())
    assert "reference_image" in caught.value.detail
    assert caught.value.user_action
    assert shared.tasks().total == before


def test_a_model_without_weights(shared: must.Platform) -> None:
    before = shared.tasks().total
    with pytest.raises(must.ModelUnavailableError) as caught:
        shared.submit("flux", "a red circle")
    assert "flux" in caught.value.user_action
    assert shared.tasks().total == before


def test_a_text_file_for_an_image(shared: must.Platform, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_text("text")
    with path.open() as file, pytest.raises(must.ValidationError, match="binary mode"):
        shared.submit("tiny-video", "a", mode="i2v", reference_image=file)  # type: ignore[arg-type]


@pytest.mark.parametrize("id", ["", "no-such", "../../etc/passwd", "x" * 10_000, "\0"])
def test_unknown_tasks(shared: must.Platform, id: str) -> None:
    for call in (shared.task, shared.delete):
        with pytest.raises(must.TaskNotFoundError) as caught:
            call(id)
        assert caught.value.user_action


@pytest.mark.parametrize(
    "query",
    [
        {"status": "no-such"},
        {"model": "no-such"},
        {"type": "audio"},
        {"sort": "random"},
        {"page": -1},
        {"page": "first"},
        {"per_page": 101},
        {"no_such": 1},
    ],
)
def test_invalid_listings(shared: must.Platform, query: dict[str, Any]) -> None:
    for call in (shared.tasks, shared.gallery):
        with pytest.raises(must.ValidationError):
            call(**query)


@pytest.mark.parametrize(
    "settings",
    [
        {"device": "toaster"},
        {"threads": -1},
        {"queue_wait_seconds": -1.0},
        {"queue_wait_seconds": math.nan},
        {"lanes": "tiny-image"},
        {"lanes": ["no-such"]},
        {"catalog": "/no/such/catalog.json"},
        {"no_such": 1},
    ],
)
def test_invalid_settings(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(must.ValidationError) as caught:
        must.Platform(tmp_path, **settings)
    [(name, value)] = settings.items()
    assert name in caught.value.detail or str(value[0]) in caught.value.detail
    assert " at line " not in caught.value.detail
    assert caught.value.user_action


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in (file, file / "below"):
        with pytest.raises(must.DependencyUnavailableError) as caught:
            must.Platform(folder)
        assert str(file) in caught.value.detail
        assert caught.value.user_action
    assert file.read_text() == "mine"


def test_a_folder_that_is_open_already(platform: must.Platform, tmp_path: Path) -> None:
    with pytest.raises(must.DataDirLockedError) as caught:
        must.Platform(tmp_path / "data")
    assert caught.value.retryable
    platform.submit("tiny-image", "a red circle", **QUICK).wait()


def test_errors_can_be_copied_and_pickled() -> None:
    error = must.ValidationError("what happened", "what to do")
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is must.ValidationError
        assert (again.detail, again.user_action, again.__notes__) == ("what happened", "what to do", ["what to do"])


def test_an_invalid_timeout(picture: must.Task) -> None:
    with pytest.raises(must.ValidationError):
        picture.wait(math.nan)
