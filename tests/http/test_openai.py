"""OpenAI's own Python client."""

import base64
import io
import time
from typing import Any

import httpx
import openai
import pytest
from conftest import API_KEY, Server, failure
from pictures import picture as gray

# OpenAI is ending its own video service, but the client still has these calls, and programs use them.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    way: Any = httpx.Client(transport=server.transport, timeout=60)
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=API_KEY, max_retries=0, timeout=60, http_client=way)


def picture() -> tuple[str, io.BytesIO, str]:
    return ("a.png", io.BytesIO(gray(64, 120)), "image/png")


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


def test_an_address_is_fetched_without_a_key(client: openai.OpenAI, server: Server) -> None:
    made = client.images.generate(prompt="a red circle", response_format="url", output_format="webp").data
    assert made is not None
    address = made[0].url or ""
    assert address.startswith(f"{server.url}/results/")
    path = address.removeprefix(server.url)
    fetched = server.bare("GET", path)
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "image/webp")
    assert (fetched.content[:4], fetched.content[8:12]) == (b"RIFF", b"WEBP")
    failure(server.bare("GET", path.split("?")[0]), 401, "session_required")
    failure(server.bare("GET", path.replace("/results/", "/preview/")), 403, "invalid_api_key")
    failure(server.bare("GET", path[:-1] + ("A" if path[-1] != "A" else "E")), 403, "invalid_api_key")


def test_a_stream_of_pictures(client: openai.OpenAI) -> None:
    events = list(client.images.generate(prompt="a red circle", model="tiny-image", n=2, stream=True, partial_images=2))
    completed = [event for event in events if event.type == "image_generation.completed"]
    assert len(completed) == 2
    partial = [event for event in events if event.type == "image_generation.partial_image"]
    assert [event.type for event in events] == ([partial[0].type] * 2 + [completed[0].type]) * 2
    assert [event.partial_image_index for event in partial] == [0, 1] * 2
    shown = [base64.b64decode(event.b64_json) for event in [*partial, *completed]]
    assert len(set(shown)) == 6
    for event, whole in zip(partial, shown, strict=False):
        assert whole.startswith(b"\x89PNG")
        assert (event.size, event.output_format, event.background, event.quality) == ("64x64", "png", "opaque", "auto")
    for event in completed:
        assert base64.b64decode(event.b64_json).startswith(b"\x89PNG")
        assert (event.size, event.output_format, event.background, event.usage.total_tokens) == ("64x64", "png", "opaque", 0)
    edited = list(client.images.edit(image=picture(), prompt="a red circle", stream=True))
    assert [event.type for event in edited] == ["image_edit.completed"]
    ask: Any = {"prompt": "a red circle", "output_format": "jpeg", "stream": True, "partial_images": 1}
    shown_edit = list(client.images.edit(image=picture(), **ask))
    assert [event.type for event in shown_edit] == ["image_edit.partial_image", "image_edit.completed"]
    assert all(base64.b64decode(event.b64_json).startswith(b"\xff\xd8\xff") for event in shown_edit)


def test_edits(client: openai.OpenAI, server: Server) -> None:
    one = client.images.edit(image=picture(), prompt="a red circle", n=1, extra_body={"steps": 4, "seed": 3})
    assert one.data is not None
    assert base64.b64decode(one.data[0].b64_json or "").startswith(b"\x89PNG")
    several = client.images.edit(image=[picture(), picture()], prompt="a red circle", response_format="url")
    assert several.data is not None
    address = (several.data[0].url or "").removeprefix(server.url)
    assert server.bare("GET", address).status_code == 200
    with pytest.raises(openai.UnprocessableEntityError, match="mask"):
        client.images.edit(image=picture(), mask=picture(), prompt="a red circle")
    task = server.client.get("/gallery", params={"per_page": 1}).json()["items"][0]
    assert (task["mode"], task["model"]) == ("img2img", "tiny-image")


def test_fields_of_newer_clients(client: openai.OpenAI) -> None:
    made = client.images.generate(
        prompt="a red circle",
        stream=False,
        partial_images=0,
        output_compression=100,
        safety_identifier="somebody",
        quality="auto",
        background="auto",
        moderation="low",
        style=None,
        extra_body={"metadata": {"a": "b"}, "steps": 4, "input_fidelity": "high", "svg": None},
    )
    assert made.data is not None
    assert (made.output_format, made.size, made.background) == ("png", "64x64", "opaque")
    for more in ({"background": "transparent"}, {"output_format": "gif"}, {"partial_images": 2}):
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            client.images.generate(prompt="a red circle", **more)  # type: ignore[call-overload]
        (name,) = more
        assert (refused.value.param, refused.value.code, refused.value.type) == (name, "validation_error", "invalid_request_error")


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
    by_object = client.videos.create(
        prompt="a red circle",
        seconds="4",
        # The client declares this field as a file; the API also accepts an object.
        extra_body={"input_reference": {"image_url": "data:image/jpeg;base64," + base64.b64encode(frame).decode()}},
    )
    assert client.videos.poll(by_object.id, poll_interval_ms=200).seconds == "2", "the nearest length"
    remix = client.videos.remix(video.id, prompt="a blue square moving left")
    assert remix.remixed_from_video_id == video.id
    assert client.videos.poll(remix.id, poll_interval_ms=200).status == "completed"
    assert client.videos.retrieve(remix.id).remixed_from_video_id == video.id
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
        client.with_options(max_retries=5).videos.create(prompt="x", model="anisora")  # type: ignore[arg-type]
    with pytest.raises(openai.PermissionDeniedError):
        client.with_options(api_key="wrong").models.list()
    with pytest.raises(openai.AuthenticationError):
        client.models.list(extra_headers={"Authorization": openai.Omit()})  # type: ignore[dict-item]
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        client.images.generate(prompt="x", size="64x65")  # type: ignore[arg-type]
    assert refused.value.param == "height"
    assert "height" in refused.value.message
    with pytest.raises(openai.NotFoundError) as missing:
        client.post("/nothing", cast_to=object)
    assert missing.value.code == "not_found"
