"""A job queue that forks, like common Python job queues. It uses the module `must` in its own process and its own data folder.

    python job_queue.py FOLDER JOURNAL [--horses]

Without options, one process has the platform open, submits, waits, and forks a child after each job. When the process
is killed, children may still run. With `--horses` the process opens nothing: it forks a child for each job, which opens
the platform, does the job and ends, as RQ's work horses do. Now and then a child is killed.

The journal gets a line for each job that was acknowledged and for each that was done, durable before anything else happens. Prints
one JSON value a line. Ends on SIGTERM.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import must

FORK = multiprocessing.get_context("fork")
REQUEST: dict[str, Any] = {"prompt": "a red circle", "steps": 4}
OLD = 10
"""Number of results of earlier processes that are checked at a start."""

stopping = False


def tell(kind: str, **more: object) -> None:
    """Print one line for the process that started this one."""
    os.write(1, (json.dumps({"kind": kind, **more}) + "\n").encode())


class Journal:
    """The queue's own record of its jobs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, str] = {}
        self.open: list[str] = []
        for line in path.read_text().splitlines() if path.exists() else []:
            self._take(*line.split())

    def _take(self, what: str, id: str, sha256: str = "") -> None:
        if what == "got":
            self.open.append(id)
        else:
            self.done[id] = sha256
            if id in self.open:
                self.open.remove(id)

    def write(self, *words: str) -> None:
        """Write a line, which is on the disk when this returns."""
        with self.path.open("a") as file:
            file.write(" ".join(words) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(*words)


def finish(platform: must.Platform, journal: Journal, id: str) -> bytes:
    """Wait for a job and record its outcome."""
    task = platform.task(id)
    state = task.wait(240, raise_on_failure=False)
    if state.status != "done":
        tell("fault", what="a job of the queue failed", detail=f"{id}: {state.error}")
        journal.write("done", id, "failed")
        return b""
    result = bytes(task.result())
    journal.write("done", id, hashlib.sha256(result).hexdigest())
    tell("call", what="a job done")
    return result


def look_back(platform: must.Platform, journal: Journal) -> None:
    """After a start, wait for acknowledged jobs of an earlier process, and check that earlier results are unchanged."""
    for id in list(journal.open):
        tell("note", what="jobs of a killed process that went on")
        finish(platform, journal, id)
    for id in random.sample(sorted(journal.done), min(OLD, len(journal.done))):
        sha256 = journal.done[id]
        if sha256 != "failed" and hashlib.sha256(bytes(platform.task(id).result())).hexdigest() != sha256:
            tell("fault", what="a result changed", detail=id)


def submit(platform: must.Platform, journal: Journal) -> str:
    """Submit one job, and record it as soon as it is acknowledged."""
    id: str = platform.submit("tiny-image", seed=random.randrange(1 << 31), **REQUEST).id
    journal.write("got", id)
    return id


def after_job(platform: must.Platform, result: bytes, out: Path, lingers: float) -> None:
    """Run in a child. It cannot use the parent's platform, but it can use the bytes of a result."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        platform.tasks()
    except must.InvalidStateError:
        pass
    else:
        tell("fault", what="a child used its parent's platform", detail="tasks() answered")
    out.write_bytes(result)
    time.sleep(lingers)


def stop(_signal: int, _frame: object) -> None:
    """End after the present job."""
    global stopping
    stopping = True


def opened(folder: Path) -> must.Platform:
    """Open the platform. A command may have the folder open for a moment, so try again."""
    until = time.monotonic() + 30
    while True:
        try:
            return must.Platform(folder, device="cpu", threads=1)
        except must.DataDirLockedError as error:
            if time.monotonic() > until:
                raise
            tell("locked", detail=error.detail)
            time.sleep(0.5)


def with_platform(folder: Path, journal: Journal) -> None:
    """The queue that has the platform open, and forks a child after each job."""
    began = time.monotonic()
    platform = opened(folder)
    tell("note", what="starts of the queue")
    look_back(platform, journal)
    tell("ready", seconds=time.monotonic() - began)
    children: list[Any] = []
    number = 0
    while not stopping:
        number += 1
        jobs = [submit(platform, journal) for _ in range(random.choice((1, 1, 2)))]
        for id in jobs:
            result = finish(platform, journal, id)
            lingers = 45.0 if number % 5 == 0 else 0.0
            if number % 4 == 0 and not multiprocessing.active_children():
                # The child ends like a program, with the interpreter's exit functions. (The exit function of multiprocessing
                # fails in it while children of multiprocessing run.)
                sys.stdout.flush()
                child_id = os.fork()
                if child_id == 0:
                    after_job(platform, result, folder.parent / "last.png", 0)
                    sys.exit(0)
                if os.waitstatus_to_exitcode(os.waitpid(child_id, 0)[1]) != 0:
                    tell("fault", what="a child did not end in order", detail=f"after {id}")
            else:
                child = FORK.Process(target=after_job, args=(platform, result, folder.parent / "last.png", lingers))
                child.start()
                children.append(child)
        children = [child for child in children if child.is_alive()]
        time.sleep(random.uniform(1, 4))
    platform.close()
    tell("note", what="ends of the queue in order")
    for child in children:
        child.terminate()


def horse(folder: Path, journal: Journal) -> None:
    """Run in a child, like a work horse of RQ: do one job with its own platform, and end, often without closing it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        platform = must.Platform(folder, device="cpu", threads=1)
        look_back(platform, journal)
        finish(platform, journal, submit(platform, journal))
        if random.random() < 0.5:
            platform.close()
    except BaseException as error:
        tell("fault", what="a horse failed", detail=f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def with_horses(folder: Path, path: Path) -> None:
    """The queue that does not open the platform itself; its children do."""
    tell("ready", seconds=0)
    while not stopping:
        journal = Journal(path)
        child = FORK.Process(target=horse, args=(folder, journal))
        child.start()
        child.join(random.uniform(0.2, 2) if random.random() < 0.15 else 240)
        if child.is_alive():
            child.kill()
            child.join()
            tell("note", what="horses killed")
        tell("note", what="horses")
        time.sleep(random.uniform(3, 8))


def main() -> None:
    """Run until SIGTERM."""
    folder, path = Path(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGTERM, stop)
    if "--horses" in sys.argv[3:]:
        with_horses(folder, path)
    else:
        with_platform(folder, Journal(path))


if __name__ == "__main__":
    main()
