"""Pictures in every supported form; everything else is a MustError."""

import array
import asyncio
import contextlib
import io
import mmap
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from fastapi import FastAPI, UploadFile
from fastapi.testclient import TestClient
from PIL import Image, ImageCms

import must
from must import _images
from support import QUICK, data_uri, png

COLOUR = (200, 40, 40)
"""The colour of `png()`."""


def pixels(shape: tuple[int, ...] = (64, 64, 3), colour: tuple[int, ...] = COLOUR) -> Any:
    return numpy.full(shape, colour if len(shape) == 3 else colour[0], numpy.uint8)


def result_of(platform: must.Platform, image: Any, **more: Any) -> bytes:
    task = platform.submit("tiny-image", "a circle", mode="img2img", reference_image=image, seed=3, **QUICK, **more)
    task.wait()
    return task.result()


@contextlib.contextmanager
def closing(*given: Any) -> Iterator[Any]:
    """Give the first object to the block, and close all objects that have `close` at its end."""
    with contextlib.ExitStack() as stack:
        for one in given:
            if hasattr(one, "close"):
                stack.callback(one.file.close if isinstance(one, UploadFile) else one.close)
        yield given[0]


@pytest.fixture(scope="module")
def expected(shared: must.Platform) -> bytes:
    return result_of(shared, png())


def at(file: Any, position: int) -> Any:
    file.write(png())
    file.seek(position)
    return file


def written(path: Path) -> Path:
    path.write_bytes(png())
    return path


def mapped(path: Path) -> mmap.mmap:
    with written(path).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class Tensor:
    """The part of a torch tensor that is used."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self) -> Any:
        return self.values


class Stream:
    """A file that cannot seek and returns few bytes at a time, such as one of a socket."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(min(size, 100))


class Everything:
    """A file that can only be read as a whole."""

    def read(self) -> bytes:
        return png()


FORMS: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda _: png(),
    "bytearray": lambda _: bytearray(png()),
    "memoryview": lambda _: memoryview(png()),
    "part of a memoryview": lambda _: memoryview(b"before" + png() + b"after")[6:-5],
    "array.array": lambda _: array.array("B", png()),
    "mmap": lambda path: mapped(path / "mapped.png"),
    "array of a file's bytes": lambda _: numpy.frombuffer(png(), numpy.uint8),
    "path": lambda path: written(path / "ein Bild ü.png"),
    "path as text": lambda path: os.fspath(written(path / "text ü.png")),
    "path that is not Unicode": lambda path: written(Path(os.fsdecode(os.fsencode(path) + b"/\xff.png"))),
    "data URI": lambda _: data_uri(png()),
    "open file": lambda path: written(path / "open.png").open("rb"),
    "unbuffered file": lambda path: written(path / "raw.png").open("rb", buffering=0),
    "BytesIO at its start": lambda _: at(io.BytesIO(), 0),
    "BytesIO in its middle": lambda _: at(io.BytesIO(), 17),
    "BytesIO at its end": lambda _: at(io.BytesIO(), len(png())),
    "temporary file at its end": lambda _: at(tempfile.TemporaryFile(), len(png())),  # noqa: SIM115
    "spooled file at its end": lambda _: at(tempfile.SpooledTemporaryFile(), len(png())),  # noqa: SIM115
    "stream": lambda _: Stream(png()),
    "file that is read whole": lambda _: Everything(),
    "file of an upload": lambda _: UploadFile(io.BytesIO(png())).file,
    "Pillow RGB": lambda _: Image.new("RGB", (64, 64), COLOUR),
    "Pillow RGBA": lambda _: Image.new("RGBA", (64, 64), COLOUR),
    "Pillow palette": lambda _: Image.new("RGB", (64, 64), COLOUR).convert("P", palette=Image.Palette.ADAPTIVE),
    "Pillow HSV": lambda _: Image.new("RGB", (64, 64), COLOUR).convert("HSV"),
    "Pillow, opened and not loaded": lambda path: Image.open(written(path / "lazy.png")),
    "array HxWx3": lambda _: pixels(),
    "array HxWx4": lambda _: pixels((64, 64, 4), (*COLOUR, 255)),
    "array in another order": lambda _: numpy.asfortranarray(pixels()),
    "array with gaps": lambda _: numpy.full((128, 64, 3), COLOUR, numpy.uint8)[::-2],
    "array, read-only": lambda _: numpy.asarray(Image.new("RGB", (64, 64), COLOUR)),
    "tensor": lambda _: Tensor(pixels()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_in_every_form(shared: must.Platform, expected: bytes, tmp_path: Path, form: str) -> None:
    with closing(FORMS[form](tmp_path)) as image:
        got = result_of(shared, image)
    if form == "Pillow HSV":
        # The conversion back is not exact.
        assert abs(decoded(got).astype(int) - decoded(expected)).mean() < 3
    else:
        assert got == expected


def decoded(data: bytes) -> Any:
    return numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_file_keeps_its_position(shared: must.Platform) -> None:
    file = at(io.BytesIO(), 17)
    for _ in range(2):
        result_of(shared, file)
        assert file.tell() == 17


def test_frames_of_a_list_in_every_form(tmp_path: Path) -> None:
    images = [form(tmp_path) for form in FORMS.values()]
    entries = [{"frame_index": index, "image": image} for index, image in enumerate(images)]
    # The weights are missing, which is checked after the pictures.
    with (
        closing(*images),
        must.Platform(tmp_path / "data", paused=True) as platform,
        pytest.raises(must.ModelUnavailableError),
    ):
        platform.submit("anisora", "a circle", mode="arbitrary_frame", arbitrary_frames=entries, num_frames=81)


def test_axes_and_channels_of_arrays() -> None:
    grey = decoded(_images.plain("image", numpy.array([[0, 128], [200, 255]], numpy.uint8), True))  # type: ignore[arg-type]
    assert grey[..., 0].tolist() == [[0, 128], [200, 255]]
    assert (grey[..., 0] == grey[..., 2]).all()
    single = decoded(_images.plain("image", numpy.array([[[7]], [[9]]], numpy.uint8), True))  # type: ignore[arg-type]
    assert single.shape == (2, 1, 3)
    # Axes are height, width, RGBA; transparent pixels become white.
    wide = numpy.zeros((2, 5, 4), numpy.uint8)
    wide[0, 4] = (10, 20, 30, 255)
    shown = decoded(_images.plain("image", wide, True))  # type: ignore[arg-type]
    assert shown.shape == (2, 5, 3)
    assert shown[0, 4].tolist() == [10, 20, 30]
    assert shown[1, 0].tolist() == [255, 255, 255]


def test_colour_profiles_and_depths_of_pillow_are_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (4, 4), COLOUR)
    image.info["icc_profile"] = profile
    exif = image.getexif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    made = Image.open(io.BytesIO(_images.plain("image", image, True)))  # type: ignore[arg-type]
    assert made.info["icc_profile"] == profile
    # Without the EXIF orientation the pixels are not rotated again.
    assert not made.getexif()
    inks = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    inks.info["icc_profile"] = b"a profile of inks"
    made = Image.open(io.BytesIO(_images.plain("image", inks, True)))  # type: ignore[arg-type]
    assert (made.mode, "icc_profile" in made.info, made.getpixel((0, 0))) == ("RGB", False, (255, 0, 0))
    deep = Image.fromarray(numpy.full((4, 4), 40_000, numpy.uint16))
    assert Image.open(io.BytesIO(_images.plain("image", deep, True))).getextrema()[0] > 30_000  # type: ignore[arg-type,operator]


class Unreadable:
    def read(self, size: int = -1) -> bytes:
        raise RuntimeError("the disk is on fire\nand more")


class Asynchronous:
    def __init__(self) -> None:
        self.inner = io.BytesIO(png())

    async def read(self, size: int = -1) -> bytes:
        return self.inner.read(size)


class Disguised:
    def read(self, size: int = -1) -> Any:
        return Asynchronous().read()


class NotReady:
    def read(self, size: int = -1) -> bytes | None:
        return None


class OnTheGpu:
    def __array__(self) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")


def closed_file() -> io.BytesIO:
    file = io.BytesIO(png())
    file.close()
    return file


REFUSED: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "floats": (lambda _: numpy.zeros((64, 64, 3)), "an array of float64", "* 255"),
    "halves": (lambda _: numpy.zeros((64, 64, 3), numpy.float16), "an array of float16", "* 255"),
    "Pillow of floats": (lambda _: Image.new("F", (8, 8)), "mode F", "* 255"),
    "wide integers": (lambda _: numpy.zeros((64, 64, 3), numpy.int64), "int64, not of uint8", "uint8"),
    "booleans": (lambda _: numpy.zeros((64, 64), bool), "bool, not of uint8", "uint8"),
    "complex": (lambda _: numpy.zeros((64, 64), complex), "complex128", "uint8"),
    "objects": (lambda _: numpy.full((2, 2), None), "object", ""),
    "times": (lambda _: numpy.zeros((2, 2), "datetime64[s]"), "cannot be read", ""),
    "channels first": (lambda _: pixels((3, 64, 64), (1,) * 64), "3x64x64", "transpose"),
    "many pictures": (lambda _: numpy.zeros((5, 64, 64, 3), numpy.uint8), "5x64x64x3", "array[0]"),
    "two channels": (lambda _: numpy.zeros((64, 64, 2), numpy.uint8), "64x64x2", "height by width"),
    "numbers in a row": (lambda _: numpy.zeros(8), "an array of float64", ""),
    "no pixels": (lambda _: numpy.zeros((0, 64, 3), numpy.uint8), "no pixels", ""),
    "too wide": (lambda _: numpy.zeros((1, 9000), numpy.uint8), "9000", "smaller"),
    "memory of the GPU": (lambda _: OnTheGpu(), "cannot be read: TypeError: can't convert cuda:0", ""),
    "missing path": (lambda path: path / "missing.png", "there is no file", "path"),
    "missing path as text": (lambda path: str(path / "missing.png"), "there is no file", "path"),
    "folder": (lambda path: path, "is a folder", "file"),
    "device": (lambda _: Path("/dev/zero"), "not a plain file", "file"),
    "address": (lambda _: "https://example.com/picture.png", "https address", "Download"),
    "text for base64": (lambda _: "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAI" * 1000, "neither a data URI nor", "data:"),
    "text file": (lambda path: written(path / "text.png").open(), "binary mode", "rb"),
    "StringIO": (lambda _: io.StringIO("text"), "binary mode", "rb"),
    "closed file": (lambda _: closed_file(), "cannot be read: ValueError: I/O operation on closed file", ""),
    "empty file": (lambda _: io.BytesIO(), "empty", ""),
    "file that fails": (lambda _: Unreadable(), "cannot be read: RuntimeError: the disk is on fire", ""),
    "file that gives nothing yet": (lambda _: NotReady(), "read returned NoneType", ""),
    "upload": (lambda _: UploadFile(io.BytesIO(png())), "async read", "await upload.read()"),
    "asynchronous file": (lambda _: Asynchronous(), "async read", "AsyncPlatform"),
    "file that gives a coroutine": (lambda _: Disguised(), "async read", "AsyncPlatform"),
    "coroutine": (lambda _: UploadFile(io.BytesIO(png())).read(), "async read", "await upload.read()"),
    "damaged Pillow image": (lambda path: Image.open(io.BytesIO(png()[:-40])), "cannot be read: OSError", ""),
    "a set": (lambda _: {1, 2}, "cannot be of type set", ""),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_objects_are_a_must_error(shared: must.Platform, tmp_path: Path, kind: str) -> None:
    make, named, advice = REFUSED[kind]
    before = shared.tasks().total
    with closing(make(tmp_path)) as image, pytest.raises(must.ValidationError) as caught:
        result_of(shared, image)
    assert caught.value.code == must.ErrorCode.VALIDATION_ERROR
    assert caught.value.detail.startswith("reference_image")
    assert named in caught.value.detail
    assert advice in caught.value.user_action
    assert len(caught.value.detail) < 500
    assert "\n" not in str(caught.value)
    assert shared.tasks().total == before


def test_the_cause_of_a_failed_read_is_kept(shared: must.Platform) -> None:
    with pytest.raises(must.ValidationError) as caught:
        result_of(shared, Unreadable())
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_only_exceptions_become_must_errors(shared: must.Platform) -> None:
    class Interrupted:
        def read(self, size: int = -1) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        result_of(shared, Interrupted())


class Endless:
    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        part = bytes(min(size, 1 << 20))
        self.given += len(part)
        return part


def test_reading_stops_at_the_size_limit(shared: must.Platform, tmp_path: Path) -> None:
    endless = Endless()
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    for image in (endless, huge, str(huge), numpy.zeros(30 << 20, numpy.uint8)):
        with pytest.raises(must.PayloadTooLargeError, match="reference_image"):
            result_of(shared, image)
    assert endless.given < 22 << 20


def test_paths_as_text_can_be_forbidden(shared: must.Platform, expected: bytes, tmp_path: Path) -> None:
    """For parameters that come from other people."""
    path = written(tmp_path / "private.png")
    with pytest.raises(must.ValidationError, match="data URI"):
        result_of(shared, str(path), image_paths=False)
    # Paths and files that the host's own code made are allowed.
    assert result_of(shared, path, image_paths=False) == expected
    assert result_of(shared, data_uri(png()), image_paths=False) == expected


def test_numbers_of_numpy_are_numbers(shared: must.Platform) -> None:
    given: dict[str, Any] = {
        "steps": numpy.int64(4),
        "guidance_scale": numpy.float32(2.5),
        "seed": numpy.array(7),
        "width": numpy.uint16(64),
        "output_format": numpy.str_("png"),
    }
    state = shared.submit("tiny-image", "a circle", **given).wait()
    assert (state.parameters["steps"], state.parameters["guidance_scale"], state.seed) == (4, 2.5, 7)
    for wrong in ({"steps": numpy.array([4, 5])}, {"guidance_scale": numpy.nan}, {"steps": numpy.bool_(True)}):
        with pytest.raises(must.ValidationError, match=next(iter(wrong))):
            shared.submit("tiny-image", "a circle", **wrong)


def test_bytes_are_refused_in_settings_queries_and_arguments(shared: must.Platform, tmp_path: Path) -> None:
    with pytest.raises(must.ValidationError, match="api_key"):
        must.Platform(tmp_path, api_key=b"sixteen letters!")  # type: ignore[arg-type]
    with pytest.raises(must.ValidationError, match="model"):
        shared.tasks(model=b"tiny-image")  # type: ignore[arg-type]
    with pytest.raises(must.ValidationError, match="value"):
        shared.secrets.put("name", io.BytesIO(b"secret"))  # type: ignore[arg-type]


def test_asyncio_awaits_async_reads(tmp_path: Path) -> None:
    async def run() -> None:
        async with must.AsyncPlatform(tmp_path / "data", device="cpu") as platform:

            async def result(image: Any, **more: Any) -> bytes:
                named = {"mode": "img2img", "reference_image": image, "seed": 3, **QUICK, **more}
                task = await platform.submit("tiny-image", "a circle", **named)
                await task
                return await task.result()

            expected = await result(png())
            upload = UploadFile(io.BytesIO(png()))
            await upload.seek(20)
            assert await result(upload) == expected
            assert await result(upload) == expected, "it can be read again"
            for form in (
                Asynchronous,
                lambda: io.BytesIO(png()),
                lambda: pixels(),
                lambda: str(written(tmp_path / "a.png")),
            ):
                assert await result(form()) == expected
            with pytest.raises(must.ValidationError, match="data URI"):
                await result(str(tmp_path / "a.png"), image_paths=False)

            class Failing:
                async def read(self, size: int = -1) -> bytes:
                    raise OSError("gone")

            with pytest.raises(must.ValidationError, match="reference_image cannot be read: OSError: gone"):
                await result(Failing())
            with pytest.raises(must.ValidationError, match=r"arbitrary_frames\[0\]\.image cannot be read"):
                await platform.submit("anisora", "a", mode="arbitrary_frame", arbitrary_frames=[{"image": Failing()}])

            class AsynchronousEndless:
                inner = Endless()

                async def read(self, size: int = -1) -> bytes:
                    return self.inner.read(size)

            with pytest.raises(must.PayloadTooLargeError):
                await result(AsynchronousEndless())
            assert AsynchronousEndless.inner.given < 22 << 20
            cycle: list[Any] = []
            cycle.extend([cycle, cycle])
            with pytest.raises(must.ValidationError, match="nested too deeply"):
                await platform.submit("anisora", "a", arbitrary_frames=cycle)

    asyncio.run(run())


def test_an_upload_to_fastapi_becomes_a_picture(tmp_path: Path) -> None:
    app = FastAPI()
    platform = must.AsyncPlatform(tmp_path / "data", device="cpu")

    @app.post("/pictures")
    async def make(picture: UploadFile) -> dict[str, Any]:
        task = await platform.submit("tiny-image", "a circle", mode="img2img", reference_image=picture, **QUICK)
        return {"given": task.state.parameters["reference_image"]}

    @app.post("/blocking")
    def blocking(picture: UploadFile) -> dict[str, Any]:
        with must.Platform(tmp_path / "blocking", device="cpu", paused=True) as own:
            try:
                own.submit("tiny-image", "a circle", mode="img2img", reference_image=picture)  # type: ignore[arg-type]
            except must.ValidationError as error:
                return {"refused": error.detail}
        return {}

    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(platform.open)
        try:
            sent = client.post("/pictures", files={"picture": ("a.png", png(80, 48), "image/png")})
            assert sent.json() == {"given": {"width": 80, "height": 48}}
            refused = client.post("/blocking", files={"picture": ("a.png", png(), "image/png")})
            assert "async read" in refused.json()["refused"]
        finally:
            client.portal.call(platform.close)


def test_arrays_may_be_given_from_many_threads(shared: must.Platform, expected: bytes) -> None:
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(result_of(shared, pixels()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8
