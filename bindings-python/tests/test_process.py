"""The process as a whole: fork, signals, exit, other interpreters, memory, the disk."""

import ctypes
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

import must
from support import QUICK, resident_bytes, run_script

FORK = """
    import os, signal, sys, time
    import must

    platform = must.Platform(sys.argv[1], device="cpu")
    task = platform.submit("tiny-video", "a red circle moving left", steps=4)
    events = iter(task)
    next(events)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        calls = [task.status, task.wait, task.cancel, platform.tasks, platform.models, platform.close,
                 lambda: next(events), lambda: list(task), lambda: platform.submit("tiny-image", "a red circle")]
        for call in calls:
            try:
                call()
            except must.InvalidStateError as error:
                assert error.user_action
            else:
                os._exit(3)
        # A normal exit, so that exit handlers run here too.
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    assert task.wait().status == "done"
    platform.close()
"""


def test_a_forked_child_is_refused_and_ends(tmp_path: Path) -> None:
    run_script(FORK, tmp_path)


def test_a_forked_child_opens_a_platform_only_when_its_parent_had_none(tmp_path: Path) -> None:
    run_script(
        """
        import os, signal, sys
        import must

        def fork(work):
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                work()
                sys.exit(0)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0, status

        def generate():
            with must.Platform(sys.argv[1] + "/child", device="cpu") as mine:
                mine.submit("tiny-image", "a red circle", seed=7, steps=4).wait()

        def expect_refusal():
            try:
                must.Platform(sys.argv[1] + "/other", device="cpu")
            except must.InvalidStateError as error:
                assert "spawn" in error.user_action
            else:
                sys.exit(3)

        fork(generate)
        platform = must.Platform(sys.argv[1] + "/parent", device="cpu")
        fork(expect_refusal)
        platform.close()
        fork(expect_refusal)
        """,
        tmp_path,
    )


def test_a_child_of_multiprocessing_is_refused(tmp_path: Path) -> None:
    run_script(
        """
        import multiprocessing, sys
        import must

        def child():
            try:
                platform.tasks()
            except must.InvalidStateError:
                return
            sys.exit(3)

        platform = must.Platform(sys.argv[1], device="cpu")
        processes = [multiprocessing.get_context("fork").Process(target=child) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
            assert process.exitcode == 0, process.exitcode
        assert platform.tasks().total == 0
        """,
        tmp_path,
    )


INTERRUPT = """
    import os, signal, sys, threading, time
    import must

    def interrupted(call):
        sent = []

        def send():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        try:
            threading.Timer(0.5, send).start()
            call()
        except KeyboardInterrupt:
            took = time.monotonic() - sent[0]
            assert took < 10, took
        else:
            sys.exit("was not interrupted")

    # Paused, so nothing runs: no wait ends by itself, and the queue stays full with its two places and the lane's own.
    with must.Platform(sys.argv[1], device="cpu", queue_depth=2, queue_wait_seconds=60, paused=True) as platform:
        tasks = [platform.submit("tiny-video", "a red circle moving left") for _ in range(3)]
        task = tasks[-1]
"""


def test_ctrl_c_stops_a_wait(tmp_path: Path) -> None:
    run_script(
        INTERRUPT
        + """
        interrupted(task.wait)
        interrupted(lambda: task.wait(60))
        interrupted(lambda: list(task))
        assert not task.status().ended
        """,
        tmp_path,
    )


def test_ctrl_c_stops_a_submission_that_waits_for_a_place(tmp_path: Path) -> None:
    run_script(
        INTERRUPT
        + """
        before = platform.tasks().total
        interrupted(lambda: platform.submit("tiny-image", "a red circle", steps=50))
        assert platform.tasks().total == before
        """,
        tmp_path,
    )


def test_ctrl_c_ends_asyncio(tmp_path: Path) -> None:
    run_script(
        """
        import asyncio, os, signal, sys, threading
        import must

        async def main():
            async with must.AsyncPlatform(sys.argv[1], device="cpu") as platform:
                task = await platform.submit("tiny-video", "a red circle moving left", steps=50)
                threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
                await task

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            sys.exit(0)
        sys.exit("was not interrupted")
        """,
        tmp_path,
    )


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "threading.Thread(target=task.wait, daemon=True).start()"])
def test_the_interpreter_ends_cleanly_while_a_task_runs(tmp_path: Path, end: str) -> None:
    done = run_script(
        f"""
        import sys, threading
        import must

        platform = must.Platform(sys.argv[1], device="cpu")
        task = platform.submit("tiny-video", "a red circle moving left", steps=50)
        next(iter(task))
        threading.excepthook = lambda _: None
        {end}
        """,
        tmp_path,
        timeout=40,
    )
    assert done.stderr == ""
    with must.Platform(tmp_path, device="cpu") as platform:
        assert platform.tasks().total == 1


def test_the_interpreter_ends_cleanly_while_asyncio_waits(tmp_path: Path) -> None:
    done = run_script(
        """
        import asyncio, sys
        import must

        async def main():
            platform = await must.AsyncPlatform(sys.argv[1], device="cpu").open()
            task = await platform.submit("tiny-video", "a red circle moving left", steps=50)
            asyncio.get_running_loop().create_task(task.wait())
            await asyncio.sleep(0.1)

        asyncio.run(main())
        """,
        tmp_path,
        timeout=40,
    )
    assert done.stderr == ""


def test_another_interpreter_of_the_process_is_refused() -> None:
    run_script(
        """
        import must
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters

        other = interpreters.create()
        try:
            found = interpreters.run_string(other, "import must")
        except interpreters.RunFailedError as error:
            found = error
        assert "ImportError" in str(found), found
        assert "sub-interpreter" in str(found), found
        interpreters.destroy(other)
        """
    )


def test_a_second_process_cannot_open_the_folder(platform: must.Platform, tmp_path: Path) -> None:
    assert platform.tasks().total == 0
    run_script(
        """
        import sys
        import must
        try:
            must.Platform(sys.argv[1])
        except must.DataDirLockedError as error:
            assert sys.argv[2] in error.detail, error
            assert error.user_action
        else:
            sys.exit("two processes have one folder")
        """,
        tmp_path / "data",
        str(os.getpid()),
    )


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    """Root may write anywhere, so the script switches to another user first."""
    folder = Path(tempfile.mkdtemp(prefix="must-"))
    folder.chmod(0o555)
    try:
        run_script(
            """
            import os, sys
            import must
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            try:
                must.Platform(sys.argv[1])
            except must.DependencyUnavailableError as error:
                assert sys.argv[1] in error.detail, error
                assert "write" in error.user_action, error.user_action
            else:
                sys.exit("a platform was opened where nothing can be written")
            """,
            folder,
        )
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder)


def mounted(size: str, folder: Path) -> tuple[str, ...]:
    """A command prefix: runs another command with a small private disk mounted at `folder`."""
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    rights = () if os.geteuid() == 0 else ("--map-root-user",)
    return ("unshare", *rights, "--mount", "sh", "-c", script, str(folder))


def test_a_full_disk_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    run_script(
        """
        import os, sys
        import must
        folder = sys.argv[1]

        def fill():
            with open(folder + "/filler", "wb", buffering=0) as file:
                size = 65536
                while size:
                    try:
                        file.write(bytes(size))
                    except OSError:
                        size //= 2

        with must.Platform(folder + "/data", device="cpu") as platform:
            kept = platform.submit("tiny-image", "a red circle", steps=4)
            kept.wait()
            fill()
            try:
                for _ in range(200):
                    platform.submit("tiny-image", "x" * 2000, negative_prompt="y" * 1000, steps=4)
            except must.StorageFullError as error:
                assert error.retryable and error.user_action
            else:
                sys.exit("nothing was refused")
            held = platform.tasks(per_page=1).total
            assert kept.result() == platform.task(kept.id).result()
            os.remove(folder + "/filler")
            assert platform.tasks(per_page=1).total == held
            task = platform.submit("tiny-image", "a red circle", steps=4)
            assert task.wait(60).status == "done"
            assert platform.tasks(per_page=1).total == held + 1
        fill()
        try:
            must.Platform(folder + "/other")
        except must.StorageFullError as error:
            assert error.user_action
        else:
            sys.exit("a platform was opened on a full disk")
        """,
        tmp_path,
        before=mounted("4m", tmp_path),
    )


def test_memory_does_not_grow_with_calls(shared: must.Platform, picture: must.Task) -> None:
    def calls() -> None:
        picture.status()
        picture.result()
        picture.wait()
        shared.tasks()
        shared.models()
        with pytest.raises(must.ValidationError):
            shared.submit("tiny-video", "a", mode="i2v", reference_image=b"no image" * 10_000)
        with pytest.raises(must.TaskNotFoundError):
            shared.task("no-such")

    for _ in range(200):
        calls()
    ctypes.CDLL(None).malloc_trim(0)
    before = resident_bytes()
    for _ in range(1000):
        calls()
    ctypes.CDLL(None).malloc_trim(0)
    assert resident_bytes() - before < 4 << 20


def test_memory_does_not_grow_with_opening_and_closing(tmp_path: Path) -> None:
    def cycle() -> int:
        with must.Platform(tmp_path, device="cpu", threads=1) as platform:
            platform.tasks()
        ctypes.CDLL(None).malloc_trim(0)
        return resident_bytes()

    for _ in range(10):
        cycle()
    before, threads, files = cycle(), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
    for _ in range(40):
        after = cycle()
    assert after - before < 4 << 20
    # The threads of a closed platform may take a moment to end.
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) > threads and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/task")) <= threads
    assert len(os.listdir("/proc/self/fd")) <= files


def test_memory_does_not_grow_with_generations(shared: must.Platform) -> None:
    def cycle() -> None:
        task = shared.submit("tiny-image", "a red circle", **QUICK)
        for _ in task:
            pass
        task.result()
        shared.delete(task.id)

    for _ in range(8):
        cycle()
    ctypes.CDLL(None).malloc_trim(0)
    before = resident_bytes()
    for _ in range(24):
        cycle()
    ctypes.CDLL(None).malloc_trim(0)
    assert resident_bytes() - before < 8 << 20
