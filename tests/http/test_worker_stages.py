"""A worker, or its gateway, is killed at every stage of a task's way, and of whatever else they say to each other.

Each test holds the exchange, or the run, where its name says, and kills there. Whoever was killed comes back, or stays
away until the other worker has taken over. In the end every acknowledged task has ended once, its result is there, a
key stands for one task, nothing is unfinished, and the galleries of gateway and workers agree: `Fleet.agree`.
"""

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import failure, over_sockets
from fleet import LONG, Fleet, fleet, frozen_in, until
from mortals import Mortal
from pictures import picture
from wire import Point

pytestmark = over_sockets

# What the status of a task calls the stages of its run, and tasks that stay in them for long enough to be seen there.
CLIP = {"model": "tiny-video", "num_frames": 5}
PICTURE = {"mode": "img2img", "reference_image": "data:image/png;base64," + base64.b64encode(picture(64, 99)).decode()}
STAGES: dict[str, dict[str, Any]] = {
    "starting": {},
    "loading": {},
    "encoding": PICTURE,
    "denoising": {},
    "decoding": CLIP,
    "saving": CLIP,
}

# Which limit is reached first, its age or the silence of its worker, depends on what the gateway has heard by then.
GIVEN_UP = ("remote_failed", "task_stale")

# After so many seconds a gateway gives up a task of which it hears nothing, where a test waits for that.
SOON = {"image_stale_seconds": 2, "video_stale_seconds": 2}

SUBMISSION = ("POST", "/generate_direct")
STATUS = ("GET", "/status/[^/]+")
CANCEL = ("POST", "/tasks/[^/]+/cancel")
DELETE = ("DELETE", "/gallery/[^/]+")
HEALTH = ("GET", "/health")
MODELS = ("GET", "/models")

returning = pytest.mark.parametrize("returns", [True, False], ids=["returns", "stays-away"])


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("patient")) as running:
        yield running
        running.agree_on_all()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Its gateway gives up soon."""
    with fleet(tmp_path_factory.mktemp("hasty"), **SOON) as running:
        yield running
        running.agree_on_all()


def writes_held(server: Mortal, point: Point) -> contextlib.AbstractContextManager[None]:
    """A server that has read a request cannot answer it, where that is the point: what it has to write is held up."""
    return server.writes_held() if point == "read" else contextlib.nullcontext()


# The worker is killed.


@returning
@pytest.mark.parametrize("point", ["connected", "asked", "read", "answered", "half"])
def test_worker_dies_at_a_submission(patient: Fleet, point: Point, returns: bool) -> None:
    patient.only_first()
    with writes_held(patient.first, point):
        hold = patient.wire.hold(point, *SUBMISSION)
        submission = patient.submit()
        hold.wait()
        if returns:
            # Whoever connects meanwhile waits until it is back.
            patient.wire.park()
            patient.first.kill()
        else:
            patient.let_in("second")
            patient.kill(patient.first)
    assert not submission.answer.done()
    hold.cut()
    if returns:
        patient.start(patient.first)
        assert submission.at_worker
        if point in ("answered", "half"):
            assert submission.at_worker == hold.answer()["task_id"], "what it had accepted it has"
    else:
        assert submission.id.startswith("second::"), submission.id
        patient.ends(submission)
        patient.start(patient.first)
        patient.becomes("first", "ready")
    patient.agree()


def test_worker_dies_at_a_submission_and_nobody_else_is_there(patient: Fleet) -> None:
    patient.only_first()
    hold = patient.wire.hold("answered", *SUBMISSION)
    submission = patient.submit()
    hold.wait()
    patient.kill(patient.first)
    hold.cut()
    assert "::" not in submission.id, "the gateway runs it itself"
    patient.ends(submission)
    patient.start(patient.first)
    patient.becomes("first", "ready")
    patient.agree()


def test_worker_dies_with_a_task_in_its_queue(patient: Fleet) -> None:
    patient.only_first()
    running = patient.submit(steps=50)
    patient.is_now(running, "processing")
    waiting = patient.submit()
    assert waiting.at_worker
    with patient.first.writes_held():
        # It takes nothing from its queue now.
        assert patient.at_first(waiting) == "pending"
        patient.kill(patient.first)
    patient.start(patient.first)
    patient.agree()


def test_worker_dies_with_a_task_in_its_queue_and_stays_away(hasty: Fleet) -> None:
    hasty.only_first()
    running = hasty.submit("task_stale", **LONG)
    hasty.runs_for_a_while(running)
    waiting = hasty.submit("remote_failed")
    assert waiting.at_worker
    with hasty.first.writes_held():
        assert hasty.at_first(waiting) == "pending"
        hasty.kill(hasty.first)
    hasty.second_takes_over()
    hasty.ends(running)
    hasty.ends(waiting)
    hasty.start(hasty.first)
    hasty.becomes("first", "ready")
    hasty.agree()


@returning
@pytest.mark.parametrize("stage", STAGES)
def test_worker_dies_in_a_stage(hasty: Fleet, patient: Fleet, stage: str, returns: bool) -> None:
    fleet = patient if returns else hasty
    fleet.only_first()
    submission = fleet.freeze_in(stage, **STAGES[stage])
    assert submission.at_worker
    fleet.kill(fleet.first)
    if not returns:
        submission.codes = GIVEN_UP
        fleet.second_takes_over()
        fleet.ends(submission)
    fleet.start(fleet.first)
    fleet.becomes("first", "ready")
    fleet.agree()


def test_worker_dies_with_a_task_that_has_run_for_long_and_stays_away(hasty: Fleet) -> None:
    hasty.only_first()
    submission = hasty.submit("task_stale", **LONG)
    hasty.runs_for_a_while(submission)
    assert frozen_in(hasty.first, "denoising", submission.at_worker)
    hasty.kill(hasty.first)
    hasty.second_takes_over()
    hasty.ends(submission)
    hasty.start(hasty.first)
    hasty.becomes("first", "ready")
    hasty.agree()


@returning
def test_worker_dies_when_it_is_done_and_the_gateway_has_not_seen_it(
    hasty: Fleet, patient: Fleet, returns: bool
) -> None:
    fleet = patient if returns else hasty
    fleet.only_first()
    hold = fleet.wire.hold("asked", *STATUS)
    submission = fleet.submit(None if returns else "remote_failed")
    hold.wait()
    until(lambda: fleet.at_first(submission) == "done", "it is not done")
    fleet.kill(fleet.first)
    hold.cut()
    if not returns:
        fleet.second_takes_over()
        fleet.ends(submission)
    fleet.start(fleet.first)
    fleet.becomes("first", "ready")
    fleet.agree()


@pytest.mark.parametrize("what", ["results", "preview"])
def test_worker_dies_while_a_file_is_fetched(patient: Fleet, what: str) -> None:
    patient.only_first()
    submission = patient.submit()
    patient.ends(submission)
    there = patient.first.client.get(f"/{what}/{submission.at_worker}").content
    hold = patient.wire.hold("half", "GET", f"/{what}/[^/]+")
    fetching = patient.asking("GET", f"/{what}/{submission.id}")
    hold.wait()
    patient.kill(patient.first)
    hold.cut()
    answer = fetching.result()
    assert answer is not None
    failure(answer, 502, "remote_failed")
    failure(patient.ask("GET", f"/{what}/{submission.id}"), 502, "remote_failed")
    patient.second_takes_over()
    patient.start(patient.first)
    assert patient.ask("GET", f"/{what}/{submission.id}").content == there
    patient.agree()


@returning
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_worker_dies_while_a_task_is_cancelled(patient: Fleet, point: Point, returns: bool) -> None:
    patient.only_first()
    submission = patient.submit("cancelled", **LONG)
    patient.is_now(submission, "processing")
    with writes_held(patient.first, point):
        hold = patient.wire.hold(point, *CANCEL)
        assert patient.ask("POST", f"/tasks/{submission.id}/cancel").status_code == 202
        hold.wait()
        patient.kill(patient.first)
    hold.cut()
    if not returns:
        patient.second_takes_over()
        patient.ends(submission)
    patient.start(patient.first)
    patient.becomes("first", "ready")
    patient.agree()


@returning
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_worker_dies_while_a_task_is_deleted(patient: Fleet, point: Point, returns: bool) -> None:
    patient.only_first()
    submission = patient.submit()
    patient.ends(submission)
    with writes_held(patient.first, point):
        hold = patient.wire.hold(point, *DELETE)
        deleting = patient.asking("DELETE", f"/gallery/{submission.id}")
        hold.wait()
        patient.kill(patient.first)
    hold.cut()
    answer = deleting.result()
    assert answer is not None
    failure(answer, 502, "remote_failed")
    if not returns:
        failure(patient.ask("DELETE", f"/gallery/{submission.id}"), 502, "remote_failed")
        patient.second_takes_over()
    assert patient.ask("GET", f"/status/{submission.id}").json() == submission.state
    patient.start(patient.first)
    patient.delete(submission)
    patient.agree()


@pytest.mark.parametrize(
    ("point", "call"),
    [("connected", HEALTH), ("half", HEALTH), ("answered", MODELS)],
    ids=["connected", "half", "models"],
)
def test_worker_dies_during_a_health_check(patient: Fleet, point: Point, call: tuple[str, str]) -> None:
    patient.only_first()
    hold = patient.wire.hold(point, *call)
    asking = patient.asking_for_health()
    hold.wait()
    assert patient.accounts()["first"]["status"] == "checking"
    patient.kill(patient.first)
    hold.cut()
    answer = asking.result()
    assert answer is not None
    assert answer.json()["status"] == "failed", answer.text
    patient.second_takes_over()
    patient.start(patient.first)
    patient.becomes("first", "ready")
    patient.agree()


@returning
def test_worker_dies_while_its_deployment_waits_for_health(patient: Fleet, returns: bool) -> None:
    patient.only_first()
    hold = patient.wire.hold("connected", *HEALTH)
    assert patient.admin("POST", "/first/deploy").status_code == 202
    hold.wait()
    assert patient.accounts()["first"]["status"] == "checking"
    if returns:
        patient.wire.park()
        patient.first.kill()
    else:
        patient.kill(patient.first)
    hold.cut()
    if not returns:
        patient.becomes("first", "failed")
        patient.second_takes_over()
    patient.start(patient.first)
    assert patient.becomes("first", "ready")["deployment"]["ok"] is True
    patient.agree()


# The gateway is killed.


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is-lost"])
@pytest.mark.parametrize("point", ["connected", "asked", "read", "answered", "half"])
def test_gateway_dies_at_a_submission(patient: Fleet, point: Point, arrives: bool) -> None:
    patient.only_first()
    with writes_held(patient.first, point):
        hold = patient.wire.hold(point, *SUBMISSION)
        submission = patient.submit()
        hold.wait()
        patient.gateway.kill()
        assert not submission.answer.done()
    hold.go() if arrives else hold.cut()
    patient.gateway.start()
    assert submission.at_worker
    if point in ("answered", "half"):
        assert submission.at_worker == hold.answer()["task_id"], "the worker knows the key"
    patient.agree()


def test_gateway_dies_while_a_task_is_in_the_queue_of_its_worker(patient: Fleet) -> None:
    patient.only_first()
    running = patient.submit(steps=50)
    patient.is_now(running, "processing")
    waiting = patient.submit()
    assert waiting.at_worker
    with patient.first.writes_held():
        assert patient.at_first(waiting) == "pending"
        patient.gateway.kill()
        patient.gateway.start()
        assert patient.at_first(waiting) == "pending"
    patient.agree()


@pytest.mark.parametrize("stage", STAGES)
def test_gateway_dies_in_a_stage(patient: Fleet, stage: str) -> None:
    patient.only_first()
    submission = patient.freeze_in(stage, **STAGES[stage])
    assert submission.at_worker
    patient.gateway.kill()
    patient.gateway.start()
    patient.first.thaw()
    patient.agree()


@pytest.mark.parametrize("point", ["asked", "answered"])
def test_gateway_dies_when_the_worker_is_done_and_it_has_not_seen_it(patient: Fleet, point: Point) -> None:
    patient.only_first()
    asked = patient.wire.hold("asked", *STATUS)
    submission = patient.submit()
    asked.wait()
    until(lambda: patient.at_first(submission) == "done", "it is not done")
    if point == "answered":
        answered = patient.wire.hold("answered", *STATUS)
        asked.go()
        answered.wait()
        assert answered.answer()["status"] == "done"
        patient.gateway.kill()
        answered.cut()
    else:
        patient.gateway.kill()
        asked.cut()
    patient.gateway.start()
    patient.agree()


@pytest.mark.parametrize("what", ["results", "preview"])
def test_gateway_dies_while_a_file_is_fetched(patient: Fleet, what: str) -> None:
    patient.only_first()
    submission = patient.submit()
    patient.ends(submission)
    hold = patient.wire.hold("half", "GET", f"/{what}/[^/]+")
    fetching = patient.asking("GET", f"/{what}/{submission.id}")
    hold.wait()
    patient.gateway.kill()
    hold.cut()
    assert fetching.result() is None
    patient.gateway.start()
    patient.agree()


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is-lost"])
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_gateway_dies_while_a_task_is_cancelled(patient: Fleet, point: Point, arrives: bool) -> None:
    patient.only_first()
    submission = patient.submit("cancelled", **LONG)
    patient.is_now(submission, "processing")
    with writes_held(patient.first, point):
        hold = patient.wire.hold(point, *CANCEL)
        assert patient.ask("POST", f"/tasks/{submission.id}/cancel").status_code == 202
        hold.wait()
        patient.gateway.kill()
    hold.go() if arrives else hold.cut()
    patient.gateway.start()
    patient.agree()


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is-lost"])
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_gateway_dies_while_a_task_is_deleted(patient: Fleet, point: Point, arrives: bool) -> None:
    patient.only_first()
    submission = patient.submit()
    patient.ends(submission)
    with writes_held(patient.first, point):
        hold = patient.wire.hold(point, *DELETE)
        deleting = patient.asking("DELETE", f"/gallery/{submission.id}")
        hold.wait()
        patient.gateway.kill()
    hold.go() if arrives else hold.cut()
    assert deleting.result() is None
    patient.gateway.start()
    assert patient.ask("GET", f"/status/{submission.id}").json() == submission.state
    patient.delete(submission)
    patient.agree()


@pytest.mark.parametrize(
    ("point", "call"),
    [("connected", HEALTH), ("half", HEALTH), ("answered", MODELS)],
    ids=["connected", "half", "models"],
)
def test_gateway_dies_during_a_health_check(patient: Fleet, point: Point, call: tuple[str, str]) -> None:
    patient.only_first()
    hold = patient.wire.hold(point, *call)
    asking = patient.asking_for_health()
    hold.wait()
    assert patient.accounts()["first"]["status"] == "checking"
    patient.gateway.kill()
    hold.cut()
    assert asking.result() is None
    patient.gateway.start()
    patient.becomes("first", "ready")
    patient.agree()


def test_gateway_dies_while_a_deployment_waits_for_health(patient: Fleet) -> None:
    patient.only_first()
    hold = patient.wire.hold("connected", *HEALTH)
    assert patient.admin("POST", "/first/deploy").status_code == 202
    hold.wait()
    assert patient.accounts()["first"]["status"] == "checking"
    patient.gateway.kill()
    hold.cut()
    patient.gateway.start()
    assert patient.becomes("first", "ready")["deployment"]["ok"] is True
    patient.agree()


# One after the other, and both.


def test_gateway_dies_after_the_end_of_a_task_whose_worker_was_away(patient: Fleet) -> None:
    patient.only_first()
    submission = patient.submit("cancelled", **LONG)
    patient.is_now(submission, "processing")
    patient.kill(patient.first)
    assert patient.ask("POST", f"/tasks/{submission.id}/cancel").status_code == 202
    patient.ends(submission)
    patient.gateway.kill()
    patient.gateway.start()
    patient.start(patient.first)
    patient.becomes("first", "ready")
    patient.agree()


def test_both_die_in_a_stage(patient: Fleet) -> None:
    patient.only_first()
    submission = patient.freeze_in("denoising")
    assert submission.at_worker
    patient.gateway.kill()
    patient.kill(patient.first)
    patient.gateway.start()
    patient.start(patient.first)
    patient.agree()
