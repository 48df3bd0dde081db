"""`pony` and `flux` from small files in real layouts: every mode and parameter, OpenAI's client, and refusals."""

import base64
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from conftest import API_KEY, Server, failure, serving

sys.path.append(str(Path(__file__).resolve().parents[1] / "models"))

import small
from clips import probe
from picture_cases import CHANGES, MODES, PROMPT, RED, SIDE, Parameters

EVERY_MODE = [(model, mode) for model, modes in MODES.items() for mode in modes]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with both models."""
    place = tmp_path_factory.mktemp("pictures")
    settings = {"catalog": str(small.catalog(place / "catalog.json")), "models_dir": str(small.folder())}
    with serving(place / "data", settings) as running:
        yield running


def request(model: str, mode: str = "txt2img", **more: Any) -> Parameters:
    asked = {"model": model, "mode": mode, "prompt": PROMPT, "seed": 1, **MODES[model][mode], **more}
    pictures = {
        name: "data:image/png;base64," + base64.b64encode(value).decode()
        for name, value in asked.items()
        if isinstance(value, bytes)
    }
    return {**asked, **pictures}


def picture(server: Server, model: str, mode: str = "txt2img", **more: Any) -> bytes:
    done = server.finish(server.submit(**request(model, mode, **more)))
    assert done["status"] == "done", done
    return server.client.get(done["result_url"]).content


def listed(server: Server, model: str) -> dict[str, Any]:
    models: list[dict[str, Any]] = server.client.get("/models").json()["models"]
    return next(entry for entry in models if entry["id"] == model)


@pytest.mark.parametrize("model", MODES)
def test_the_model_offers_all_its_modes(studio: Server, model: str) -> None:
    entry = listed(studio, model)
    assert (entry["available"], entry["modes"]) == (True, list(MODES[model])), entry
    assert entry["files"].startswith({"pony": "SDXL", "flux": "FLUX.1"}[model]), entry["files"]


@pytest.mark.parametrize(("model", "mode"), EVERY_MODE)
def test_every_mode(studio: Server, model: str, mode: str) -> None:
    made = picture(studio, model, mode)
    seen = probe(made)
    assert (seen.codec, seen.size) == ("png", (SIDE, SIDE))
    assert picture(studio, model, mode) == made, "the same seed gives the same bytes"


@pytest.mark.parametrize(("model", "mode", "more"), CHANGES)
def test_every_parameter_changes_the_result(studio: Server, model: str, mode: str, more: Parameters) -> None:
    assert picture(studio, model, mode, **more) != picture(studio, model, mode)


@pytest.mark.parametrize("model", MODES)
def test_portrait_and_landscape(studio: Server, model: str) -> None:
    for width, height in ((32, 96), (96, 32), (48, 80)):
        assert probe(picture(studio, model, width=width, height=height)).size == (width, height)


@pytest.mark.parametrize("model", MODES)
def test_progress_counts_the_steps_that_run(studio: Server, model: str) -> None:
    task = studio.submit(**request(model, "img2img", steps=20, denoising_strength=0.5))
    details = set()
    with studio.client.stream("GET", f"/events/{task}") as answer:
        for line in answer.iter_lines():
            details.update(re.findall(r"step \d+ of (\d+)", line))
    assert details == {"10"}


@pytest.mark.parametrize("model", MODES)
def test_with_a_strength_of_0_seed_and_prompt_have_no_effect(studio: Server, model: str) -> None:
    kept = picture(studio, model, "img2img", denoising_strength=0.0)
    assert picture(studio, model, "img2img", denoising_strength=0.0, seed=2, prompt="a dog") == kept


@pytest.mark.parametrize("model", MODES)
def test_openais_client(studio: Server, model: str) -> None:
    way: Any = httpx.Client(transport=studio.transport, timeout=120)
    client = openai.OpenAI(base_url=f"{studio.url}/v1", api_key=API_KEY, max_retries=0, timeout=120, http_client=way)
    made = client.images.generate(prompt=PROMPT, model=model, n=2, size="96x64", response_format="b64_json").data
    assert made is not None
    pictures = [base64.b64decode(image.b64_json or "") for image in made]
    assert len(pictures) == 2
    assert pictures[0] != pictures[1]
    assert {probe(one).size for one in pictures} == {(96, 64)}
    edited = client.images.edit(
        image=("a.png", io.BytesIO(RED), "image/png"), prompt=PROMPT, model=model, size="64x64"
    ).data
    assert edited is not None
    assert probe(base64.b64decode(edited[0].b64_json or "")).size == (64, 64)


def test_parameters_without_support_are_refused(studio: Server) -> None:
    for model, more, word in (
        ("pony", {"clip_skip": 5}, "clip_skip"),
        ("pony", {"sampler": "Euler"}, "sampler"),
        ("flux", {"sampler": "DDIM"}, "sampler"),
        ("flux", {"clip_skip": 2}, "clip_skip"),
        ("pony", {"steps": 5}, "steps"),
    ):
        answer = failure(studio.client.post("/generate", json=request(model, **more)), 422, "validation_error")
        assert word in answer["detail"], answer


@pytest.mark.parametrize("model", MODES)
def test_a_picture_that_does_not_fit_into_memory_is_refused(studio: Server, model: str) -> None:
    ended = studio.finish(studio.submit(**request(model, width=1 << 16, height=1 << 16)))
    assert (ended["status"], ended["error_code"]) == ("failed", "gpu_memory_exceeded"), ended
