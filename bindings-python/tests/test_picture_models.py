"""`pony` and `flux` from small files with the real layouts."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import must

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "models"))

import small
from clips import probe
from picture_cases import CHANGES, MODES, PROMPT, SIDE, Parameters


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[must.Platform]:
    """A platform with both models."""
    place = tmp_path_factory.mktemp("pictures")
    catalog = small.catalog(place / "catalog.json")
    with must.Platform(place / "data", device="cpu", catalog=catalog, models_dir=small.folder()) as opened:
        yield opened


def picture(platform: must.Platform, model: str, mode: str = "txt2img", **more: Any) -> bytes:
    asked = {"prompt": PROMPT, "seed": 1, **MODES[model][mode], **more}
    task = platform.submit(model, mode=mode, **asked)
    task.wait()
    return task.result()


@pytest.mark.parametrize("model", MODES)
def test_every_mode(platform: must.Platform, model: str) -> None:
    (entry,) = (entry for entry in platform.models() if entry["id"] == model)
    assert (entry["available"], entry["modes"]) == (True, list(MODES[model])), entry
    for mode in MODES[model]:
        made = picture(platform, model, mode)
        assert probe(made).size == (SIDE, SIDE)
        assert picture(platform, model, mode) == made, "the same seed gives the same bytes"


@pytest.mark.parametrize(("model", "mode", "more"), CHANGES)
def test_every_parameter_changes_the_result(platform: must.Platform, model: str, mode: str, more: Parameters) -> None:
    assert picture(platform, model, mode, **more) != picture(platform, model, mode)


@pytest.mark.parametrize("model", MODES)
def test_pictures_of_any_size_are_fitted(platform: must.Platform, model: str) -> None:
    Image = pytest.importorskip("PIL.Image")
    for size in ((200, 31), (64, 64), (33, 150)):
        reference = Image.new("RGB", size, (220, 40, 40))
        made = picture(
            platform, model, "img2img", reference_image=reference, denoising_strength=0.2, width=96, height=48
        )
        assert probe(made).size == (96, 48)


def test_unsupported_requests_are_refused(platform: must.Platform) -> None:
    with pytest.raises(must.MustError, match="clip_skip"):
        picture(platform, "flux", clip_skip=2)
    with pytest.raises(must.MustError, match="sampler"):
        picture(platform, "pony", sampler="flow-matching")


def test_exif_orientation_is_applied(platform: must.Platform) -> None:
    """The orientation is applied before the picture is cropped."""
    Image = pytest.importorskip("PIL.Image")
    import io

    upright = Image.new("RGB", (64, 64), (240, 240, 240))
    upright.paste((220, 40, 40), (0, 0, 64, 20))
    tilted = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 3
    upright.transpose(Image.Transpose.ROTATE_180).save(tilted, "PNG", exif=exif)
    plain = io.BytesIO()
    upright.save(plain, "PNG")
    for model in MODES:
        one, other = (
            picture(platform, model, "img2img", reference_image=data.getvalue(), denoising_strength=0.3)
            for data in (plain, tilted)
        )
        assert one == other
