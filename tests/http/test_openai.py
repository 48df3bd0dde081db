"""OpenAI's own Python client."""

import base64
import io
import time
from typing import Any

import httpx
import openai
import pytest
from conftest import API_KEY, Server

# OpenAI ends its own video service; the calls stay, and so do programs that make them.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    way: Any = httpx.Client(transport=server.transport, timeout=60)
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=API_KEY, max_retries=0, timeout=60, http_client=way)


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny-image", "tiny-video"]
    assert client.models.retrieve("tiny-image").owned_by == "must"


def test_images(client: openai.OpenAI) -> None:
    made = client.images.generate(prompt="a red circle", model="tiny-image", n=2, size="64x64", response_format="b64_json")
    assert made.data is not None
    pictures = [base64.b64decode(image.b64_json or "") for image in made.data]
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
    url = client.images.generate(prompt="a red circle", response_format="url").data
    assert url is not None
    assert (url[0].url or "").startswith("/results/")


def test_videos(client: openai.OpenAI, server: Server) -> None:
    video = client.videos.create(prompt="a red circle moving left", model="tiny-video", seconds="2")  # type: ignore[arg-type]
    assert (video.object, video.status in ("queued", "in_progress")) == ("video", True)
    done = client.videos.poll(video.id, poll_interval_ms=200)
    assert (done.status, done.progress, done.seconds, done.size) == ("completed", 100, "2", "64x64")
    assert client.videos.download_content(video.id).content[4:8] == b"ftyp"
    assert client.videos.download_content(video.id, variant="thumbnail").content[:3] == b"\xff\xd8\xff"
    frame = server.client.get(f"/preview/{video.id}").content
    other = client.videos.create(prompt="a red circle", input_reference=("first.jpg", io.BytesIO(frame), "image/jpeg"))
    while client.videos.retrieve(other.id).status not in ("completed", "failed"):
        time.sleep(0.1)
    assert client.videos.retrieve(other.id).status == "completed"
    pages = [video.id for video in client.videos.list(limit=1)]
    assert pages.index(other.id) < pages.index(video.id), "newest first, page after page"
    assert client.videos.delete(other.id).deleted is True
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(other.id)


def test_failures_have_their_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError):
        client.images.generate(prompt=" ")
    with pytest.raises(openai.UnprocessableEntityError):
        client.images.generate(prompt="x", size="64x65")  # type: ignore[arg-type]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nonsense")
    with pytest.raises(openai.InternalServerError):
        client.videos.create(prompt="x", model="anisora")  # type: ignore[arg-type]
    with pytest.raises(openai.PermissionDeniedError):
        client.with_options(api_key="wrong").models.list()
    with pytest.raises(openai.AuthenticationError):
        client.models.list(extra_headers={"Authorization": openai.Omit()})  # type: ignore[dict-item]
