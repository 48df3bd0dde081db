"""`anisora` from split files, `phr00t` from one file: every mode and parameter, what is refused, what is missing.

Most weights here are random: they show that a parameter has an effect, not which one. Tests of the effect itself use
the trained tiny model.
"""

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRAPE_TOKEN, Server, failure, over_sockets, serving

sys.path.append(str(Path(__file__).resolve().parents[1] / "models"))

import wan_files
from clips import Clip, distance, frames, probe
from wan_cases import (
    BLUE,
    CHANGES,
    MODES,
    OFFERS,
    PROMPT,
    RED,
    SAMPLERS,
    STILL,
    STRENGTHS,
    Parameters,
    Still,
    Strength,
    given,
    sampler,
)

EVERY_MODE = [(model, mode) for model, modes in MODES.items() for mode in modes]


Fill = Callable[[Path], object]
Change = Callable[[dict[str, Any]], object]


@contextlib.contextmanager
def studio(place: Path, fill: Fill, change: Change | None = None) -> Iterator[Server]:
    """A server with the models that `fill` writes into a folder, and a catalog that `change` edits."""
    models = place / "models"
    models.mkdir()
    fill(models)
    settings = {"catalog": str(wan_files.catalog(place / "catalog.json", change)), "models_dir": str(models)}
    with serving(place / "data", settings) as running:
        yield running


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with random weights."""
    with studio(tmp_path_factory.mktemp("random"), wan_files.random_weights) as running:
        yield running


@pytest.fixture(scope="module")
def trained_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with trained weights."""
    with studio(tmp_path_factory.mktemp("trained"), wan_files.trained_weights) as running:
        yield running


@pytest.fixture(scope="module")
def image_to_video(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one file that contains every part. Its transformer also takes a mask and a condition."""

    def fill(models: Path) -> None:
        wan_files.one_file(models / "phr00t" / "rapid-low_noise.safetensors", "i2v_a14b", "transformer_2")

    with studio(tmp_path_factory.mktemp("one"), fill) as running:
        yield running


def sent(value: Any) -> Any:
    """The request's value as JSON sends it: pictures become data URIs."""
    if isinstance(value, bytes):
        return "data:image/png;base64," + base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: sent(part) for name, part in value.items()}
    return [sent(part) for part in value] if isinstance(value, list) else value


def request(model: str, mode: str = "t2v", **more: Any) -> Parameters:
    whole: Parameters = sent({"model": model, "mode": mode, "prompt": PROMPT, "seed": 1, **MODES[model][mode], **more})
    return whole


def run(server: Server, model: str, mode: str = "t2v", **more: Any) -> dict[str, Any]:
    """Submit a task and return its final state."""
    return server.finish(server.submit(**request(model, mode, **more)))


def clip(server: Server, model: str, mode: str = "t2v", **more: Any) -> bytes:
    done = run(server, model, mode, **more)
    assert done["status"] == "done", done
    return server.client.get(done["result_url"]).content


def refused(server: Server, body: Parameters, status: int, code: str) -> dict[str, str]:
    """Assert that a submission is refused and no task is stored."""

    def tasks() -> list[str]:
        answer = server.bare("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPE_TOKEN}"})
        return [line for line in answer.text.splitlines() if line.startswith("must_tasks{")]

    before = tasks()
    answer = failure(server.client.post("/generate", json=body), status, code)
    assert tasks() == before
    return answer


def listed(server: Server, model: str) -> dict[str, Any]:
    models: list[dict[str, Any]] = server.client.get("/models").json()["models"]
    return next(entry for entry in models if entry["id"] == model)


# Modes and parameters.


def test_both_models_offer_all_their_modes(random_weights: Server) -> None:
    for model, modes in MODES.items():
        entry = listed(random_weights, model)
        assert (entry["available"], entry["modes"]) == (True, list(modes)), entry
        assert "unavailable_reason" not in entry
    assert all(file in listed(random_weights, "anisora")["files"] for file in wan_files.NETWORKS)
    assert listed(random_weights, "phr00t")["files"].startswith("Wan VACE")


@pytest.mark.parametrize(("model", "mode"), EVERY_MODE)
def test_every_mode(random_weights: Server, model: str, mode: str) -> None:
    done = run(random_weights, model, mode)
    assert (done["status"], done["progress"], done["seed"]) == ("done", 100, 1), done
    made = random_weights.client.get(done["result_url"]).content
    count = MODES[model][mode].get("num_frames", 5)
    assert probe(made) == Clip("h264", (wan_files.SMALL, wan_files.SMALL), count, "16/1")
    assert clip(random_weights, model, mode) == made, "the same seed gives the same bytes"


@pytest.mark.parametrize(("model", "mode", "more"), CHANGES)
def test_every_parameter_changes_the_result(random_weights: Server, model: str, mode: str, more: Parameters) -> None:
    assert clip(random_weights, model, mode, **more) != clip(random_weights, model, mode)


@pytest.mark.parametrize("model", MODES)
def test_size_length_rate_and_container(random_weights: Server, model: str) -> None:
    made = clip(random_weights, model, width=64, height=48, num_frames=9, fps=24, output_format="webm")
    assert probe(made) == Clip("av1", (64, 48), 9, "24/1")


def test_the_negative_prompt_has_an_effect_above_guidance_1(random_weights: Server) -> None:
    avoided = {"negative_prompt": "a green cross"}
    for model in MODES:
        assert clip(random_weights, model, **avoided) == clip(random_weights, model)
    assert clip(random_weights, "anisora", guidance_scale=3.0, **avoided) != clip(
        random_weights, "anisora", guidance_scale=3.0
    )


def test_parameters_that_distillation_fixed_cannot_be_changed(random_weights: Server) -> None:
    for model, name, value in [("anisora", "steps", 7), ("phr00t", "steps", 5), ("phr00t", "cfg_scale", 2.0)]:
        assert name in refused(random_weights, request(model, **{name: value}), 422, "validation_error")["detail"]


def test_given_frames_move_to_the_nearest_latent_frame(random_weights: Server) -> None:
    def at(*places: int) -> bytes:
        pictures = [given(place, image) for place, image in zip(places, (RED, BLUE), strict=True)]
        return clip(random_weights, "anisora", "arbitrary_frame", arbitrary_frames=pictures)

    assert at(3, 13) == at(0, 16)
    assert at(8, 20) != at(8, 16), "the last frame stays where it is"


def test_two_frames_at_one_position_are_refused(random_weights: Server) -> None:
    pictures = [given(7, RED), given(9, BLUE)]
    answer = refused(
        random_weights, request("anisora", "arbitrary_frame", arbitrary_frames=pictures), 422, "validation_error"
    )
    assert "the frames 7 and 9 are given, and both belong at frame 8" in answer["detail"]


@pytest.mark.parametrize("case", STRENGTHS, ids=lambda case: f"{case.model}-{case.name}")
def test_a_higher_strength_brings_a_frame_nearer_to_its_picture(trained_weights: Server, case: Strength) -> None:
    (picture,) = frames(case.picture)
    made = [clip(trained_weights, case.model, case.mode, **case.request(value)) for value in case.values]
    distances = [distance(frames(one)[case.frame], picture) for one in made]
    assert distances == sorted(distances, reverse=True), distances
    assert distances[0] > distances[-1] + 0.5, distances


@pytest.mark.parametrize("case", STILL, ids=lambda case: f"{case.model}-{case.mode}")
def test_a_lower_denoising_strength_brings_a_clip_nearer_to_the_picture(trained_weights: Server, case: Still) -> None:
    def at(value: float, **more: Any) -> bytes:
        return clip(trained_weights, case.model, case.mode, **{**case.request(value), **more})

    still = at(0)
    assert at(0, seed=2, prompt="a green cross") == still, "only the picture has an effect"
    for frame, picture in case.pictures.items():
        assert distance(frames(still)[frame], frames(picture)[0]) < 8
    distances = [distance(b"".join(frames(at(value))), b"".join(frames(still))) for value in (0.25, 0.5, 1.0)]
    assert 1 < distances[0] < distances[1] < distances[2], distances


# Which files run.


@pytest.mark.parametrize("mode", MODES["phr00t"])
def test_one_file_of_image_to_video_has_all_modes(image_to_video: Server, mode: str) -> None:
    assert probe(clip(image_to_video, "phr00t", mode)).frames == 5


def test_the_lighting_variant_selects_the_file(image_to_video: Server, tmp_path: Path) -> None:
    with studio(tmp_path, lambda models: wan_files.two_files(models / "phr00t")) as both:
        assert listed(both, "phr00t")["available"] is True
        for mode in MODES["phr00t"]:
            low = clip(both, "phr00t", mode, lighting_variant="low_noise")
            assert low == clip(image_to_video, "phr00t", mode), "the same as with only that file"
            assert low == clip(both, "phr00t", mode), "it is the default"
            assert low != clip(both, "phr00t", mode, lighting_variant="high_noise")


def test_the_lighting_variant_needs_two_files(image_to_video: Server, random_weights: Server) -> None:
    for server in (image_to_video, random_weights):
        answer = refused(server, request("phr00t", lighting_variant="high_noise"), 422, "validation_error")
        assert "lighting_variant chooses between two files, but this model has only one" in answer["detail"]
        assert "put a second file of the model there, with high_noise in its name" in answer["user_action"]


def test_a_text_to_video_file_refuses_pictures(tmp_path: Path) -> None:
    def fill(models: Path) -> None:
        wan_files.one_file(models / "phr00t" / "rapid-t2v.safetensors", "t2v")

    with studio(tmp_path, fill) as server:
        entry = listed(server, "phr00t")
        assert (entry["available"], entry["modes"], entry["default_mode"]) == (True, ["t2v"], "t2v")
        assert probe(clip(server, "phr00t")).frames == 5
        for mode in ("i2v", "first_last_frame"):
            answer = refused(server, request("phr00t", mode), 503, "model_unavailable")
            assert "Wan T2V" in answer["detail"]
            assert re.search(rf"which cannot do {mode}, only .*\bt2v\b", answer["detail"]), answer
            assert f"put a checkpoint that can do {mode} there" in answer["user_action"]


def test_a_replaced_file_is_used_at_once(tmp_path: Path) -> None:
    file = tmp_path / "models" / "phr00t" / "rapid.safetensors"
    with studio(tmp_path, lambda _: wan_files.one_file(file, "t2v")) as server:
        before = clip(server, "phr00t")
        file.unlink()
        wan_files.one_file(file, "vace")
        assert clip(server, "phr00t") != before
        assert probe(clip(server, "phr00t", "i2v")).frames == 5


# Folders with missing or wrong files.


MISSING = [
    (wan_files.TEXT_ENCODER, "the text encoder (UMT5) is missing", "a UMT5 encoder of width 64"),
    (wan_files.AUTOENCODER, "the autoencoder is missing", "wan_2.1_vae.safetensors"),
    (wan_files.LOW_NOISE, "the low-noise transformer is missing", "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"),
]


@pytest.mark.parametrize(("file", "reason", "advice"), MISSING)
def test_missing_files_are_named_and_can_be_added(tmp_path: Path, file: str, reason: str, advice: str) -> None:
    folder = tmp_path / "models" / "anisora"
    with studio(tmp_path, lambda _: wan_files.split_files(folder, without=file)) as server:
        entry = listed(server, "anisora")
        assert entry["available"] is False
        assert reason in entry["unavailable_reason"]
        assert all(name in entry["unavailable_reason"] for name in wan_files.NETWORKS if name != file), entry
        assert "Wan 2.2 I2V" in entry["unavailable_reason"]
        assert advice in entry["user_action"]
        answer = refused(server, request("anisora"), 503, "model_unavailable")
        assert (answer["detail"], answer["user_action"]) == (entry["unavailable_reason"], entry["user_action"])
        wan_files.split_file(folder, file)
        assert listed(server, "anisora")["available"] is True
        assert probe(clip(server, "anisora")).frames == 5


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    with studio(tmp_path, lambda models: (models / "anisora").mkdir()) as server:
        entry = listed(server, "anisora")
        assert entry["unavailable_reason"].startswith(
            "the transformer, text encoder (UMT5-XXL) and autoencoder are missing; the folder holds nothing of Wan"
        )
        for published in ("wan2.1_t2v_1.3B_fp16.safetensors", "umt5-xxl-encoder-Q8_0.gguf", "wan_2.1_vae.safetensors"):
            assert published in entry["user_action"]
        assert "is missing" in listed(server, "phr00t")["unavailable_reason"], "its folder does not exist"


def test_an_autoencoder_of_another_variant_is_refused_with_both_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "anisora"

    def fill(_: Path) -> None:
        wan_files.split_files(folder, without=wan_files.AUTOENCODER)
        wan_files.split_file(folder, wan_files.AUTOENCODER, "ti2v_5b")

    with studio(tmp_path, fill) as server:
        entry = listed(server, "anisora")
        wrong = "the autoencoder in vae/wan_vae.safetensors has 48 latent channels, and the transformer wants 16"
        assert entry["unavailable_reason"] == wrong
        assert "wan_2.1_vae.safetensors" in entry["user_action"]
        wan_files.split_file(folder, wan_files.AUTOENCODER)
        assert listed(server, "anisora")["available"] is True


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    folder, name = tmp_path / "models" / "anisora", "models_t5_umt5-xxl-enc-bf16.pth"

    def fill(_: Path) -> None:
        wan_files.split_files(folder, without=wan_files.TEXT_ENCODER)
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")

    with studio(tmp_path, fill) as server:
        entry = listed(server, "anisora")
        assert "the text encoder (UMT5) is missing" in entry["unavailable_reason"]
        assert f"not used: {name} is a pickle" in entry["unavailable_reason"]
        wan_files.split_file(folder, wan_files.TEXT_ENCODER)
        assert listed(server, "anisora")["available"] is True, "an unused file does no harm"


# Runs.


LONG: Parameters = {"width": 256, "height": 256, "num_frames": 33}


def test_a_run_is_followed_and_cancelled(random_weights: Server) -> None:
    before = clip(random_weights, "anisora")
    task = random_weights.submit(**request("anisora", **LONG))
    states = []
    with random_weights.client.stream("GET", f"/events/{task}") as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            states.append(json.loads(line.removeprefix("data: ")))
            if states[-1]["stage"] == "denoising" and len(states) > 1:
                random_weights.client.post(f"/tasks/{task}/cancel")
    assert (states[-1]["status"], states[-1]["error_code"]) == ("failed", "cancelled")
    progress = [state["progress"] for state in states[:-1]]
    assert progress == sorted(progress)
    assert any(re.fullmatch(r"step \d of 8", state["stage_detail"]) for state in states)
    failure(random_weights.client.get(f"/results/{task}"), 410, "result_gone")
    assert clip(random_weights, "anisora") == before, "the model is as it was"


@pytest.mark.parametrize("model", MODES)
def test_a_clip_that_does_not_fit_into_memory_is_refused(random_weights: Server, model: str) -> None:
    ended = run(random_weights, model, width=wan_files.HUGE, height=wan_files.HUGE, num_frames=161)
    assert (ended["status"], ended["error_code"]) == ("failed", "gpu_memory_exceeded"), ended
    numbers = re.search(r"needs ([\d.]+) GB at least \(.*\), and there are ([\d.]+) GB", ended["error"])
    assert numbers, ended["error"]
    assert float(numbers[1]) > float(numbers[2])
    assert clip(random_weights, model), "the next one runs"


# Catalogs of hosts.


def test_a_catalog_may_offer_the_samplers_of_the_family(tmp_path: Path) -> None:
    def offer(models: dict[str, Any]) -> None:
        models["phr00t"]["parameters"]["sampler"] = sampler(SAMPLERS)

    def fill(models: Path) -> None:
        wan_files.one_file(models / "phr00t" / "rapid-mega.safetensors", "vace")

    with studio(tmp_path, fill, offer) as server:
        assert len({clip(server, "phr00t", sampler=name) for name in SAMPLERS}) == len(SAMPLERS)
        assert "sampler" in refused(server, request("phr00t", sampler="Heun"), 422, "validation_error")["detail"]


@over_sockets
@pytest.mark.parametrize(("offered", "change"), OFFERS)
def test_a_catalog_that_offers_more_than_the_code_supports_is_refused_at_the_start(
    tmp_path: Path, offered: str, change: Change
) -> None:
    config = tmp_path / "must.json"
    config.write_text(json.dumps({"catalog": str(wan_files.catalog(tmp_path / "catalog.json", change))}))
    program = [os.environ["MUST_PROGRAM"], "--json", "--data", str(tmp_path / "data")]
    ended = subprocess.run(
        [*program, "serve", "--addr", "127.0.0.1:0", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    error = json.loads(ended.stderr)
    assert error["code"] == "validation_error"
    assert error["detail"].startswith(f"anisora: the catalog offers {offered}, which no model of the family wan obeys")
    assert "catalog" in error["user_action"]
