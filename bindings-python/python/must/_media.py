"""Results and previews: bytes with a content type and a file name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Self

from must._errors import DependencyUnavailableError, ValidationError
from must._must import decode_frames

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray
    from PIL.Image import Image


class Media(bytes):
    """The bytes of a picture file or a video file.

    >>> task = platform.submit("tiny-image", "a red circle", seed=7, steps=4)
    >>> state = task.wait()
    >>> result = task.result()
    >>> result.content_type, result.image().size, result.frames().shape
    ('image/png', (64, 64), (1, 64, 64, 3))
    """

    content_type: str
    """Content type, such as `image/png` or `video/mp4`."""

    file_name: str
    """A file name with the right ending."""

    def __new__(cls, data: bytes, content_type: str, file_name: str) -> Self:
        """Made by `Task.result` and `Task.preview`."""
        media = super().__new__(cls, data)
        media.content_type = content_type
        media.file_name = file_name
        return media

    def __getnewargs__(self) -> Any:
        """The arguments with which copying and pickling make it again."""
        return bytes(self), self.content_type, self.file_name

    def __repr__(self) -> str:
        """Content type and size, without the bytes."""
        return f"<must.Media {self.content_type}, {len(self)} bytes>"

    __str__ = __repr__

    def image(self) -> Image:
        """The picture as Pillow's `Image`, loaded.

        Raises:
            ValidationError: The result is a clip.
            DependencyUnavailableError: Pillow is not installed.
        """
        if self.content_type.startswith("video/"):
            raise ValidationError(
                "the result is a clip, not a picture", "Take one of its frames: Image.fromarray(result.frames()[0])."
            )
        try:
            from PIL import Image
        except ImportError:
            raise _missing("Pillow", "pillow") from None
        picture = Image.open(io.BytesIO(self))
        picture.load()
        return picture

    def frames(self) -> NDArray[numpy.uint8]:
        """The frames as an array of numpy: frames by height by width by 3 (RGB, 0 to 255).

        A picture is one frame. A clip's frames are decoded from its file. Other threads run meanwhile; in asyncio call
        this with `asyncio.to_thread`.

        Raises:
            ValidationError: The result is a WebM clip, which the library cannot decode: use `output_format="mp4"`.
            PayloadTooLargeError: There is not enough memory for the frames.
            DependencyUnavailableError: numpy is not installed.
        """
        try:
            import numpy
        except ImportError:
            raise _missing("numpy", "numpy") from None
        width, height, pixels = decode_frames(self)
        return numpy.frombuffer(pixels, numpy.uint8).reshape(-1, height, width, 3)


def _missing(what: str, package: str) -> DependencyUnavailableError:
    return DependencyUnavailableError(f"{what} is not installed", f"Install it: pip install {package}.")
