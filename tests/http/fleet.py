"""A gateway with two workers in processes of their own; a wire on the way to the first one holds what a test wants."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from conftest import API_KEY
from mortals import TOKENS, WORKERS, Mortal, mortals
from wire import PATIENCE, Wire

# Fewer calls than those after which an admin session is throttled, and a pause that keeps their sum below its ceiling.
ADMIN_CALLS = 100
ADMIN_PAUSE = 0.1

RETRYABLE = {
    "remote_failed",
    "no_workers",
    "queue_overloaded",
    "gpu_memory_exceeded",
    "task_stale",
    "task_timeout",
    "dependency_unavailable",
    "storage_full",
}
"""Codes of failures that may be gone when the same is asked again."""

LONG = {"model": "tiny-video", "steps": 50}
"""What takes seconds: nothing that is to be stopped ends before."""


def until(condition: Callable[[], Any], what: str, pause: float = 0.02) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(pause)


@dataclass
class Submission:
    """A task as its caller knows it: what was asked under which key, the id that it got, how it is to end.

    Without a code it is to be done, else to fail with one of them.
    """

    request: dict[str, Any]
    key: str
    answer: Future[str]
    codes: tuple[str, ...] = ()
    state: dict[str, Any] | None = None
    result: bytes = b""
    deleted: bool = False

    @property
    def id(self) -> str:
        return self.answer.result(2 * PATIENCE)

    @property
    def at_worker(self) -> str:
        """Its id at the first worker."""
        assert self.id.startswith("first::"), self.id
        return self.id.removeprefix("first::")


class Fleet:
    def __init__(self, gateway: Mortal, first: Mortal, second: Mortal, wire: Wire, pool: ThreadPoolExecutor) -> None:
        self.gateway, self.first, self.second, self.wire, self._pool = gateway, first, second, wire, pool
        self.submissions: list[Submission] = []
        self._numbers = itertools.count(1)
        self._admin: httpx.Client | None = None
        self._admin_calls = 0
        for name, url in (("first", wire.url), ("second", second.url)):
            added = self.admin("POST", "", json={"label": name, "address": url, **TOKENS})
            assert added.status_code == 201, added.text
            self.admin("POST", f"/{name}/health")

    def admin(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One call on accounts."""
        if self._admin is None or self._admin_calls >= ADMIN_CALLS:
            if self._admin is not None:
                self._admin.close()
            self._admin, self._admin_calls = self.gateway.admin(), 0
        self._admin_calls += 1
        return self._admin.request(method, f"/admin/accounts{path}", **given)

    def accounts(self) -> dict[str, dict[str, Any]]:
        answer = self.admin("GET", "")
        assert answer.status_code == 200, answer.text
        return {account["workspace"]: account for account in answer.json()["accounts"]}

    def becomes(self, name: str, status: str) -> dict[str, Any]:
        """Waits until an account has a status."""
        account: dict[str, Any] = {}

        def is_it() -> bool:
            nonlocal account
            account = self.accounts()[name]
            return bool(account["status"] == status)

        until(is_it, f"the account {name} does not become {status}", ADMIN_PAUSE)
        return account

    def let_in(self, name: str) -> None:
        """Lets a worker have tasks, as soon as it is well."""
        status = self.accounts()[name]["status"]
        if status == "disabled":
            assert self.admin("POST", f"/{name}/enable").json()["status"] == "ready"
        elif status != "ready":
            self.becomes(name, "ready")

    def only_first(self) -> None:
        """Lets the first worker have every task."""
        accounts = self.accounts()
        assert accounts["first"]["status"] != "disabled"
        if accounts["first"]["status"] != "ready":
            self.becomes("first", "ready")
        if accounts["second"]["status"] != "disabled":
            assert self.admin("POST", "/second/disable").json()["status"] == "disabled"

    def second_takes_over(self) -> None:
        """While the first worker is away the second one has what comes."""
        self.let_in("second")
        submission = self.submit()
        assert submission.id.startswith("second::"), submission.id
        self.ends(submission)

    def start(self, worker: Mortal) -> None:
        worker.start()
        if worker is self.first:
            self.wire.open()

    def kill(self, worker: Mortal) -> None:
        """Kills a server; nobody listens where it was."""
        worker.kill()
        if worker is self.first:
            self.wire.shut()

    def ask(self, method: str, path: str) -> httpx.Response:
        """One request of a caller's."""
        return self.gateway.client.request(method, path)

    def asking(self, method: str, path: str) -> Future[httpx.Response | None]:
        """The same beside the test; none when the connection broke."""
        return self._pool.submit(unbroken, lambda: self.ask(method, path))

    def asking_for_health(self) -> Future[httpx.Response | None]:
        """An administrator asks for the health of the first worker, beside the test."""

        def ask() -> httpx.Response:
            with self.gateway.admin() as admin:
                return admin.post("/admin/accounts/first/health")

        return self._pool.submit(unbroken, ask)

    def is_now(self, submission: Submission, status: str) -> None:
        """Waits until a task has this status at the gateway."""
        state: dict[str, Any] = {}

        def is_it() -> bool:
            nonlocal state
            state = self.ask("GET", f"/status/{submission.id}").json()
            return bool(state["status"] == status)

        until(is_it, f"{submission.id} is not {status}")

    def runs_for_a_while(self, submission: Submission) -> None:
        """Waits until a long task is so old that its age reaches the limit before the silence of its worker does."""
        until(
            lambda: self.ask("GET", f"/status/{submission.id}").json()["progress"] >= 30,
            f"{submission.id} does not run",
        )

    def at_first(self, submission: Submission) -> str:
        """The status of a task at the first worker, by its own word."""
        return str(self.first.client.get(f"/status/{submission.at_worker}").json()["status"])

    def submit(self, code: str | None = None, **request: Any) -> Submission:
        """Submits a task as a client would: again and again under the same key until there is an answer.

        It has to end with this code, or else as done.
        """
        number = next(self._numbers)
        request = {"model": "tiny-image", "prompt": "a red circle", "seed": number, "steps": 4, **request}
        key = f"number-{number}"
        codes = () if code is None else (code,)
        submission = Submission(request, key, self._pool.submit(self._submit, request, key), codes)
        self.submissions.append(submission)
        return submission

    def _submit(self, request: dict[str, Any], key: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.gateway.client.post("/generate", json=request, headers={"Idempotency-Key": key})
                assert answer.status_code == 202, answer.text
                return str(answer.json()["task_id"])
            assert time.monotonic() < deadline, "the gateway does not come back"
            time.sleep(0.02)

    def freeze_in(self, stage: str, **request: Any) -> Submission:
        """Submits a task to the first worker, and freezes that while the task is in a stage, by its last word.

        A stage may be over before it can be seen: such a task ends as it would, and another one is submitted.
        """
        for _ in range(40):
            if stage == "loading":
                self.first.again(0)
                self.becomes("first", "ready")
            hold = self.wire.hold("answered", "POST", "/generate_direct")
            submission = self.submit(**request)
            hold.wait()
            caught = frozen_in(self.first, stage, hold.answer()["task_id"])
            hold.go()
            if caught:
                return submission
            self.ends(submission)
        raise AssertionError(f"no task was seen in the stage {stage}")

    def ends(self, submission: Submission) -> dict[str, Any]:
        """Waits for the end of a task, which has to be the one that was expected."""
        state: dict[str, Any] = {}

        def ended() -> bool:
            nonlocal state
            answer = self.ask("GET", f"/status/{submission.id}")
            assert answer.status_code == 200, answer.text
            state = answer.json()
            return state["status"] in ("done", "failed")

        until(ended, f"the task {submission.id} does not end")
        assert state["status"] == ("failed" if submission.codes else "done"), state
        assert state["error_code"] in (submission.codes or (None,)), state
        assert state["seed"] == submission.request["seed"]
        submission.state = state
        return state

    def delete(self, submission: Submission) -> None:
        """Deletes an ended task; this time it has to succeed."""
        assert self.ask("DELETE", f"/gallery/{submission.id}").json() == {"deleted": True, "id": submission.id}
        assert self.ask("GET", f"/status/{submission.id}").status_code == 404
        submission.deleted = True

    def agree(self) -> None:
        """Whatever was acknowledged has ended as it should, and nobody has anything else."""
        for submission in self.submissions:
            if submission.deleted:
                continue
            if submission.state is None:
                self.ends(submission)
            if not submission.codes and not submission.result:
                submission.result = self.result(submission)
        done = [submission.id for submission in self.submissions if not submission.codes and not submission.deleted]
        finished = self.gateway.finished()
        assert sorted(item["id"] for item in finished) == sorted(done)
        until(lambda: self.gateway.unfinished() == 0, "the gateway has unfinished tasks")
        for name, worker in (("first", self.first), ("second", self.second)):
            own = {item["id"].removeprefix(f"{name}::") for item in finished if item["workspace"] == name}
            agrees(name, worker, own)

    def agree_on_all(self) -> None:
        """The same; nothing has changed since it ended, and every key still stands for its one task."""
        self.agree()
        for submission in self.submissions:
            if not submission.deleted:
                assert self.ask("GET", f"/status/{submission.id}").json() == submission.state, "it ended once"
                if submission.state["error_code"] in RETRYABLE:
                    self.begins_anew(submission)
                else:
                    assert self._submit(submission.request, submission.key) == submission.id, "one key, one task"
                assert submission.codes or self.result(submission) == submission.result
        self.agree()

    def begins_anew(self, submission: Submission) -> None:
        """After a failure that may be gone by now the same key makes one new task. It goes again: all is as before."""
        new = self._submit(submission.request, submission.key)
        assert new != submission.id, "the failure is not the answer"
        assert self._submit(submission.request, submission.key) == new, "one key, one task"
        if self.ask("GET", f"/status/{new}").json()["status"] not in ("done", "failed"):
            assert self.gateway.client.post(f"/tasks/{new}/cancel").status_code in (202, 409)
        until(lambda: self.ask("GET", f"/status/{new}").json()["status"] in ("done", "failed"), f"the task {new} does not end")
        assert self.ask("DELETE", f"/gallery/{new}").json() == {"deleted": True, "id": new}

    def result(self, submission: Submission) -> bytes:
        """A result and its preview, which have to be what they are said to be."""
        result = self.ask("GET", f"/results/{submission.id}")
        assert result.status_code == 200, result.text
        kind = {"tiny-image": (0, b"\x89PNG"), "tiny-video": (4, b"ftyp")}[submission.request["model"]]
        assert result.content[kind[0] :].startswith(kind[1])
        preview = self.ask("GET", f"/preview/{submission.id}")
        assert preview.status_code == 200, preview.text
        assert preview.content.startswith(b"\xff\xd8\xff")
        return result.content


def agrees(name: str, worker: Mortal, own: set[str]) -> None:
    """Waits until a worker has these results, and no others, and nothing to do."""
    there: list[str] = []

    def same() -> bool:
        there[:] = [item["id"] for item in worker.finished()]
        return sorted(there) == sorted(own) and worker.unfinished() == 0

    try:
        until(same, "it does not agree")
    except AssertionError:
        there_not, here_not = own - set(there), set(there) - own
        raise AssertionError(
            f"{name} lacks {there_not}, has {here_not} besides, and {worker.unfinished()} to do"
        ) from None


def unbroken(ask: Callable[[], httpx.Response]) -> httpx.Response | None:
    with contextlib.suppress(httpx.TransportError):
        return ask()
    return None


def frozen_in(worker: Mortal, stage: str, task: str) -> bool:
    """Freezes a worker in a stage of a task. False when the stage was over before the worker stood still."""
    asked = f"GET /events/{task} HTTP/1.1\r\nHost: worker\r\nX-API-Key: {API_KEY}\r\nConnection: close\r\n\r\n"
    said = b""

    def last() -> str:
        stages: list[bytes] = re.findall(rb'"stage":"(\w+)"', said)
        return stages[-1].decode() if stages else ""

    with socket.create_connection(("127.0.0.1", worker.port), timeout=PATIENCE) as events:
        events.sendall(asked.encode())
        while last() != stage:
            part = events.recv(65536)
            if not part:
                return False
            said += part
        worker.freeze()
        # What it said before it stood still is on its way.
        events.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            while part := events.recv(65536):
                said += part
    if last() == stage:
        return True
    worker.thaw()
    return False


@contextlib.contextmanager
def fleet(folder: Path, **settings: Any) -> Iterator[Fleet]:
    """A fleet for as long as the block lasts, whose gateway has these settings besides the usual ones."""
    given = {"gateway": {"workers": WORKERS, **settings}, "first": {}, "second": {}}
    with (
        mortals(folder, **given) as (gateway, first, second),
        contextlib.closing(Wire(first.port)) as wire,
        ThreadPoolExecutor(16) as pool,
    ):
        yield Fleet(gateway, first, second, wire, pool)
