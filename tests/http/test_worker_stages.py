"""A worker, or its gateway, is killed at every stage of a task and of every other exchange between them.

Each test holds the exchange, or freezes the run, at the point in its name, and kills a process there. The killed
process is started again at once, or after the other worker has got a task. At the end `Fleet.check` checks that every
acknowledged task has ended once, has its result and its key, that no task is unfinished, and that the galleries of
gateway and workers agree.
"""

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import failure, over_sockets
from fleet import LONG, Fleet, fleet, freeze_in_stage, until
from server_processes import ServerProcess
from pictures import picture
from holding_proxy import Point

pytestmark = over_sockets

# The stages of a run, and for each a task that stays in it for long enough to be frozen there.
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

# The code depends on which limit is reached first: the age of the task, or the time without an answer of its worker.
GIVEN_UP = ("remote_failed", "task_stale")

# Seconds after which a gateway fails a task without an answer of its worker, in tests that wait for this.
SOON = {"image_stale_seconds": 2, "video_stale_seconds": 2}

SUBMISSION = ("POST", "/generate_direct")
STATUS = ("GET", "/status/[^/]+")
CANCEL = ("POST", "/tasks/[^/]+/cancel")
DELETE = ("DELETE", "/gallery/[^/]+")
HEALTH = ("GET", "/health")
MODELS = ("GET", "/models")

returning = pytest.mark.parametrize("returns", [True, False], ids=["returns", "stays-away"])


@pytest.fixture(scope="module")
def long_limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("long_limits")) as running:
        yield running
        running.check_all()


@pytest.fixture(scope="module")
def short_limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose gateway has short limits for stale tasks."""
    with fleet(tmp_path_factory.mktemp("short_limits"), **SOON) as running:
        yield running
        running.check_all()


def writes_held(server: ServerProcess, point: Point) -> contextlib.AbstractContextManager[None]:
    """If the point is `read`, block the writes of a server, so that it cannot answer a request that it has read."""
    return server.writes_held() if point == "read" else contextlib.nullcontext()


# The worker is killed.


@returning
@pytest.mark.parametrize("point", ["connected", "asked", "read", "answered", "half"])
def test_worker_dies_at_a_submission(long_limits: Fleet, point: Point, returns: bool) -> None:
    long_limits.only_first()
    with writes_held(long_limits.first, point):
        hold = long_limits.proxy.hold(point, *SUBMISSION)
        submission = long_limits.submit()
        hold.wait()
        if returns:
            # Connections wait until the worker runs again.
            long_limits.proxy.park()
            long_limits.first.kill()
        else:
            long_limits.make_ready("second")
            long_limits.kill(long_limits.first)
    assert not submission.answer.done()
    hold.cut()
    if returns:
        long_limits.start(long_limits.first)
        assert submission.at_worker
        if point in ("answered", "half"):
            assert submission.at_worker == hold.answer()["task_id"], "the restarted worker has the accepted task"
    else:
        assert submission.id.startswith("second::"), submission.id
        long_limits.wait_for_end(submission)
        long_limits.start(long_limits.first)
        long_limits.wait_for_account("first", "ready")
    long_limits.check()


def test_worker_dies_at_a_submission_and_the_gateway_runs_the_task(long_limits: Fleet) -> None:
    long_limits.only_first()
    hold = long_limits.proxy.hold("answered", *SUBMISSION)
    submission = long_limits.submit()
    hold.wait()
    long_limits.kill(long_limits.first)
    hold.cut()
    assert "::" not in submission.id, "the gateway runs it itself"
    long_limits.wait_for_end(submission)
    long_limits.start(long_limits.first)
    long_limits.wait_for_account("first", "ready")
    long_limits.check()


def test_worker_dies_with_a_task_in_its_queue(long_limits: Fleet) -> None:
    long_limits.only_first()
    running = long_limits.submit(**LONG)
    long_limits.wait_for_status(running, "processing")
    waiting = long_limits.submit()
    assert waiting.at_worker
    with long_limits.first.writes_held():
        # While its writes are blocked, it does not start the next task of its queue.
        assert long_limits.status_at_first(waiting) == "pending"
        long_limits.kill(long_limits.first)
    long_limits.start(long_limits.first)
    long_limits.check()


def test_worker_dies_with_a_task_in_its_queue_and_stays_away(short_limits: Fleet) -> None:
    short_limits.only_first()
    running = short_limits.submit("task_stale", **LONG)
    short_limits.wait_until_old(running)
    waiting = short_limits.submit("remote_failed")
    assert waiting.at_worker
    with short_limits.first.writes_held():
        assert short_limits.status_at_first(waiting) == "pending"
        short_limits.kill(short_limits.first)
    short_limits.use_second()
    short_limits.wait_for_end(running)
    short_limits.wait_for_end(waiting)
    short_limits.start(short_limits.first)
    short_limits.wait_for_account("first", "ready")
    short_limits.check()


@returning
@pytest.mark.parametrize("stage", STAGES)
def test_worker_dies_in_a_stage(short_limits: Fleet, long_limits: Fleet, stage: str, returns: bool) -> None:
    fleet = long_limits if returns else short_limits
    fleet.only_first()
    submission = fleet.submit_and_freeze(stage, **STAGES[stage])
    assert submission.at_worker
    fleet.kill(fleet.first)
    if not returns:
        submission.codes = GIVEN_UP
        fleet.use_second()
        fleet.wait_for_end(submission)
    fleet.start(fleet.first)
    fleet.wait_for_account("first", "ready")
    fleet.check()


def test_worker_dies_with_a_task_that_has_run_for_long_and_stays_away(short_limits: Fleet) -> None:
    short_limits.only_first()
    submission = short_limits.submit("task_stale", **LONG)
    short_limits.wait_until_old(submission)
    assert freeze_in_stage(short_limits.first, "denoising", submission.at_worker)
    short_limits.kill(short_limits.first)
    short_limits.use_second()
    short_limits.wait_for_end(submission)
    short_limits.start(short_limits.first)
    short_limits.wait_for_account("first", "ready")
    short_limits.check()


@returning
def test_worker_dies_when_it_is_done_and_the_gateway_has_not_seen_it(
    short_limits: Fleet, long_limits: Fleet, returns: bool
) -> None:
    fleet = long_limits if returns else short_limits
    fleet.only_first()
    hold = fleet.proxy.hold("asked", *STATUS)
    submission = fleet.submit(None if returns else "remote_failed")
    hold.wait()
    until(lambda: fleet.status_at_first(submission) == "done", "it is not done")
    fleet.kill(fleet.first)
    hold.cut()
    if not returns:
        fleet.use_second()
        fleet.wait_for_end(submission)
    fleet.start(fleet.first)
    fleet.wait_for_account("first", "ready")
    fleet.check()


@pytest.mark.parametrize("what", ["results", "preview"])
def test_worker_dies_while_a_file_is_fetched(long_limits: Fleet, what: str) -> None:
    long_limits.only_first()
    submission = long_limits.submit()
    long_limits.wait_for_end(submission)
    there = long_limits.first.client.get(f"/{what}/{submission.at_worker}").content
    hold = long_limits.proxy.hold("half", "GET", f"/{what}/[^/]+")
    fetching = long_limits.ask_in_background("GET", f"/{what}/{submission.id}")
    hold.wait()
    long_limits.kill(long_limits.first)
    hold.cut()
    answer = fetching.result()
    assert answer is not None
    failure(answer, 502, "remote_failed")
    failure(long_limits.ask("GET", f"/{what}/{submission.id}"), 502, "remote_failed")
    long_limits.use_second()
    long_limits.start(long_limits.first)
    assert long_limits.ask("GET", f"/{what}/{submission.id}").content == there
    long_limits.check()


@returning
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_worker_dies_while_a_task_is_cancelled(long_limits: Fleet, point: Point, returns: bool) -> None:
    long_limits.only_first()
    submission = long_limits.submit("cancelled", **LONG)
    long_limits.wait_for_status(submission, "processing")
    with writes_held(long_limits.first, point):
        hold = long_limits.proxy.hold(point, *CANCEL)
        assert long_limits.ask("POST", f"/tasks/{submission.id}/cancel").status_code == 202
        hold.wait()
        long_limits.kill(long_limits.first)
    hold.cut()
    if not returns:
        long_limits.use_second()
        long_limits.wait_for_end(submission)
    long_limits.start(long_limits.first)
    long_limits.wait_for_account("first", "ready")
    long_limits.check()


@returning
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_worker_dies_while_a_task_is_deleted(long_limits: Fleet, point: Point, returns: bool) -> None:
    long_limits.only_first()
    submission = long_limits.submit()
    long_limits.wait_for_end(submission)
    with writes_held(long_limits.first, point):
        hold = long_limits.proxy.hold(point, *DELETE)
        deleting = long_limits.ask_in_background("DELETE", f"/gallery/{submission.id}")
        hold.wait()
        long_limits.kill(long_limits.first)
    hold.cut()
    answer = deleting.result()
    assert answer is not None
    failure(answer, 502, "remote_failed")
    if not returns:
        failure(long_limits.ask("DELETE", f"/gallery/{submission.id}"), 502, "remote_failed")
        long_limits.use_second()
    assert long_limits.ask("GET", f"/status/{submission.id}").json() == submission.state
    long_limits.start(long_limits.first)
    long_limits.delete(submission)
    long_limits.check()


@pytest.mark.parametrize(
    ("point", "call"),
    [("connected", HEALTH), ("half", HEALTH), ("answered", MODELS)],
    ids=["connected", "half", "models"],
)
def test_worker_dies_during_a_health_check(long_limits: Fleet, point: Point, call: tuple[str, str]) -> None:
    long_limits.only_first()
    hold = long_limits.proxy.hold(point, *call)
    asking = long_limits.check_health_in_background()
    hold.wait()
    assert long_limits.accounts()["first"]["status"] == "checking"
    long_limits.kill(long_limits.first)
    hold.cut()
    answer = asking.result()
    assert answer is not None
    assert answer.json()["status"] == "failed", answer.text
    long_limits.use_second()
    long_limits.start(long_limits.first)
    long_limits.wait_for_account("first", "ready")
    long_limits.check()


@returning
def test_worker_dies_while_its_deployment_waits_for_health(long_limits: Fleet, returns: bool) -> None:
    long_limits.only_first()
    hold = long_limits.proxy.hold("connected", *HEALTH)
    assert long_limits.admin("POST", "/first/deploy").status_code == 202
    hold.wait()
    assert long_limits.accounts()["first"]["status"] == "checking"
    if returns:
        long_limits.proxy.park()
        long_limits.first.kill()
    else:
        long_limits.kill(long_limits.first)
    hold.cut()
    if not returns:
        long_limits.wait_for_account("first", "failed")
        long_limits.use_second()
    long_limits.start(long_limits.first)
    assert long_limits.wait_for_account("first", "ready")["deployment"]["ok"] is True
    long_limits.check()


# The gateway is killed.


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is-lost"])
@pytest.mark.parametrize("point", ["connected", "asked", "read", "answered", "half"])
def test_gateway_dies_at_a_submission(long_limits: Fleet, point: Point, arrives: bool) -> None:
    long_limits.only_first()
    with writes_held(long_limits.first, point):
        hold = long_limits.proxy.hold(point, *SUBMISSION)
        submission = long_limits.submit()
        hold.wait()
        long_limits.gateway.kill()
        assert not submission.answer.done()
    hold.go() if arrives else hold.cut()
    long_limits.gateway.start()
    assert submission.at_worker
    if point in ("answered", "half"):
        assert submission.at_worker == hold.answer()["task_id"], "the worker knows the key"
    long_limits.check()


def test_gateway_dies_while_a_task_is_in_the_queue_of_its_worker(long_limits: Fleet) -> None:
    long_limits.only_first()
    running = long_limits.submit(**LONG)
    long_limits.wait_for_status(running, "processing")
    waiting = long_limits.submit()
    assert waiting.at_worker
    with long_limits.first.writes_held():
        assert long_limits.status_at_first(waiting) == "pending"
        long_limits.gateway.kill()
        long_limits.gateway.start()
        assert long_limits.status_at_first(waiting) == "pending"
    long_limits.check()


@pytest.mark.parametrize("stage", STAGES)
def test_gateway_dies_in_a_stage(long_limits: Fleet, stage: str) -> None:
    long_limits.only_first()
    submission = long_limits.submit_and_freeze(stage, **STAGES[stage])
    assert submission.at_worker
    long_limits.gateway.kill()
    long_limits.gateway.start()
    long_limits.first.thaw()
    long_limits.check()


@pytest.mark.parametrize("point", ["asked", "answered"])
def test_gateway_dies_when_the_worker_is_done_and_it_has_not_seen_it(long_limits: Fleet, point: Point) -> None:
    long_limits.only_first()
    asked = long_limits.proxy.hold("asked", *STATUS)
    submission = long_limits.submit()
    asked.wait()
    until(lambda: long_limits.status_at_first(submission) == "done", "it is not done")
    if point == "answered":
        answered = long_limits.proxy.hold("answered", *STATUS)
        asked.go()
        answered.wait()
        assert answered.answer()["status"] == "done"
        long_limits.gateway.kill()
        answered.cut()
    else:
        long_limits.gateway.kill()
        asked.cut()
    long_limits.gateway.start()
    long_limits.check()


@pytest.mark.parametrize("what", ["results", "preview"])
def test_gateway_dies_while_a_file_is_fetched(long_limits: Fleet, what: str) -> None:
    long_limits.only_first()
    submission = long_limits.submit()
    long_limits.wait_for_end(submission)
    hold = long_limits.proxy.hold("half", "GET", f"/{what}/[^/]+")
    fetching = long_limits.ask_in_background("GET", f"/{what}/{submission.id}")
    hold.wait()
    long_limits.gateway.kill()
    hold.cut()
    assert fetching.result() is None
    long_limits.gateway.start()
    long_limits.check()


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is-lost"])
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_gateway_dies_while_a_task_is_cancelled(long_limits: Fleet, point: Point, arrives: bool) -> None:
    long_limits.only_first()
    submission = long_limits.submit("cancelled", **LONG)
    long_limits.wait_for_status(submission, "processing")
    with writes_held(long_limits.first, point):
        hold = long_limits.proxy.hold(point, *CANCEL)
        assert long_limits.ask("POST", f"/tasks/{submission.id}/cancel").status_code == 202
        hold.wait()
        long_limits.gateway.kill()
    hold.go() if arrives else hold.cut()
    long_limits.gateway.start()
    long_limits.check()


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is-lost"])
@pytest.mark.parametrize("point", ["asked", "read", "answered"])
def test_gateway_dies_while_a_task_is_deleted(long_limits: Fleet, point: Point, arrives: bool) -> None:
    long_limits.only_first()
    submission = long_limits.submit()
    long_limits.wait_for_end(submission)
    with writes_held(long_limits.first, point):
        hold = long_limits.proxy.hold(point, *DELETE)
        deleting = long_limits.ask_in_background("DELETE", f"/gallery/{submission.id}")
        hold.wait()
        long_limits.gateway.kill()
    hold.go() if arrives else hold.cut()
    assert deleting.result() is None
    long_limits.gateway.start()
    assert long_limits.ask("GET", f"/status/{submission.id}").json() == submission.state
    long_limits.delete(submission)
    long_limits.check()


@pytest.mark.parametrize(
    ("point", "call"),
    [("connected", HEALTH), ("half", HEALTH), ("answered", MODELS)],
    ids=["connected", "half", "models"],
)
def test_gateway_dies_during_a_health_check(long_limits: Fleet, point: Point, call: tuple[str, str]) -> None:
    long_limits.only_first()
    hold = long_limits.proxy.hold(point, *call)
    asking = long_limits.check_health_in_background()
    hold.wait()
    assert long_limits.accounts()["first"]["status"] == "checking"
    long_limits.gateway.kill()
    hold.cut()
    assert asking.result() is None
    long_limits.gateway.start()
    long_limits.wait_for_account("first", "ready")
    long_limits.check()


def test_gateway_dies_while_a_deployment_waits_for_health(long_limits: Fleet) -> None:
    long_limits.only_first()
    hold = long_limits.proxy.hold("connected", *HEALTH)
    assert long_limits.admin("POST", "/first/deploy").status_code == 202
    hold.wait()
    assert long_limits.accounts()["first"]["status"] == "checking"
    long_limits.gateway.kill()
    hold.cut()
    long_limits.gateway.start()
    assert long_limits.wait_for_account("first", "ready")["deployment"]["ok"] is True
    long_limits.check()


# Both are killed, one after the other or together.


def test_gateway_dies_after_the_end_of_a_task_whose_worker_was_away(long_limits: Fleet) -> None:
    long_limits.only_first()
    submission = long_limits.submit("cancelled", **LONG)
    long_limits.wait_for_status(submission, "processing")
    long_limits.kill(long_limits.first)
    assert long_limits.ask("POST", f"/tasks/{submission.id}/cancel").status_code == 202
    long_limits.wait_for_end(submission)
    long_limits.gateway.kill()
    long_limits.gateway.start()
    long_limits.start(long_limits.first)
    long_limits.wait_for_account("first", "ready")
    long_limits.check()


def test_both_die_in_a_stage(long_limits: Fleet) -> None:
    long_limits.only_first()
    submission = long_limits.submit_and_freeze("denoising")
    assert submission.at_worker
    long_limits.gateway.kill()
    long_limits.kill(long_limits.first)
    long_limits.gateway.start()
    long_limits.start(long_limits.first)
    long_limits.check()
