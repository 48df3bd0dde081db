"""Python's own SQLite is a second SQLite library in the host's process. No acknowledged task is lost, whatever the
second library does with the database."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import must
from support import run_script

SUBMITTER = """
    import os, signal, sqlite3, sys, threading
    import must

    folder, how = sys.argv[1:3]
    path = os.path.join(folder, "must.db")
    platform = must.Platform(folder, device="cpu", paused=True, queue_depth=1000)
    kept = []

    def look():
        with sqlite3.connect(path) as other:
            assert other.execute("SELECT count(*) FROM task").fetchone()[0] >= len(kept)
            assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        other.close()

    def back_up():
        source, target = sqlite3.connect(path), sqlite3.connect(os.path.join(folder, "..", "copy.db"))
        source.backup(target)
        assert target.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        target.close()
        source.close()

    def leave_wal():
        other = sqlite3.connect(path, timeout=0.05)
        try:
            other.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            assert "locked" in str(error), error
        else:
            sys.exit("the database was taken out of its mode")
        other.close()

    def read_files():
        for name in os.listdir(folder):
            if name.startswith("must."):
                with open(os.path.join(folder, name), "rb") as file:
                    file.read()

    def checkpoint():
        other = sqlite3.connect(path)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        other.close()

    def meanwhile():
        def work():
            for _ in range(20):
                look()
                back_up()
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            print(platform.submit("tiny-image", "a red circle").id, flush=True)
        for thread in threads:
            thread.join()

    steps = {
        "look": look, "back_up": back_up, "leave_wal": leave_wal, "read_files": read_files, "checkpoint": checkpoint,
        "meanwhile": meanwhile,
    }
    for turn in range(40):
        task = platform.submit("tiny-image", f"a red circle, {turn}")
        kept.append(task.id)
        print(task.id, flush=True)
        if turn % 8 == 3 and (how != "meanwhile" or turn < 8):
            steps[how]()
    # Checked here from the same process. The test checks the same from another process afterwards.
    assert {task.id for page in (1, 2) for task in platform.tasks(page=page, per_page=100)} >= set(kept)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def acknowledged(script: str, *arguments: str | Path) -> list[str]:
    """Runs a script that kills itself. Returns the tasks that it printed as acknowledged before."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.split()


def tasks_in(folder: Path) -> set[str]:
    with must.Platform(folder, device="cpu", paused=True) as platform:
        first = platform.tasks(per_page=100)
        pages = [platform.tasks(page=page, per_page=100) for page in range(1, first.total // 100 + 2)]
        assert platform.audit.verify().ok
        return {task.id for page in pages for task in page}


@pytest.mark.parametrize("how", ["look", "back_up", "leave_wal", "read_files", "checkpoint", "meanwhile"])
def test_no_acknowledged_task_is_lost(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "data"
    told = acknowledged(SUBMITTER, folder, how)
    assert len(told) == (100 if how == "meanwhile" else 40)
    assert tasks_in(folder) == set(told)
    with sqlite3.connect(folder / "must.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_wal_file_stays_when_a_second_sqlite_closes(platform: must.Platform, tmp_path: Path) -> None:
    log, index = (tmp_path / "data" / f"must.db-{kind}" for kind in ("wal", "shm"))
    platform.submit("tiny-image", "a red circle", steps=4).wait()
    before = [os.stat(file).st_ino for file in (log, index)]
    size = index.stat().st_size
    for _ in range(3):
        with sqlite3.connect(tmp_path / "data" / "must.db") as other:
            other.execute("SELECT count(*) FROM task").fetchone()
        other.close()
        assert [os.stat(file).st_ino for file in (log, index)] == before
        assert index.stat().st_size == size, "nobody began it anew"
    assert platform.tasks().total == 1


def test_locks_are_seen_in_both_directions(platform: must.Platform, tmp_path: Path) -> None:
    """A writer blocks the writer of the other SQLite, and a reader keeps its snapshot, as between processes."""
    platform.submit("tiny-image", "a red circle", steps=4).wait()
    other = sqlite3.connect(tmp_path / "data" / "must.db", isolation_level=None, timeout=5)
    other.execute("BEGIN")
    seen = other.execute("SELECT count(*) FROM task").fetchone()[0]
    for _ in range(3):
        platform.submit("tiny-image", "a red circle", steps=4).wait()
    assert other.execute("SELECT count(*) FROM task").fetchone()[0] == seen == 1
    other.execute("COMMIT")
    assert other.execute("SELECT count(*) FROM task").fetchone()[0] == 4
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(must.DependencyUnavailableError):
        platform.submit("tiny-image", "a red circle", steps=4)
    other.execute("ROLLBACK")
    platform.submit("tiny-image", "a red circle", steps=4).wait()
    other.close()


def test_a_connection_that_opens_first_and_closes_last_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with must.Platform(folder, device="cpu", paused=True) as platform:
        platform.submit("tiny-image", "a red circle")
    other = sqlite3.connect(folder / "must.db", isolation_level=None)
    assert other.execute("SELECT count(*) FROM task").fetchone()[0] == 1
    with must.Platform(folder, device="cpu", paused=True) as platform:
        for _ in range(10):
            platform.submit("tiny-image", "a red circle")
        assert other.execute("SELECT count(*) FROM task").fetchone()[0] == 11
    assert other.execute("SELECT count(*) FROM task").fetchone()[0] == 11
    other.close()
    assert len(tasks_in(folder)) == 11


def test_another_process_still_sees_every_task(platform: must.Platform, tmp_path: Path) -> None:
    """Also after the host opened and closed the files, which releases every POSIX lock of its process on them."""
    platform.submit("tiny-image", "a red circle", steps=4).wait()
    for name in ("must.db", "must.db-shm", "must.db-wal", "must.lock"):
        (tmp_path / "data" / name).read_bytes()
    script = """
        import sqlite3, sys
        other = sqlite3.connect(sys.argv[1] + "/must.db")
        print(other.execute("SELECT count(*) FROM task").fetchone()[0])
        other.close()
    """
    for expected in (1, 2):
        assert run_script(script, tmp_path / "data").stdout.split() == [str(expected)]
        assert (tmp_path / "data" / "must.db-wal").exists()
        platform.submit("tiny-image", "a red circle", steps=4).wait()
    run_script(
        """
        import sys, must
        try:
            must.Platform(sys.argv[1])
        except must.DataDirLockedError:
            sys.exit(0)
        sys.exit("two processes have one folder")
        """,
        tmp_path / "data",
    )
