"""What a platform logs, and that log functions do no harm."""

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import must
from support import QUICK, run_script

LONG = "a red circle " * 40


def cut(records: list[must.LogRecord]) -> must.LogRecord:
    [record] = [record for record in records if record.level is must.LogLevel.WARN]
    return record


def test_a_cut_prompt_is_a_warning_and_lanes_log_at_debug(tmp_path: Path) -> None:
    records: list[must.LogRecord] = []
    threads = set()

    def log(record: must.LogRecord) -> None:
        records.append(record)
        threads.add(threading.current_thread().name)

    with must.Platform(tmp_path, device="cpu", log=log, log_level="debug") as platform:
        task = platform.submit("tiny-image", LONG, **QUICK)
        task.wait()
    record = cut(records)
    assert (record.fields["task"], record.fields["kept"]) == (task.id, 16)
    assert record.fields["tokens"] > 100
    assert record.message
    assert record.target.startswith("must")
    assert datetime.now(UTC) - record.time < timedelta(minutes=10)
    assert "loaded" in [record.fields.get("event") for record in records]
    assert "circle" not in str(records)
    assert threads == {"must-log"}
    assert "must-log" not in [thread.name for thread in threading.enumerate()]


def test_the_level_is_info_by_default(tmp_path: Path) -> None:
    records: list[must.LogRecord] = []
    with must.Platform(tmp_path, device="cpu", log=records.append, image_limit_seconds=0) as platform:
        task = platform.submit("tiny-image", "a red circle", **QUICK)
        assert task.wait(raise_on_failure=False).error is not None
    assert [(record.level, record.fields["code"]) for record in records] == [("warn", "task_timeout")]


def test_records_can_be_passed_to_logging(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("must")

    def log(record: must.LogRecord) -> None:
        logger.log(record.level.number, "%s %s", record.message, record.fields)

    with must.Platform(tmp_path, device="cpu", log=log, image_limit_seconds=0) as platform:
        platform.submit("tiny-image", "a red circle", **QUICK).wait(raise_on_failure=False)
    assert caplog.record_tuples[0][:2] == ("must", logging.WARNING)


def test_a_log_function_that_raises_still_gets_the_next_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)

    def log(record: must.LogRecord) -> None:
        raise ZeroDivisionError(record.message)

    with must.Platform(tmp_path, device="cpu", log=log, image_limit_seconds=0) as platform:
        for _ in range(2):
            platform.submit("tiny-image", "a red circle", **QUICK).wait(raise_on_failure=False)
    assert [hook.exc_type for hook in raised] == [ZeroDivisionError] * 2


def test_a_log_function_may_use_and_close_the_platform(tmp_path: Path) -> None:
    totals: list[int] = []
    closed = threading.Event()

    def log(_: must.LogRecord) -> None:
        totals.append(platform.tasks().total)
        platform.close()
        closed.set()

    platform = must.Platform(tmp_path, device="cpu", log=log, image_limit_seconds=0)
    platform.submit("tiny-image", "a red circle", **QUICK)
    assert closed.wait(60)
    assert totals == [1]
    with pytest.raises(must.InvalidStateError):
        platform.tasks()
    platform.close()


def test_a_slow_log_function_delays_no_task(tmp_path: Path) -> None:
    go = threading.Event()
    with must.Platform(tmp_path, device="cpu", log=lambda _: go.wait(60), log_level="trace") as platform:
        for _ in range(3):
            platform.submit("tiny-image", LONG, **QUICK).wait(timeout_seconds=60)
        began = time.monotonic()
        platform.close(deadline_seconds=5)
        assert time.monotonic() - began < 10
        go.set()


def test_asyncio_logs_and_loads(tmp_path: Path) -> None:
    records: list[must.LogRecord] = []

    async def main() -> must.Load:
        async with must.AsyncPlatform(tmp_path, device="cpu", log=records.append) as platform:
            await (await platform.submit("tiny-image", LONG, **QUICK)).wait()
            return await platform.load()

    assert asyncio.run(main()).lanes[-1].loads == 1
    assert cut(records).fields["kept"] == 16


def test_load_gives_the_state_of_the_lanes(tmp_path: Path) -> None:
    with must.Platform(tmp_path, device="cpu", lanes=["tiny-video"]) as platform:
        platform.submit("tiny-image", "a red circle", **QUICK).wait()
        load = platform.load()
    assert [lane.model for lane in load.lanes] == ["tiny-video", None]
    lane = load.lanes[1]
    assert (lane.loaded, lane.hits, lane.misses, lane.loads, lane.evictions) == (("tiny-image",), 0, 1, 1, 0)
    assert lane.memory_bytes > 1_000_000
    assert load.waiting == 0
    with pytest.raises(must.InvalidStateError):
        platform.load()


def test_invalid_log_functions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(must.ValidationError, match="log must be a function"):
        must.Platform(tmp_path, log="loud")  # type: ignore[arg-type]
    with pytest.raises(must.ValidationError, match="log_level: unknown variant") as caught:
        must.Platform(tmp_path, log=print, log_level="loud")  # type: ignore[typeddict-item]
    assert "line" not in caught.value.detail
    assert "must-log" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "del platform"])
def test_the_interpreter_ends_cleanly_while_a_task_runs_and_logs(tmp_path: Path, end: str) -> None:
    done = run_script(
        f"""
        import sys
        import must

        platform = must.Platform(sys.argv[1], device="cpu", log=lambda record: print(record.message), log_level="trace")
        task = platform.submit("tiny-video", "a red circle moving left", steps=50)
        next(iter(task))
        del task
        {end}
        """,
        tmp_path,
        timeout=40,
    )
    assert done.stderr == ""
    assert "the data folder is open" in done.stdout
