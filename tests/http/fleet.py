"""A gateway with two workers, each in its own process. A proxy before the first worker can hold exchanges."""

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
from server_processes import TOKENS, WORKERS, ServerProcess, server_processes
from holding_proxy import PATIENCE, HoldingProxy

# Fewer calls than an admin session may make in a minute, and a pause that keeps all calls below the limit of a client
# network.
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
"""Codes of failures after which the same request may succeed later."""

LONG = {"model": "tiny-video", "steps": 50}
"""A request that takes seconds, so that it does not end before it is stopped."""


def until(condition: Callable[[], Any], what: str, pause: float = 0.02) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(pause)


@dataclass
class Submission:
    """A task from its caller's view: the request, its key, its id and its expected end.

    Without codes the task must end as done. With codes it must fail with one of them.
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
    def __init__(self, gateway: ServerProcess, first: ServerProcess, second: ServerProcess, proxy: HoldingProxy, pool: ThreadPoolExecutor) -> None:
        self.gateway, self.first, self.second, self.proxy, self._pool = gateway, first, second, proxy, pool
        self.submissions: list[Submission] = []
        self._numbers = itertools.count(1)
        self._admin: httpx.Client | None = None
        self._admin_calls = 0
        for name, url in (("first", proxy.url), ("second", second.url)):
            added = self.admin("POST", "", json={"label": name, "address": url, **TOKENS})
            assert added.status_code == 201, added.text
            self.admin("POST", f"/{name}/health")

    def admin(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Make one administrative call on accounts."""
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

    def wait_for_account(self, name: str, status: str) -> dict[str, Any]:
        """Wait until an account has a status."""
        account: dict[str, Any] = {}

        def is_it() -> bool:
            nonlocal account
            account = self.accounts()[name]
            return bool(account["status"] == status)

        until(is_it, f"the account {name} does not become {status}", ADMIN_PAUSE)
        return account

    def make_ready(self, name: str) -> None:
        """Wait until a worker is ready for tasks; enables it if it is disabled."""
        status = self.accounts()[name]["status"]
        if status == "disabled":
            assert self.admin("POST", f"/{name}/enable").json()["status"] == "ready"
        elif status != "ready":
            self.wait_for_account(name, "ready")

    def only_first(self) -> None:
        """Make the first worker the only one that gets tasks."""
        accounts = self.accounts()
        assert accounts["first"]["status"] != "disabled"
        if accounts["first"]["status"] != "ready":
            self.wait_for_account("first", "ready")
        if accounts["second"]["status"] != "disabled":
            assert self.admin("POST", "/second/disable").json()["status"] == "disabled"

    def use_second(self) -> None:
        """Enable the second worker, and check that it gets the next task."""
        self.make_ready("second")
        submission = self.submit()
        assert submission.id.startswith("second::"), submission.id
        self.wait_for_end(submission)

    def start(self, worker: ServerProcess) -> None:
        worker.start()
        if worker is self.first:
            self.proxy.open()

    def kill(self, worker: ServerProcess) -> None:
        """Kill a server. Its address then refuses connections."""
        worker.kill()
        if worker is self.first:
            self.proxy.shut()

    def ask(self, method: str, path: str) -> httpx.Response:
        """Make one request as a caller."""
        return self.gateway.client.request(method, path)

    def ask_in_background(self, method: str, path: str) -> Future[httpx.Response | None]:
        """Make a request in the background. The result is None when the connection breaks."""
        return self._pool.submit(or_none, lambda: self.ask(method, path))

    def check_health_in_background(self) -> Future[httpx.Response | None]:
        """Check the health of the first worker in the background."""

        def ask() -> httpx.Response:
            with self.gateway.admin() as admin:
                return admin.post("/admin/accounts/first/health")

        return self._pool.submit(or_none, ask)

    def wait_for_status(self, submission: Submission, status: str) -> None:
        """Wait until a task has this status at the gateway."""
        state: dict[str, Any] = {}

        def is_it() -> bool:
            nonlocal state
            state = self.ask("GET", f"/status/{submission.id}").json()
            return bool(state["status"] == status)

        until(is_it, f"{submission.id} is not {status}")

    def wait_until_old(self, submission: Submission) -> None:
        """Wait until a long task is so old that the gateway fails it for its age, not for the silence of its worker."""
        self.wait_for_status(submission, "processing")
        # Both limits are two seconds, and the silence begins after this.
        time.sleep(0.8)

    def status_at_first(self, submission: Submission) -> str:
        """The status of a task in the answer of the first worker."""
        return str(self.first.client.get(f"/status/{submission.at_worker}").json()["status"])

    def submit(self, code: str | None = None, **request: Any) -> Submission:
        """Submit a task like a client: repeat it with the same key until there is an answer.

        The task must fail with `code`. Without a code it must end as done.
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

    def submit_and_freeze(self, stage: str, **request: Any) -> Submission:
        """Submit a task to the first worker, and freeze the worker while the task's last known stage is `stage`.

        If the stage is over too soon, that task runs to its end, and another task is submitted.
        """
        for _ in range(200):
            if stage == "loading":
                self.first.restart(0)
                self.wait_for_account("first", "ready")
            hold = self.proxy.hold("answered", "POST", "/generate_direct")
            submission = self.submit(**request)
            hold.wait()
            caught = freeze_in_stage(self.first, stage, hold.answer()["task_id"])
            hold.go()
            if caught:
                return submission
            self.wait_for_end(submission)
        raise AssertionError(f"no task was seen in the stage {stage}")

    def wait_for_end(self, submission: Submission) -> dict[str, Any]:
        """Wait for the end of a task, which has to be as expected."""
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
        """Delete an ended task, which has to succeed."""
        assert self.ask("DELETE", f"/gallery/{submission.id}").json() == {"deleted": True, "id": submission.id}
        assert self.ask("GET", f"/status/{submission.id}").status_code == 404
        submission.deleted = True

    def check(self) -> None:
        """Check that every acknowledged task has ended as expected, and that there are no other tasks."""
        for submission in self.submissions:
            if submission.deleted:
                continue
            if submission.state is None:
                self.wait_for_end(submission)
            if not submission.codes and not submission.result:
                submission.result = self.result(submission)
        done = [submission.id for submission in self.submissions if not submission.codes and not submission.deleted]
        finished = self.gateway.finished()
        assert sorted(item["id"] for item in finished) == sorted(done)
        until(lambda: self.gateway.unfinished() == 0, "the gateway has unfinished tasks")
        for name, worker in (("first", self.first), ("second", self.second)):
            own = {item["id"].removeprefix(f"{name}::") for item in finished if item["workspace"] == name}
            check_worker(name, worker, own)

    def check_all(self) -> None:
        """Do the same check, and check that no ended task has changed and that every key still belongs to one task."""
        self.check()
        for submission in self.submissions:
            if not submission.deleted:
                assert self.ask("GET", f"/status/{submission.id}").json() == submission.state, "it ended once"
                if submission.state["error_code"] in RETRYABLE:
                    self.check_new_task(submission)
                else:
                    assert self._submit(submission.request, submission.key) == submission.id, "one key, one task"
                assert submission.codes or self.result(submission) == submission.result
        self.check()

    def check_new_task(self, submission: Submission) -> None:
        """Check that the same key makes one new task after a retryable failure. The new task is deleted afterwards."""
        new = self._submit(submission.request, submission.key)
        assert new != submission.id, "the failure is not the answer"
        assert self._submit(submission.request, submission.key) == new, "one key, one task"
        if self.ask("GET", f"/status/{new}").json()["status"] not in ("done", "failed"):
            assert self.gateway.client.post(f"/tasks/{new}/cancel").status_code in (202, 409)
        until(lambda: self.ask("GET", f"/status/{new}").json()["status"] in ("done", "failed"), f"the task {new} does not end")
        assert self.ask("DELETE", f"/gallery/{new}").json() == {"deleted": True, "id": new}

    def result(self, submission: Submission) -> bytes:
        """Fetch a result and its preview, and check their file types."""
        result = self.ask("GET", f"/results/{submission.id}")
        assert result.status_code == 200, result.text
        kind = {"tiny-image": (0, b"\x89PNG"), "tiny-video": (4, b"ftyp")}[submission.request["model"]]
        assert result.content[kind[0] :].startswith(kind[1])
        preview = self.ask("GET", f"/preview/{submission.id}")
        assert preview.status_code == 200, preview.text
        assert preview.content.startswith(b"\xff\xd8\xff")
        return result.content


def check_worker(name: str, worker: ServerProcess, own: set[str]) -> None:
    """Wait until a worker has exactly these results and no unfinished tasks."""
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


def or_none(ask: Callable[[], httpx.Response]) -> httpx.Response | None:
    with contextlib.suppress(httpx.TransportError):
        return ask()
    return None


def freeze_in_stage(worker: ServerProcess, stage: str, task: str) -> bool:
    """Freeze a worker in a stage of a task. Returns false when the stage was over before the worker was frozen."""
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
        # Read the events that it sent before it was frozen.
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
    """A fleet for the duration of the block. Its gateway has these settings in addition to the usual ones."""
    given = {"gateway": {"workers": WORKERS, **settings}, "first": {}, "second": {}}
    with (
        server_processes(folder, **given) as (gateway, first, second),
        contextlib.closing(HoldingProxy(first.port)) as proxy,
        ThreadPoolExecutor(16) as pool,
    ):
        yield Fleet(gateway, first, second, proxy, pool)
