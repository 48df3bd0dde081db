"""Backups: made while the platform works, complete or absent, and usable as a data folder."""

import asyncio
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

import must
from support import QUICK, run_script

CALLER = must.Caller("ops", "cli", "ticket-7")


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_opens_as_a_data_folder(platform: must.Platform, tmp_path: Path) -> None:
    tasks = [platform.submit("tiny-image", f"circle {seed}", seed=seed, **QUICK) for seed in range(3)]
    for task in tasks:
        task.wait()
    failed = platform.submit("tiny-video", "a red circle moving left", steps=50)
    failed.cancel()
    issued = platform.auth.issue_key("studio")
    platform.secrets.put("mail", "canary")
    made = platform.backup(tmp_path / "backup", caller=CALLER)
    assert made.folder == tmp_path / "backup"
    assert (made.tasks, made.files, made.missing_files, made.audit_ok) == (4, 6, 0, True)
    results = {name: data for name, data in files_in(made.folder).items() if name.startswith("results/")}
    assert len(results) == made.files
    assert sum(map(len, results.values())) == made.file_bytes
    assert made.database_bytes == (made.folder / "must.db").stat().st_size
    assert made.key_files == (tmp_path / "data/keys/master.key", tmp_path / "data/keys/audit.key")
    assert sorted(os.listdir(made.folder)) == ["audit.anchors", "must.db", "results"], "no keys, no log, no lock"
    assert made.folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    event = platform.audit.list(action="backup").logs[0]
    assert (event.actor, event.source, event.correlation_id) == ("ops", "cli", "ticket-7")
    assert (event.target, event.outcome) == (str(made.folder), "success")
    assert event.details["tasks"] == "4"
    assert event.seq == made.audit_events, "noted after it was made"
    # The original changes, and is removed later.
    for task in tasks:
        platform.delete(task.id)
    platform.close()
    shutil.copytree(tmp_path / "data" / "keys", made.folder / "keys")
    shutil.rmtree(tmp_path / "data")
    with must.Platform(made.folder, device="cpu") as restored:
        assert restored.tasks().total == 4
        for task in tasks:
            assert restored.task(task.id).state.status == "done"
            assert restored.task(task.id).result().startswith(b"\x89PNG")
            assert restored.task(task.id).preview().startswith(b"\xff\xd8")
        facts = must.RequestFacts(route="generation", header_keys=(issued.secret,), peer="192.0.2.1")
        assert restored.auth.authorize(facts).name == "studio"
        assert restored.secrets.get("mail") == "canary"
        verdict = restored.audit.verify()
        assert verdict.ok
        assert verdict.anchors > 0
        assert restored.submit("tiny-image", "a red circle", **QUICK).wait().status == "done"


def test_a_backup_opens_without_its_keys_and_loses_nothing(platform: must.Platform, tmp_path: Path) -> None:
    task = platform.submit("tiny-image", "a red circle", **QUICK)
    task.wait()
    platform.secrets.put("mail", "canary")
    made = platform.backup(tmp_path / "backup")
    with must.Platform(made.folder, device="cpu") as restored:
        assert restored.task(task.id).result() == task.result()
        with pytest.raises(must.DependencyUnavailableError):
            restored.secrets.get("mail")
    assert not (made.folder / "keys").exists()
    shutil.copytree(tmp_path / "data" / "keys", made.folder / "keys")
    with must.Platform(made.folder, device="cpu") as restored:
        assert restored.secrets.get("mail") == "canary"


def test_a_backup_is_made_while_the_platform_works(tmp_path: Path) -> None:
    """Tasks are submitted, run and deleted meanwhile. The backup has every task acknowledged before, with its files."""
    acknowledged: list[str] = []
    over = threading.Event()
    with must.Platform(tmp_path / "data", device="cpu", queue_depth=100_000) as platform:

        def submit() -> None:
            for number in range(10_000):
                if over.is_set():
                    return
                acknowledged.append(platform.submit("tiny-image", f"circle {number}", **QUICK).id)

        def delete() -> None:
            while not over.is_set():
                for task in platform.gallery(sort="oldest", per_page=5).items[1:]:
                    platform.delete(task.id)

        first = platform.submit("tiny-image", "a red circle", **QUICK)
        first.wait()
        threads = [threading.Thread(target=work) for work in (submit, delete)]
        for thread in threads:
            thread.start()
        try:
            for number in range(8):
                before = list(acknowledged)
                deleted_before = {id for id in before if not exists(platform, id)}
                made = platform.backup(tmp_path / f"backup-{number}")
                named, known = named_files_and_tasks(made.folder)
                assert named == {name for name in files_in(made.folder) if name.startswith("results/")}
                assert len(named) == made.files
                assert made.missing_files == 0
                deleted_now = {id for id in before if not exists(platform, id)}
                assert set(before) - deleted_before - deleted_now <= known
                assert first.id in known
        finally:
            over.set()
            for thread in threads:
                thread.join()
        for task in platform.tasks(status="pending", per_page=100):
            platform.task(task.id).cancel()


def exists(platform: must.Platform, id: str) -> bool:
    try:
        platform.task(id)
    except must.TaskNotFoundError:
        return False
    return True


def named_files_and_tasks(folder: Path) -> tuple[set[str], set[str]]:
    """The files that the database of a backup names, and its tasks."""
    database = sqlite3.connect(folder / "must.db")
    assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    rows = database.execute("SELECT id, result_path, preview_path FROM task").fetchall()
    database.close()
    return {path for row in rows for path in row[1:] if path is not None}, {row[0] for row in rows}


def test_existing_files_are_never_overwritten(platform: must.Platform, tmp_path: Path) -> None:
    platform.submit("tiny-image", "a red circle", **QUICK).wait()
    taken, file, data = tmp_path / "taken", tmp_path / "file", tmp_path / "data"
    taken.mkdir()
    (taken / "mine").write_text("mine")
    file.write_text("mine")
    (tmp_path / "link").symlink_to(data, target_is_directory=True)
    before = files_in(taken)
    inside = [data, data / "backup", data / "a" / "b", tmp_path / "link" / "backup", data / ".." / "data" / "backup"]
    for folder in [taken, file, file / "backup", *inside, tmp_path / "new" / ".." / "data" / "backup", Path("/")]:
        with pytest.raises(must.ValidationError) as caught:
            platform.backup(folder)
        assert caught.value.user_action, folder
    with pytest.raises(must.ValidationError):
        platform.backup("")
    assert (files_in(taken), file.read_text()) == (before, "mine")
    assert not (data / "a").exists()
    assert not (data / "backup").exists()
    made = platform.backup(tmp_path / "new" / "backup")
    with pytest.raises(must.ValidationError):
        platform.backup(made.folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert platform.backup(empty).files == 2
    assert list(tmp_path.rglob(".must-tmp-backup-*")) == []
    assert {event.outcome for event in platform.audit.list(action="backup").logs} == {"success"}


def test_only_lost_files_count_as_missing(platform: must.Platform, tmp_path: Path) -> None:
    for seed in range(2):
        platform.submit("tiny-image", "a red circle", seed=seed, **QUICK).wait()
    lost = next((tmp_path / "data" / "results").rglob("result.png"))
    lost.unlink()
    made = platform.backup(tmp_path / "backup")
    assert (made.tasks, made.files, made.missing_files) == (2, 3, 1)


def test_an_interrupted_backup_does_not_appear(tmp_path: Path) -> None:
    """The process is killed at several moments: there is a complete backup or none."""
    script = """
        import os, signal, sys, threading, time
        import must
        folder, delay = sys.argv[1], float(sys.argv[2])
        platform = must.Platform(folder + "/data", device="cpu", paused=True)
        platform.backup(f"{folder}/backups/{delay}-first")
        threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        for number in range(1000):
            platform.backup(f"{folder}/backups/{delay}-{number}")
    """
    with must.Platform(tmp_path / "data", device="cpu") as platform:
        for seed in range(8):
            platform.submit("tiny-image", "a red circle", seed=seed, **QUICK).wait()
    for delay in (0.05, 0.11, 0.17, 0.23):
        with pytest.raises(AssertionError, match="exit -9"):
            run_script(script, tmp_path, str(delay))
    whole = [path for path in (tmp_path / "backups").iterdir() if not path.name.startswith(".")]
    for folder in whole:
        named, known = named_files_and_tasks(folder)
        assert len(known) == 8
        assert named == {name for name in files_in(folder) if name.startswith("results/")}
        assert len(named) == 16
    with must.Platform(tmp_path / "data", device="cpu") as platform:
        assert platform.tasks().total == 8
        assert platform.audit.verify().ok


def test_a_backup_fails_on_a_full_disk_and_in_proc(tmp_path: Path) -> None:
    run_script(
        """
        import os, sys
        import must
        folder = sys.argv[1]
        with must.Platform("/dev/shm/" + os.path.basename(folder), device="cpu") as platform:
            for seed in range(8):
                platform.submit("tiny-image", "a red circle", seed=seed, steps=4).wait()
            made = platform.backup(folder + "/one")
            with open(folder + "/filler", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
            try:
                platform.backup(folder + "/two")
            except must.StorageFullError as error:
                assert error.user_action
            else:
                sys.exit("a backup was made on a full disk")
            assert sorted(os.listdir(folder)) == ["filler", "one"], os.listdir(folder)
            event = platform.audit.list(action="backup", limit=1).logs[0]
            assert (event.outcome, event.details["code"]) == ("failure", "storage_full")
            os.remove(folder + "/filler")
            assert platform.backup(folder + "/two").tasks == made.tasks
            try:
                platform.backup("/proc/backup")
            except must.DependencyUnavailableError as error:
                assert "/proc" in error.detail
            else:
                sys.exit("a backup was made in /proc")
        """,
        tmp_path,
        before=("unshare", *mapped(), "--mount", "sh", "-c", MOUNT, str(tmp_path)),
    )


MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$0" && mount -t tmpfs tmpfs /dev/shm && exec "$@"'


def mapped() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("--map-root-user",)


def test_a_closed_platform_makes_no_backup(tmp_path: Path) -> None:
    platform = must.Platform(tmp_path / "data", device="cpu")
    platform.close()
    with pytest.raises(must.InvalidStateError):
        platform.backup(tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_backup_with_asyncio(tmp_path: Path) -> None:
    async def make() -> must.Backup:
        async with must.AsyncPlatform(tmp_path / "data", device="cpu") as platform:
            task = await platform.submit("tiny-image", "a red circle", **QUICK)
            await task.wait()
            return await platform.backup(str(tmp_path / "backup"), caller=CALLER)

    made = asyncio.run(make())
    assert (made.tasks, made.files) == (1, 2)
