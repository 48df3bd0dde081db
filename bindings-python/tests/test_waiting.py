"""Waiting, cancelling and closing, from threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import must
from support import LONG, QUICK


def occupy(platform: must.Platform, tasks: int = 4) -> must.Task:
    """Submit several tasks and return the last, which does not start before the others have ended."""
    return [platform.submit("tiny-video", "a red circle moving left", **LONG) for _ in range(tasks)][-1]


def test_a_wait_ends_after_the_timeout_and_the_task_continues(platform: must.Platform) -> None:
    task = occupy(platform)
    for timeout in (0, -1, 0.2):
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            task.wait(timeout)
        assert time.monotonic() - before < max(timeout, 0) + 1
    assert not task.status().ended


def test_a_cancelled_task_raises_its_own_error(platform: must.Platform) -> None:
    task = occupy(platform)
    assert task.cancel() is True
    with pytest.raises(must.CancelledError) as caught:
        task.wait()
    assert (caught.value.code, caught.value.user_action) == ("cancelled", must.CancelledError.default_user_action)
    state = task.wait(raise_on_failure=False)
    assert state.status is must.Status.FAILED
    assert state.error is not None
    assert state.error.code == "cancelled"
    with pytest.raises(must.CancelledError):
        state.raise_for_failure()
    assert task.cancel() is False
    with pytest.raises(must.ResultGoneError):
        task.result()


def test_a_running_task_is_cancelled_from_another_thread(platform: must.Platform) -> None:
    task = platform.submit("tiny-video", "a red circle moving left", **LONG)
    for state in task:
        if state.stage == "denoising":
            break
    threading.Timer(0.1, task.cancel).start()
    with pytest.raises(must.CancelledError):
        task.wait(30)


def test_a_result_is_not_ready_before_the_task_ends(platform: must.Platform) -> None:
    task = occupy(platform)
    for call in (task.result, task.preview, lambda: task.save("nowhere")):
        with pytest.raises(must.ResultNotReadyError) as caught:
            call()
        assert caught.value.retryable
    with pytest.raises(must.InvalidStateError):
        platform.delete(task.id)


def test_other_threads_run_while_one_waits(platform: must.Platform) -> None:
    task = platform.submit("tiny-video", "a red circle moving left", **LONG)
    waiter = threading.Thread(target=task.wait)
    waiter.start()
    turns = 0
    while waiter.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 20
    assert task.state.ended


def test_many_threads_use_one_platform(platform: must.Platform) -> None:
    def work(number: int) -> bytes:
        task = platform.submit("tiny-image", "a red circle", seed=number % 2, **QUICK)
        assert platform.tasks(per_page=5).total >= 1
        task.wait()
        return task.result()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(16)))
    assert len(set(results)) == 2
    assert platform.gallery().total == 16


def test_many_threads_wait_for_one_task(platform: must.Platform) -> None:
    task = platform.submit("tiny-video", "a red circle moving left", **QUICK)
    with ThreadPoolExecutor(16) as pool:
        states = list(pool.map(lambda _: platform.task(task.id).wait(), range(16)))
    assert set(states[0].parameters) == set(states[15].parameters)
    assert {state.status for state in states} == {must.Status.DONE}


def test_closing_ends_waits_and_later_calls_are_refused(tmp_path: Path) -> None:
    platform = must.Platform(tmp_path, device="cpu")
    task = occupy(platform)
    waiting = threading.Event()
    caught: list[BaseException] = []

    def wait() -> None:
        waiting.set()
        try:
            task.wait()
        except must.MustError as error:
            caught.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    waiting.wait()
    time.sleep(0.1)
    platform.close()
    waiter.join(10)
    assert [type(error) for error in caught] == [must.InvalidStateError]
    for call in (platform.tasks, task.status, task.cancel, lambda: platform.submit("tiny-image", "a red circle")):
        with pytest.raises(must.InvalidStateError):
            call()
    platform.close()


def test_a_full_queue_is_an_error(tmp_path: Path) -> None:
    with must.Platform(tmp_path, device="cpu", queue_depth=1, queue_wait_seconds=0.05) as platform:
        with pytest.raises(must.QueueOverloadedError) as caught:
            occupy(platform, 8)
        assert caught.value.retryable
        held = platform.tasks().total
        time.sleep(0.2)
        assert platform.tasks().total == held <= 3


def test_a_platform_that_is_dropped_is_closed(tmp_path: Path) -> None:
    platform = must.Platform(tmp_path, device="cpu")
    occupy(platform)
    del platform
    with must.Platform(tmp_path, device="cpu") as again:
        assert again.tasks().total == 4
