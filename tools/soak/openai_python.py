"""A program with OpenAI's own Python client: the client's retries, pictures, streams, edits with files, clips."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import openai

from ledger import Ledger, Task
from plain import PATIENCE
from servers import API_KEY

# OpenAI is ending its own video service, but the client still has these calls, and programs use them.
warnings.filterwarnings("ignore", "The Sora API", DeprecationWarning)

FEW = {"steps": 4}


@dataclass
class OpenAIPython:
    """One program with OpenAI's Python client."""

    server: str
    url: str
    ledger: Ledger
    stop: threading.Event
    pause: float

    def __post_init__(self) -> None:
        self.rng = random.Random(f"openai {self.server}")
        self.caller = "OpenAI, Python"
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=API_KEY, timeout=60)
        self.clips: list[Task] = []
        self.picture = b""

    def run(self) -> None:
        """Make each call in turn, with a pause between them."""
        turns: list[Callable[[], None]] = [
            self.models, self.picture_in_base64, self.picture_by_address, self.stream, self.edit, self.clip,
            self.timed_out, self.picture_in_base64, self.remix, self.stream, self.lists, self.deleted, self.too_large,
        ]  # fmt: skip
        turn = 0
        while not self.stop.wait(self.pause * self.rng.uniform(0.5, 1.5)):
            work, began = turns[turn % len(turns)], time.time()
            turn += 1
            try:
                work()
            except openai.APIStatusError as error:
                self.ledger.failed(self.caller, self.server, work.__name__, began, f"{error.status_code} {error.code}")
            except openai.APIError as error:
                self.ledger.failed(self.caller, self.server, work.__name__, began, type(error).__name__)
            except Exception as error:
                # When a connection breaks while an answer is read, the error is one of the HTTP library.
                if type(error).__module__.startswith("httpx"):
                    self.ledger.failed(self.caller, self.server, work.__name__, began, type(error).__name__)
                else:
                    self.ledger.fault("a caller failed", f"{self.caller}, {self.server}, {work.__name__}: {error!r}")
            else:
                self.ledger.called(self.caller, work.__name__)

    def models(self) -> None:
        assert [model.id for model in self.client.models.list()] == ["tiny-image", "tiny-video"]

    def picture_in_base64(self) -> None:
        made = self.client.images.generate(
            prompt="a red circle", model="tiny-image", n=2, size="64x64", extra_body={**FEW, "seed": 1}
        )
        pictures = [base64.b64decode(image.b64_json or "") for image in made.data or []]
        assert len(pictures) == 2
        assert all(picture.startswith(b"\x89PNG") for picture in pictures)
        self.picture = pictures[0]

    def picture_by_address(self) -> None:
        made = self.client.images.generate(prompt="a red circle", response_format="url", output_format="webp", extra_body=FEW)
        address = (made.data or [])[0].url or ""
        assert address.startswith(f"{self.url}/results/"), address
        self.ledger.acknowledged(self.server, address.split("/results/")[1].split("?")[0], self.caller)
        fetched = httpx.get(address, timeout=30)
        if fetched.status_code != 200:
            self.ledger.failed(self.caller, self.server, "GET address", time.time() - 1, str(fetched.status_code))
        else:
            assert fetched.content[8:12] == b"WEBP"

    def stream(self) -> None:
        began, completed = time.time(), 0
        for event in self.client.images.generate(
            prompt="a green circle", model="tiny-image", n=2, stream=True, partial_images=2, extra_body=FEW
        ):
            completed += event.type == "image_generation.completed"
        self.ledger.stream_ended(self.caller, self.server, began, "task" if completed == 2 else f"after {completed} of 2")

    def edit(self) -> None:
        if not self.picture:
            return
        files = [("a.png", io.BytesIO(self.picture), "image/png") for _ in range(self.rng.choice((1, 2)))]
        made = self.client.images.edit(image=files[0] if len(files) == 1 else list(files), prompt="a blue circle", extra_body=FEW)
        assert base64.b64decode((made.data or [])[0].b64_json or "").startswith(b"\x89PNG")

    def clip(self) -> None:
        first = ("a.png", io.BytesIO(self.picture), "image/png")
        video = self.client.videos.create(
            prompt="a red circle moving left",
            model="tiny-video",
            seconds="2",  # type: ignore[arg-type]
            input_reference=first if self.picture and self.rng.random() < 0.5 else openai.omit,
        )
        self.finish(video.id)

    def remix(self) -> None:
        if self.clips:
            source = self.rng.choice(self.clips[-5:])
            video = self.client.videos.remix(source.id, prompt="a blue square moving left")
            assert video.remixed_from_video_id == source.id
            self.finish(video.id)

    def finish(self, id: str) -> None:
        """Wait for the end of a clip and fetch it."""
        task = self.ledger.acknowledged(self.server, id, self.caller, model="tiny-video")
        until = time.monotonic() + PATIENCE
        while (video := self.retrieved(id)) is None or video.status not in ("completed", "failed"):
            if time.monotonic() > until:
                self.ledger.fault("a task did not end", f"{self.server} {id}")
                return
            time.sleep(0.5)
        task.state = "done" if video.status == "completed" else "failed"
        if video.status == "failed":
            self.ledger.fault("a clip failed", f"{self.server} {id}: {video.error}")
            return
        content = self.client.videos.download_content(id).content
        assert content[4:8] == b"ftyp"
        self.ledger.result(task, None, hashlib.sha256(content).hexdigest())
        assert self.client.videos.download_content(id, variant="thumbnail").content.startswith(b"\xff\xd8\xff")
        self.clips.append(task)

    def retrieved(self, id: str) -> openai.types.Video | None:
        """The state of a clip; None while the server does not answer."""
        began = time.time()
        try:
            return self.client.videos.retrieve(id)
        except (openai.APIConnectionError, openai.InternalServerError) as error:
            self.ledger.failed(self.caller, self.server, "videos.retrieve", began, type(error).__name__)
            return None

    def lists(self) -> None:
        newest = [video.id for _, video in zip(range(30), self.client.videos.list(limit=10), strict=False)]
        assert len(newest) == len(set(newest)), "a page repeats what another one has"

    def deleted(self) -> None:
        if len(self.clips) > 3:
            task = self.clips.pop(0)
            task.deleted = True
            assert self.client.videos.delete(task.id).deleted

    def timed_out(self) -> None:
        """Time out and ask again with the same key, which must give the picture, and only one picture must be made."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        impatient = self.client.with_options(timeout=openai.Timeout(30, read=0.02), max_retries=0)
        ask = {"prompt": f"a green circle {key['Idempotency-Key']}", "extra_body": {"steps": 10}, "extra_headers": key}
        try:
            impatient.images.generate(**ask)  # type: ignore[call-overload]
        except openai.APITimeoutError:
            self.ledger.note("calls given up by their client and repeated under their key")
        made = self.client.images.generate(**ask)  # type: ignore[call-overload]
        assert len(made.data or []) == 1

    def too_large(self) -> None:
        """By default nginx refuses a body above 1 MiB."""
        large = ("a.png", io.BytesIO(b"\x89PNG" + bytes(2 << 20)), "image/png")
        try:
            self.client.images.edit(image=large, prompt="a blue circle")
        except openai.APIStatusError as error:
            if error.status_code != 413:
                raise
