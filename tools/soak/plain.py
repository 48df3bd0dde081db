"""Programs that call the HTTP API through nginx: idempotency keys, event streams or polling, ranges, deletion and
cancelling."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from ledger import Ledger, Task
from servers import API_KEY

PATIENCE = 240.0
"""Seconds within which a task has to end, including restarts."""

SILENCE = 40.0
"""Seconds within which an event stream has to send data. Its keep-alive comes every 15."""

REPEATS = 400
"""Number of submissions with a key that are remembered to be repeated later."""


def recipe(rng: random.Random) -> dict[str, Any]:
    """A random request with few steps, from a small number of possible ones, so that results can be compared."""
    seed = rng.randrange(4)
    if rng.random() < 0.2:
        return {"model": "tiny-video", "prompt": "a red circle moving left", "seed": seed, "steps": 4, "num_frames": 5}
    colour = rng.choice(("red", "green", "blue"))
    return {"model": "tiny-image", "prompt": f"a {colour} circle", "seed": seed, "steps": rng.choice((4, 6))}


@dataclass
class Submission:
    """A submission with a key, and its task."""

    key: str
    body: dict[str, Any]
    task: Task


@dataclass
class Plain:
    """One program, which runs until it is stopped."""

    server: str
    url: str
    ledger: Ledger
    stop: threading.Event
    number: int
    pause: float
    submissions: list[Submission] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.server} {self.number}")
        self.caller = "HTTP"
        self.client = httpx.Client(base_url=self.url, headers={"X-API-Key": API_KEY}, timeout=60)

    def run(self) -> None:
        """Run rounds with a pause between them."""
        while not self.stop.wait(self.pause * self.rng.uniform(0.5, 1.5)):
            try:
                self.round()
            except Exception as error:
                self.ledger.fault("a caller failed", f"{self.caller}, {self.server}: {type(error).__name__}: {error}")

    def ask(self, method: str, path: str, good: tuple[int, ...], **given: Any) -> httpx.Response | None:
        """Make one call. Returns None when it failed; the failure is then recorded."""
        began, what = time.time(), f"{method} {path.split('?')[0]}"
        try:
            answer = self.client.request(method, path, **given)
        except httpx.TransportError as error:
            self.ledger.failed(self.caller, self.server, what, began, type(error).__name__)
            return None
        if answer.status_code in good:
            self.ledger.called(self.caller, f"{method} {path.split('/')[1].split('?')[0]}")
            return answer
        self.ledger.failed(self.caller, self.server, what, began, seen(answer))
        return None

    def round(self) -> None:
        """Run one request from submission to its end, and sometimes repeat an older one."""
        if self.submissions and self.rng.random() < 0.3:
            self.repeat(self.rng.choice(self.submissions))
        body, keyed = recipe(self.rng), self.rng.random() < 0.6
        cancels = self.rng.random() < 0.06
        if cancels:
            body = {**body, "steps": 50, "seed": self.rng.randrange(1 << 31)}
        key = str(uuid.uuid4()) if keyed else None
        # A unique prompt shows how many tasks this request made, however often it was sent.
        marked = keyed and self.rng.random() < 0.4
        if marked:
            body = {**body, "prompt": f"{body['prompt']} {key}"}
        task = self.submit(body, key, cancels)
        if task is None:
            return
        if cancels:
            self.ask("POST", f"/tasks/{task.id}/cancel", (200, 202, 409))
        state = self.follow(task) if self.rng.random() < 0.7 else self.poll(task)
        if state is None:
            return
        task.state = state["status"]
        if state["status"] == "done":
            self.fetch(task, None if marked else json.dumps(body, sort_keys=True))
            if self.rng.random() < 0.08 and not keyed:
                self.delete(task)

    def submit(self, body: dict[str, Any], key: str | None, cancels: bool) -> Task | None:
        """Submit a request. With a key it is sent again until it is acknowledged."""
        headers = {"Idempotency-Key": key} if key else {}
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.ask("POST", "/generate", (202,), json=body, headers=headers)
            if answer is not None or key is None or time.monotonic() > until or self.stop.is_set():
                break
            time.sleep(0.5)
        if answer is None:
            return None
        id = answer.json()["task_id"]
        task = self.ledger.acknowledged(self.server, id, self.caller, key=key, model=body["model"], may_be_cancelled=cancels)
        if key is not None and not cancels:
            self.submissions.append(Submission(key, body, task))
            del self.submissions[:-REPEATS]
        return task

    def repeat(self, one: Submission) -> None:
        """Repeat a submission with its key, which must give the same task. Another request with the key must be refused."""
        headers = {"Idempotency-Key": one.key}
        again = self.ask("POST", "/generate", (202,), json=one.body, headers=headers)
        if again is not None:
            self.ledger.note("submissions repeated under their key")
            if again.json()["task_id"] != one.task.id:
                self.ledger.fault("a key gave another task", f"{self.server} {one.key}: {one.task.id}, {again.text}")
        if self.rng.random() < 0.1:
            self.ask("POST", "/generate", (422,), json={**one.body, "prompt": "another"}, headers=headers)

    def follow(self, task: Task) -> dict[str, Any] | None:
        """Follow a task by event streams, and reconnect when one is cut."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            began, last, how = time.time(), None, "the stream ended before its task"
            try:
                with self.client.stream("GET", f"/events/{task.id}", timeout=httpx.Timeout(30, read=SILENCE)) as answer:
                    if answer.status_code != 200:
                        answer.read()
                        self.ledger.failed(self.caller, self.server, "GET /events", began, seen(answer))
                        time.sleep(0.5)
                        continue
                    ended_at = 0.0
                    for line in answer.iter_lines():
                        if line.startswith("data: "):
                            last = json.loads(line.removeprefix("data: "))
                            if last["status"] in ("done", "failed"):
                                ended_at = time.monotonic()
                    if ended_at:
                        self.ledger.stream_ended(self.caller, self.server, began, "task", time.monotonic() - ended_at)
                        return dict(last or {})
            except httpx.TransportError as error:
                how = type(error).__name__
            self.ledger.stream_ended(self.caller, self.server, began, how)
            time.sleep(0.5)
        self.ledger.fault("a task did not end", f"{self.server} {task.id}: {last}")
        return None

    def poll(self, task: Task) -> dict[str, Any] | None:
        """Follow a task by polling."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self.ask("GET", f"/status/{task.id}", (200,))
            if answer is not None and answer.json()["status"] in ("done", "failed"):
                return dict(answer.json())
            time.sleep(0.5)
        self.ledger.fault("a task did not end", f"{self.server} {task.id}")
        return None

    def fetch(self, task: Task, asked: str | None) -> None:
        """Fetch the result, a range of it, and its preview."""
        whole = self.ask("GET", f"/results/{task.id}", (200,))
        if whole is None:
            return
        self.ledger.result(task, asked, hashlib.sha256(whole.content).hexdigest())
        part = self.ask("GET", f"/results/{task.id}", (206,), headers={"Range": "bytes=10-19"})
        if part is not None and part.content != whole.content[10:20]:
            self.ledger.fault("a byte range differs from the whole result", f"{self.server} {task.id}")
        self.ask("GET", f"/preview/{task.id}", (200,))
        self.ask("GET", f"/results/{task.id}", (304,), headers={"If-None-Match": whole.headers["etag"]})

    def delete(self, task: Task) -> None:
        """Delete a task, and check that it no longer exists."""
        task.deleted = True
        if self.ask("DELETE", f"/gallery/{task.id}", (200,)) is not None:
            self.ask("GET", f"/status/{task.id}", (404,))


def seen(answer: httpx.Response) -> str:
    """The status and the code of a failure. nginx's own pages have no code."""
    try:
        body = answer.json()
        return f"{answer.status_code} {body['code']}: {body['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.headers.get('server', '')}"
