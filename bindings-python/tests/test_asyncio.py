"""The asyncio platform."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import must
from support import LONG, QUICK, QUICK_CLIP, png


def run(folder: Path, main: Callable[[must.AsyncPlatform], Awaitable[Any]], **settings: Any) -> Any:
    async def body() -> Any:
        async with must.AsyncPlatform(folder, device="cpu", **settings) as platform:
            return await main(platform)

    return asyncio.run(body())


def test_the_calls_of_a_task(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        assert any(model["id"] == "tiny-video" for model in await platform.models())
        task = await platform.submit("tiny-image", "a red circle", mode="img2img", reference_image=png(), **QUICK)
        states = [state async for state in task]
        assert states[-1].status is must.Status.DONE
        assert [state.progress for state in states] == sorted(state.progress for state in states)
        assert task.state == states[-1] == await task == await task.wait() == await task.status()
        data = await task.result()
        assert data.startswith(b"\x89PNG")
        assert (await task.preview()).startswith(b"\xff\xd8\xff")
        assert (await task.save(tmp_path)).read_bytes() == data
        assert await (await platform.task(task.id)).result() == data
        assert [state.id for state in await platform.tasks(status="done")] == [task.id]
        assert [state.id for state in await platform.gallery()] == [task.id]
        assert await task.cancel() is False
        await platform.delete(task.id)
        with pytest.raises(must.TaskNotFoundError):
            await platform.task(task.id)
        with pytest.raises(must.ValidationError):
            await platform.submit("tiny-image", " ")

    run(tmp_path / "data", main)


def test_fifty_tasks_share_one_loop_and_few_threads(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        before = threading.active_count()

        async def one(number: int) -> bytes:
            task = await platform.submit("tiny-image", "a red circle", seed=number % 2, **QUICK)
            await task
            return await task.result()

        work = asyncio.gather(*(one(number) for number in range(50)))
        most, rounds = 0, 0
        while not work.done():
            await asyncio.sleep(0.005)
            rounds += 1
            most = max(most, threading.active_count())
        assert len(set(await work)) == 2
        assert most - before <= 12
        assert rounds > 20, "the loop was blocked"

    run(tmp_path, main, queue_depth=50)


def test_fifty_wait_for_one_task(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        task = await platform.submit("tiny-video", "a red circle moving left", **QUICK_CLIP)
        again = [await platform.task(task.id) for _ in range(50)]
        states = await asyncio.gather(*again)
        assert {state.status for state in states} == {must.Status.DONE}

    run(tmp_path, main)


def test_the_loop_watches_no_file_descriptor_without_waiters(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        loop = asyncio.get_running_loop()
        watched = len(loop._selector.get_map())  # type: ignore[attr-defined]
        task = await platform.submit("tiny-video", "a red circle moving left", **LONG)
        with pytest.raises(TimeoutError):
            await task.wait(0.2)
        assert len(loop._selector.get_map()) == watched  # type: ignore[attr-defined]

    run(tmp_path, main)


def test_cancelling_a_waiter_leaves_the_generation_running(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        task = await platform.submit("tiny-video", "a red circle moving left", **LONG)
        waiter = asyncio.ensure_future(task.wait())
        await asyncio.sleep(0.1)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert not (await task.status()).ended
        assert await task.cancel() is True
        with pytest.raises(must.CancelledError):
            await task
        assert (await task.wait(raise_on_failure=False)).status is must.Status.FAILED

    run(tmp_path, main)


def test_a_cancelled_submission_leaves_no_task_running(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        submissions = [
            asyncio.ensure_future(platform.submit("tiny-video", "a red circle moving left", **LONG)) for _ in range(12)
        ]
        await asyncio.sleep(0)
        for submission in submissions:
            submission.cancel()
        await asyncio.gather(*submissions, return_exceptions=True)
        deadline = time.monotonic() + 20
        while any(not state.ended for state in await platform.tasks()) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        assert {state.error.code for state in await platform.tasks() if state.error} <= {"cancelled"}
        assert all(state.ended for state in await platform.tasks())

    run(tmp_path, main)


def test_closing_ends_a_wait(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        task = await platform.submit("tiny-video", "a red circle moving left", **LONG)
        waiter = asyncio.ensure_future(task.wait())
        await asyncio.sleep(0.1)
        await platform.close()
        with pytest.raises(must.InvalidStateError):
            await waiter
        with pytest.raises(must.InvalidStateError):
            await platform.tasks()

    run(tmp_path, main)


def test_an_asyncio_platform_must_be_opened_first(tmp_path: Path) -> None:
    async def main() -> None:
        platform = must.AsyncPlatform(tmp_path)
        with pytest.raises(must.InvalidStateError, match="not open"):
            await platform.models()
        await platform.close()
        assert await platform.open() is platform
        assert await platform.open() is platform
        assert (await platform.tasks()).total == 0
        await platform.close()
        await platform.close()

    asyncio.run(main())


def test_one_platform_serves_loops_of_several_threads(tmp_path: Path) -> None:
    async def wait(platform: must.Platform, id: str) -> must.Status:
        asynchronous = must.AsyncPlatform(tmp_path)
        asynchronous._opened = platform._opened
        return (await (await asynchronous.task(id)).wait()).status

    with must.Platform(tmp_path, device="cpu") as platform:
        task = platform.submit("tiny-video", "a red circle moving left", **QUICK_CLIP)
        found: list[must.Status] = []
        threads = [
            threading.Thread(target=lambda: found.append(asyncio.run(wait(platform, task.id)))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [must.Status.DONE] * 4


def test_submissions_that_wait_for_a_place_do_not_delay_other_calls(tmp_path: Path) -> None:
    async def main(platform: must.AsyncPlatform) -> None:
        for _ in range(2):
            await platform.submit("tiny-image", "a red circle", **QUICK)
        begun, before = time.monotonic(), threading.active_count()
        waiting = [asyncio.ensure_future(platform.submit("tiny-image", "a red circle", **QUICK)) for _ in range(200)]
        await asyncio.sleep(0.1)
        with pytest.raises(must.ValidationError):
            await platform.submit("tiny-image", " ")
        assert time.monotonic() - begun < 5.0, "a refusal stood behind submissions that wait"
        assert threading.active_count() - before <= 12
        for given_up in waiting[100:]:
            given_up.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert time.monotonic() - begun < 30.0, "submissions waited one after another"
        assert {type(outcome) for outcome in outcomes[:100]} == {must.QueueOverloadedError}
        assert {type(outcome) for outcome in outcomes[100:]} == {asyncio.CancelledError}
        assert (await platform.tasks()).total == 2

    run(tmp_path, main, paused=True, queue_depth=1, queue_wait_seconds=6)
