"""The threaded platform: models, submissions, results, listings, deletion and settings."""

import dataclasses
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import must
from support import QUICK, QUICK_CLIP, data_uri, png


def test_the_version_has_three_parts() -> None:
    assert must.__version__.count(".") == 2


def test_models_are_listed_with_the_rules_of_their_parameters(shared: must.Platform) -> None:
    models = {model["id"]: model for model in shared.models()}
    assert {"pony", "flux", "anisora", "phr00t", "tiny-image", "tiny-video"} <= models.keys()
    assert models["tiny-video"]["available"] is True
    assert models["flux"]["available"] is False
    assert models["tiny-video"]["default_mode"] == "t2v"
    assert models["tiny-video"]["parameters_schema"]["prompt"]["max_length"] == 2000
    assert models["anisora"]["fixed_parameters"] == {"steps": 8}


def test_a_clip_is_generated(clip: must.Task) -> None:
    state = clip.status()
    assert state.status is must.Status.DONE
    assert state.ended
    assert (state.model, state.type, state.mode) == ("tiny-video", must.MediaType.VIDEO, "t2v")
    assert (state.seed, state.width, state.height, state.progress) == (7, 64, 64, 100)
    assert state.prompt == "a red circle moving left"
    assert state.parameters["num_frames"] == 5
    assert state.error is None
    assert state.workspace is None
    assert state.result_path is not None
    assert clip.result()[4:8] == b"ftyp"
    assert clip.preview()[:3] == b"\xff\xd8\xff"


def test_times_are_aware_and_in_order(clip: must.Task) -> None:
    state = clip.status()
    assert state.started_at is not None
    assert state.finished_at is not None
    assert state.created_at <= state.started_at <= state.finished_at
    assert state.created_at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - state.created_at < timedelta(hours=1)


def test_a_state_is_frozen_and_has_every_field_of_the_core(shared: must.Platform, picture: must.Task) -> None:
    state = picture.status()
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.seed = 8  # type: ignore[misc]
    native = shared._native.status(picture.id)
    assert native.keys() == {field.name for field in dataclasses.fields(must.TaskState)}


@pytest.mark.parametrize(
    ("model", "format", "magic"),
    [
        ("tiny-image", "png", b"\x89PNG"),
        ("tiny-image", "jpeg", b"\xff\xd8\xff"),
        ("tiny-video", "webm", b"\x1aE\xdf\xa3"),
    ],
)
def test_a_result_has_the_requested_format(shared: must.Platform, model: str, format: str, magic: bytes) -> None:
    short = QUICK if model == "tiny-image" else QUICK_CLIP
    task = shared.submit(model, "a blue square", seed=1, output_format=format, **short)
    task.wait()
    assert task.result().startswith(magic)


def test_the_same_seed_gives_the_same_bytes(shared: must.Platform, picture: must.Task) -> None:
    again = shared.submit("tiny-image", "a red circle", seed=7, steps=4)
    again.wait()
    assert again.id != picture.id
    assert again.result() == picture.result()


def test_a_drawn_seed_is_reported(shared: must.Platform) -> None:
    task = shared.submit("tiny-image", "a green triangle", **QUICK)
    assert 0 <= task.state.seed <= 2147483647
    assert task.wait().seed == task.state.seed


def test_an_image_may_be_given_in_every_form(shared: must.Platform, tmp_path: Path) -> None:
    data = png()
    path = tmp_path / "reference.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        forms: list[must.Image] = [
            data,
            bytearray(data),
            memoryview(data),
            path,
            io.BytesIO(data),
            file,
            data_uri(data),
        ]
        tasks = [
            shared.submit("tiny-image", "a red circle", mode="img2img", reference_image=form, seed=3, **QUICK)
            for form in forms
        ]
    for task in tasks:
        task.wait()
    assert len({task.result() for task in tasks}) == 1


def test_a_clip_between_two_frames(shared: must.Platform) -> None:
    task = shared.submit(
        "tiny-video",
        "a red circle moving left",
        mode="first_last_frame",
        first_frame_image=png(),
        last_frame_image=png(color=(40, 40, 200)),
        seed=3,
        **QUICK_CLIP,
    )
    assert task.wait().mode == "first_last_frame"


def test_number_types_other_than_pythons_own_are_accepted(shared: must.Platform) -> None:
    class Whole:
        def __index__(self) -> int:
            return 4

    class Real:
        def __float__(self) -> float:
            return 2.5

    given: dict[str, Any] = {"steps": Whole(), "guidance_scale": Real()}
    task = shared.submit("tiny-image", "a red circle", **given)
    assert task.state.parameters["steps"] == 4
    assert task.state.parameters["guidance_scale"] == 2.5
    task.wait()


def test_none_counts_as_not_given(shared: must.Platform) -> None:
    task = shared.submit("tiny-image", "a red circle", mode=None, negative_prompt=None, **QUICK)
    assert task.wait().negative_prompt == ""


def test_iterating_a_task_gives_its_changes_to_the_end(shared: must.Platform) -> None:
    task = shared.submit("tiny-video", "a red circle moving left", **QUICK_CLIP)
    states = list(task)
    order = list(must.Status)
    assert [order.index(state.status) for state in states] == sorted(order.index(state.status) for state in states)
    assert [state.progress for state in states] == sorted(state.progress for state in states)
    assert [state.ended for state in states] == [False] * (len(states) - 1) + [True]
    assert task.state == states[-1]
    assert list(task) == [states[-1]]


def test_an_id_gives_a_handle_again(shared: must.Platform, picture: must.Task) -> None:
    again = shared.task(picture.id)
    assert again.id == picture.id
    assert again.state == picture.status()
    assert picture.id in repr(again)


def test_saving_to_a_file_and_into_a_folder(picture: must.Task, tmp_path: Path) -> None:
    named = picture.save(tmp_path / "mine.png")
    assert named == tmp_path / "mine.png"
    own = picture.save(os.fspath(tmp_path))
    assert own.parent == tmp_path
    assert own.suffix == ".png"
    assert own.name.startswith(f"tiny-image-{picture.state.seed}-")
    assert picture.save(tmp_path) == own, "the same again"
    assert named.read_bytes() == own.read_bytes() == picture.result()


def test_listings_are_paged_and_filtered(platform: must.Platform) -> None:
    tasks = [platform.submit("tiny-image", f"picture {n}", **QUICK) for n in range(5)]
    for task in tasks:
        task.wait()
    first = platform.tasks(per_page=2)
    assert (len(first), first.total, first.page, first.per_page, first.has_more) == (2, 5, 1, 2, True)
    assert [state.id for state in first] == [tasks[4].id, tasks[3].id]
    assert not platform.tasks(per_page=2, page=3).has_more
    assert next(iter(platform.tasks(sort="oldest"))).id == tasks[0].id
    assert [state.id for state in platform.tasks(after=tasks[2].id)] == [tasks[1].id, tasks[0].id]
    assert next(iter(platform.gallery(sort="oldest", after=tasks[2].id))).id == tasks[3].id
    assert platform.tasks(status=must.Status.DONE, model="tiny-image", type="image").total == 5
    assert platform.tasks(status="failed").total == platform.tasks(type=must.MediaType.VIDEO).total == 0
    assert [state.id for state in platform.gallery()] == [task.id for task in reversed(tasks)]


def test_deleting_removes_row_and_files(platform: must.Platform, tmp_path: Path) -> None:
    task = platform.submit("tiny-image", "a red circle", **QUICK)
    state = task.wait()
    assert state.result_path is not None
    file = tmp_path / "data" / state.result_path
    assert file.exists()
    platform.delete(task.id)
    assert not file.exists()
    assert platform.tasks().total == 0
    with pytest.raises(must.TaskNotFoundError):
        task.status()


def test_tasks_outlive_the_platform(tmp_path: Path) -> None:
    with must.Platform(tmp_path, device="cpu") as platform:
        done = platform.submit("tiny-image", "a red circle", **QUICK)
        done.wait()
        data = done.result()
        waiting = [platform.submit("tiny-image", "a red circle", **QUICK).id for _ in range(3)]
    with must.Platform(tmp_path, device="cpu") as platform:
        assert platform.task(done.id).result() == data
        for id in waiting:
            assert platform.task(id).wait().status is must.Status.DONE


def test_settings_are_accepted(tmp_path: Path) -> None:
    with must.Platform(
        os.fspath(tmp_path / "data"),
        models_dir=tmp_path / "weights",
        device="cpu",
        threads=1,
        lanes=["tiny-image"],
        queue_depth=3,
        queue_wait_seconds=0.5,
        image_limit_seconds=60,
        video_limit_seconds=60.5,
        image_stale_seconds=600,
        video_stale_seconds=600,
        idle_evict_seconds=5,
    ) as platform:
        flux = next(model for model in platform.models() if model["id"] == "flux")
        assert os.fspath(tmp_path / "weights") in str(flux["user_action"])  # type: ignore[typeddict-item]


def test_a_path_need_not_be_valid_text(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/not-\xff-utf8")
    with must.Platform(folder, device="cpu") as platform:
        assert platform.tasks().total == 0
    assert os.path.isdir(folder)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_repeated_submission_gives_the_same_task(platform: must.Platform) -> None:
    once: must.Idempotency = {"owner": "shop", "key": "order-1"}
    first = platform.submit("tiny-image", "a red circle", idempotency=once, trace_parent=TRACE, local_only=True)
    assert platform.submit("tiny-image", "a red circle", idempotency=once).id == first.id
    other: must.Idempotency = {"owner": "another shop", "key": "order-1"}
    assert platform.submit("tiny-image", "a red circle", idempotency=other).id != first.id
    with pytest.raises(must.ValidationError, match="used for a different request"):
        platform.submit("tiny-image", "a blue circle", idempotency=once)
    assert platform.submit("tiny-image", "a red circle", remix_of=first.id).id != first.id
    assert platform.tasks().total == 3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"trace_parent": "00-1-2-3"}, "trace_parent"),
        ({"idempotency": {"owner": "shop"}}, "key"),
        ({"idempotency": "order-1"}, "idempotency"),
        ({"idempotency": {"owner": "shop", "key": "a b"}}, "key"),
        ({"local_only": "yes"}, "local_only"),
        ({"remix_of": "no-such-task"}, "remix_of"),
    ],
)
def test_wrong_options_of_a_submission_are_refused(
    platform: must.Platform, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(must.ValidationError, match=named):
        platform.submit("tiny-image", "a red circle", **options)
    assert platform.tasks().total == 0
