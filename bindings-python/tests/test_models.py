"""`anisora` from split files and `phr00t` from one file: every mode and parameter, what is refused, what is missing.

Most weights here are random: they show that a parameter has an effect, not which one. Tests of the effect itself use
the trained tiny model.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import must

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "models"))

import wan_files
from clips import Clip, distance, frames, probe
from wan_cases import BLUE, CHANGES, MODES, OFFERS, PROMPT, RED, STILL, STRENGTHS, Still, Strength, given

EVERY_MODE = [(model, mode) for model, modes in MODES.items() for mode in modes]


@contextlib.contextmanager
def studio(place: Path, fill: Callable[[Path], object]) -> Iterator[must.Platform]:
    """A platform with the models that `fill` writes into a folder."""
    models = place / "models"
    models.mkdir()
    fill(models)
    catalog = wan_files.catalog(place / "catalog.json")
    with must.Platform(place / "data", device="cpu", catalog=catalog, models_dir=models) as platform:
        yield platform


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[must.Platform]:
    """A platform with random weights."""
    with studio(tmp_path_factory.mktemp("random"), wan_files.random_weights) as platform:
        yield platform


@pytest.fixture(scope="module")
def trained_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[must.Platform]:
    """A platform with trained weights."""
    with studio(tmp_path_factory.mktemp("trained"), wan_files.trained_weights) as platform:
        yield platform


def start(platform: must.Platform, model: str, mode: str = "t2v", **more: Any) -> must.Task:
    given = {"prompt": PROMPT, "seed": 1, **MODES[model][mode], **more}
    return platform.submit(model, mode=mode, **given)


def clip(platform: must.Platform, model: str, mode: str = "t2v", **more: Any) -> bytes:
    task = start(platform, model, mode, **more)
    task.wait()
    return task.result()


def listed(platform: must.Platform, model: str) -> dict[str, Any]:
    return next(dict(entry) for entry in platform.models() if entry["id"] == model)


def refused(platform: must.Platform, kind: type[must.MustError], *asked: str, **more: Any) -> must.MustError:
    """Asserts that a submission is refused and stored nowhere."""
    before = platform.tasks().total
    with pytest.raises(kind) as caught:
        start(platform, *asked, **more)
    assert platform.tasks().total == before
    return caught.value


def test_both_models_offer_all_their_modes(random_weights: must.Platform) -> None:
    for model, modes in MODES.items():
        entry = listed(random_weights, model)
        assert (entry["available"], entry["modes"]) == (True, list(modes)), entry
    assert all(file in listed(random_weights, "anisora")["files"] for file in wan_files.NETWORKS)
    assert listed(random_weights, "phr00t")["files"].startswith("Wan VACE")


@pytest.mark.parametrize(("model", "mode"), EVERY_MODE)
def test_every_mode(random_weights: must.Platform, model: str, mode: str) -> None:
    task = start(random_weights, model, mode)
    states = list(task)
    assert (states[-1].status, states[-1].mode, states[-1].seed) == (must.Status.DONE, mode, 1), states[-1]
    progress = [state.progress for state in states]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    count = MODES[model][mode].get("num_frames", 5)
    assert probe(task.result()) == Clip("h264", (wan_files.SMALL, wan_files.SMALL), count, "16/1")
    assert clip(random_weights, model, mode) == task.result(), "the same seed gives the same bytes"


@pytest.mark.parametrize(("model", "mode", "more"), CHANGES)
def test_every_parameter_changes_the_result(
    random_weights: must.Platform, model: str, mode: str, more: dict[str, Any]
) -> None:
    assert clip(random_weights, model, mode, **more) != clip(random_weights, model, mode)


def test_pictures_may_be_files_and_data_uris(random_weights: must.Platform, tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    path.write_bytes(RED)
    made = [
        clip(random_weights, "anisora", "arbitrary_frame", arbitrary_frames=[given(0, image), given(8, BLUE)])
        for image in (RED, path)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize("case", STRENGTHS, ids=lambda case: f"{case.model}-{case.name}")
def test_a_higher_strength_brings_a_frame_nearer_to_its_picture(trained_weights: must.Platform, case: Strength) -> None:
    (picture,) = frames(case.picture)
    made = [
        clip(trained_weights, case.model, case.mode, **case.request(value))
        for value in (case.values[0], case.values[-1])
    ]
    loose, firm = (distance(frames(one)[case.frame], picture) for one in made)
    assert loose > firm + 0.5


@pytest.mark.parametrize("case", STILL, ids=lambda case: f"{case.model}-{case.mode}")
def test_a_lower_denoising_strength_brings_a_clip_nearer_to_the_picture(
    trained_weights: must.Platform, case: Still
) -> None:
    made = [frames(clip(trained_weights, case.model, case.mode, **case.request(value))) for value in (0, 0.25, 1)]
    for frame, picture in case.pictures.items():
        assert distance(made[0][frame], frames(picture)[0]) < 8
    still, low, high = (b"".join(one) for one in made)
    assert 1 < distance(low, still) < distance(high, still)


def test_two_frames_at_one_position_are_refused(random_weights: must.Platform) -> None:
    pictures = [given(7, RED), given(9, BLUE)]
    error = refused(random_weights, must.ValidationError, "anisora", "arbitrary_frame", arbitrary_frames=pictures)
    assert "the frames 7 and 9 are given, and both belong at frame 8" in error.detail


def test_the_lighting_variant_selects_the_file(random_weights: must.Platform, tmp_path: Path) -> None:
    with studio(tmp_path, lambda models: wan_files.two_files(models / "phr00t")) as both:
        low, high = (clip(both, "phr00t", "i2v", lighting_variant=noise) for noise in ("low_noise", "high_noise"))
        assert low != high
        assert low == clip(both, "phr00t", "i2v"), "it is the default"
    error = refused(random_weights, must.ValidationError, "phr00t", lighting_variant="high_noise")
    assert "lighting_variant chooses between two files, but this model has only one" in error.detail
    assert "with high_noise in its name" in error.user_action


def test_a_text_to_video_file_refuses_pictures(tmp_path: Path) -> None:
    def fill(models: Path) -> None:
        wan_files.one_file(models / "phr00t" / "rapid-t2v.safetensors", "t2v")

    with studio(tmp_path, fill) as platform:
        assert listed(platform, "phr00t")["modes"] == ["t2v"]
        assert probe(clip(platform, "phr00t")).frames == 5
        error = refused(platform, must.ModelUnavailableError, "phr00t", "i2v")
        assert re.search(r"Wan T2V .* which cannot do i2v, only .*\bt2v\b", error.detail), error


def test_missing_files_are_named_and_can_be_added(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "anisora"
    with studio(tmp_path, lambda _: wan_files.split_files(folder, without=wan_files.LOW_NOISE)) as platform:
        entry = listed(platform, "anisora")
        assert entry["available"] is False
        assert "the low-noise transformer is missing" in entry["unavailable_reason"]
        assert "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors" in entry["user_action"]
        error = refused(platform, must.ModelUnavailableError, "anisora")
        assert (error.detail, error.user_action) == (entry["unavailable_reason"], entry["user_action"])
        wan_files.split_file(folder, wan_files.LOW_NOISE)
        assert listed(platform, "anisora")["available"] is True
        assert probe(clip(platform, "anisora")).frames == 5


def test_a_run_is_cancelled(random_weights: must.Platform) -> None:
    before = clip(random_weights, "anisora")
    task = start(random_weights, "anisora", width=256, height=256, num_frames=33)
    for state in task:
        if state.stage == "denoising":
            task.cancel()
    with pytest.raises(must.CancelledError):
        task.wait()
    with pytest.raises(must.ResultGoneError):
        task.result()
    assert clip(random_weights, "anisora") == before, "the model is as it was"


def test_a_clip_that_does_not_fit_into_memory_is_refused(random_weights: must.Platform) -> None:
    for model in MODES:
        task = start(random_weights, model, width=wan_files.HUGE, height=wan_files.HUGE, num_frames=161)
        with pytest.raises(must.GpuMemoryExceededError) as caught:
            task.wait()
        numbers = re.search(r"needs ([\d.]+) GB at least \(.*\), and there are ([\d.]+) GB", caught.value.detail)
        assert numbers, caught.value.detail
        assert float(numbers[1]) > float(numbers[2])


@pytest.mark.parametrize(("offered", "change"), OFFERS)
def test_a_catalog_that_offers_more_than_the_code_supports_is_refused(
    tmp_path: Path, offered: str, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(must.ValidationError) as caught:
        must.Platform(tmp_path / "data", catalog=wan_files.catalog(tmp_path / "catalog.json", change))
    assert caught.value.detail.startswith(f"anisora: the catalog offers {offered}, which no model of the family wan")
