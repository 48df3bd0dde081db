"""Results as pixels: for Pillow, for numpy, and without either."""

import asyncio
import copy
import pickle
from pathlib import Path

import numpy
import pytest
from PIL import Image

import must
from support import QUICK_CLIP, run_script


def test_a_result_is_bytes_with_a_type_and_a_name(picture: must.Task, clip: must.Task) -> None:
    result = picture.result()
    assert isinstance(result, bytes)
    assert (result.content_type, result.file_name.endswith(".png")) == ("image/png", True)
    assert result[:4] == b"\x89PNG"
    assert repr(result) == f"<must.Media image/png, {len(result)} bytes>"
    assert clip.result().content_type == "video/mp4"
    assert clip.preview().content_type == "image/jpeg"
    for again in (copy.copy(result), pickle.loads(pickle.dumps(result))):
        assert (again, again.content_type, again.file_name) == (result, result.content_type, result.file_name)


def test_a_picture_for_pillow_and_numpy(picture: must.Task) -> None:
    image = picture.result().image()
    assert (image.size, image.mode, image.format) == ((64, 64), "RGB", "PNG")
    frames = picture.result().frames()
    assert (frames.shape, frames.dtype) == ((1, 64, 64, 3), numpy.uint8)
    assert (frames[0] == numpy.asarray(image)).all()
    frames[0, 0, 0] = 1
    preview = picture.preview()
    # Two JPEG decoders may differ by one in each of the three stored components. In blue this is at most 1 + 1.772,
    # which is 3 when it is rounded.
    apart = abs(preview.frames()[0].astype(int) - numpy.asarray(preview.image()))
    assert (apart.max() <= 3, apart.mean() < 0.05) == (True, True)


def test_the_frames_of_a_clip(shared: must.Platform, clip: must.Task) -> None:
    frames = clip.result().frames()
    assert (frames.shape, frames.dtype) == ((5, 64, 64, 3), numpy.uint8)
    # The preview is the first frame.
    first = numpy.asarray(clip.preview().image()).astype(int)
    assert abs(frames[0] - first).mean() < 6
    with pytest.raises(must.ValidationError, match="a clip, not a picture") as caught:
        clip.result().image()
    assert "frames()" in caught.value.user_action
    # A frame can be used as a picture, and a result as input of the next request.
    again = shared.submit("tiny-video", "a circle", mode="i2v", reference_image=frames[-1], seed=1, **QUICK_CLIP)
    again.wait()
    same = shared.submit(
        "tiny-video", "a circle", mode="i2v", reference_image=Image.fromarray(frames[-1]), seed=1, **QUICK_CLIP
    )
    same.wait()
    assert again.result() == same.result()


def test_a_webm_clip_cannot_be_decoded(shared: must.Platform) -> None:
    task = shared.submit("tiny-video", "a circle", output_format="webm", **QUICK_CLIP)
    task.wait()
    with pytest.raises(must.ValidationError, match="WebM") as caught:
        task.result().frames()
    assert "mp4" in caught.value.user_action


def test_a_damaged_clip_is_refused(clip: must.Task) -> None:
    whole = clip.result()
    with pytest.raises(must.ValidationError, match="damaged"):
        must.Media(whole[:-100], whole.content_type, whole.file_name).frames()


def test_asyncio_gives_the_same(tmp_path: Path) -> None:
    async def run() -> None:
        async with must.AsyncPlatform(tmp_path / "data", device="cpu") as platform:
            task = await platform.submit("tiny-video", "a circle", **QUICK_CLIP)
            await task
            frames = await asyncio.to_thread((await task.result()).frames)
            assert frames.shape == (5, 64, 64, 3)
            assert (await task.preview()).image().size == (64, 64)

    asyncio.run(run())


def test_pillow_and_numpy_are_optional_and_not_imported(tmp_path: Path) -> None:
    """Without both, everything else works, and the error says what to install."""
    code = """
        import sys
        sys.modules["numpy"] = None
        sys.modules["PIL"] = None
        import must
        with must.Platform(sys.argv[1], device="cpu") as platform:
            task = platform.submit("tiny-image", "a circle", steps=4)
            task.wait()
            for call, package in ((task.result().image, "pillow"), (task.result().frames, "numpy")):
                try:
                    call()
                except must.DependencyUnavailableError as error:
                    assert f"pip install {package}" in error.user_action, error.user_action
                else:
                    raise AssertionError("nothing was raised")
            again = platform.submit("tiny-image", "a circle", mode="img2img", reference_image=task.result(), steps=4)
            again.wait()
    """
    run_script(code, tmp_path / "data")
    run_script("import must, sys\nassert not {'numpy', 'PIL', 'torch'} & sys.modules.keys()")
