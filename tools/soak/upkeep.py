"""Maintenance of the platforms: commands of the program, restarts, and measurements of memory."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from backups import code_of, must
from ledger import Absence, Ledger
from programs import Program
from servers import SCRAPE_TOKEN, Instance, Life

SAMPLE = 10.0
"""Seconds between two measurements of memory and descriptors."""

PLAIN = (
    "keys list",
    "tasks list",
    "tasks list --status failed",
    "gallery",
    "models",
    "audit verify",
    "audit list --limit 50",
    "secrets status",
)
"""Commands that change nothing."""


@dataclass
class Commands:
    """Commands of an administrator: over the control socket of the running server, and over `--url`."""

    instances: dict[str, tuple[Instance, str]]
    queue: Path
    program: str
    exports: Path
    ledger: Ledger
    stop: threading.Event
    pause: float

    def run(self) -> None:
        """Run one command after another, on both platforms."""
        rng, number = random.Random("commands"), 0
        plain = [words.split() for words in PLAIN]
        rotated = ("master_key", "audit_key", "pepper")
        here = [*(["secrets", "rotate", name] for name in rotated), ["audit", "export"]]
        while not self.stop.wait(self.pause * rng.uniform(0.5, 1.5)):
            name = rng.choice(list(self.instances))
            number += 1
            try:
                if number % 6 == 0:
                    self.key(name)
                elif number % 25 == 0:
                    self.give(name, ["smoke", "--report", str(self.exports / f"smoke-{number}")], self.instances[name][1])
                elif number % 9 == 0:
                    words = rng.choice(here)
                    folder = [str(self.exports / f"{name}-{number}")] if words[-1] == "export" else []
                    self.give(name, [*words, *folder], None)
                elif number % 7 == 0:
                    self.at_queue(rng.choice(plain))
                else:
                    words = rng.choice([*plain, ["generate", "a red circle", "--set", "steps=4"]])
                    made = ["-o", str(self.exports / f"{number}.png")] if words[0] == "generate" else []
                    self.give(name, [*words, *made], self.instances[name][1] if rng.random() < 0.4 else None)
            except Exception as error:
                self.ledger.fault("a command failed", repr(error))

    def give(self, name: str, words: list[str], url: str | None) -> dict[str, Any] | None:
        """Run a command. Returns None when it failed; the ledger decides whether a restart explains the failure."""
        began = time.time()
        done = self.instances[name][0].command(*words, url=url)
        shown = " ".join(words[:1] if words[0] in ("generate", "smoke") else words[:2])
        way = "must --url" if url else "must beside a server"
        if done.returncode != 0:
            self.ledger.failed(way, name, shown, began, f"exit {done.returncode} {code_of(done.stderr)}")
            return None
        self.ledger.called(way, shown)
        told: dict[str, Any] = json.loads(done.stdout)
        if words[:2] == ["audit", "verify"] and not told["ok"]:
            self.ledger.fault("the audit log is not whole", f"{name}: {told}")
        if words[0] == "generate":
            self.ledger.acknowledged(name, told["id"], way)
        return told

    def key(self, name: str) -> None:
        """Issue, use, replace and revoke a key."""
        url = self.instances[name][1]
        issued = self.give(name, ["keys", "issue", "studio"], None)
        if issued is None:
            return
        self.used(name, url, issued["api_key"], 200)
        rotated = self.give(name, ["keys", "rotate", issued["key"]["id"], "--overlap", "1"], url)
        if rotated is not None:
            self.used(name, url, rotated["api_key"], 200)
            self.used(name, url, issued["api_key"], 200)
        if self.give(name, ["keys", "revoke", issued["key"]["id"]], None) is not None:
            self.used(name, url, issued["api_key"], 403)

    def used(self, name: str, url: str, key: str, wanted: int) -> None:
        """Make a call with a key, and check its status."""
        began = time.time()
        status = httpx.get(f"{url}/models", headers={"X-API-Key": key}, timeout=60).status_code
        if status == wanted:
            self.ledger.called("issued keys", str(wanted))
        else:
            self.ledger.failed("issued keys", name, "GET /models", began, f"{status} in place of {wanted}")

    def at_queue(self, words: list[str]) -> None:
        """Run a command on the folder that the job queue has open."""
        began = time.time()
        try:
            must(self.program, self.queue, *words)
        except RuntimeError as error:
            self.ledger.failed("must beside the job queue", "queue", " ".join(words), began, str(error))
        else:
            self.ledger.called("must beside the job queue", " ".join(words))


@dataclass
class Restarts:
    """Restarts the servers and the queue in turn, by SIGTERM and by SIGKILL."""

    instances: list[Instance]
    queue: Program
    ledger: Ledger
    stop: threading.Event
    every: float
    calm_after: float
    """Seconds after which only the first server is restarted, so that the memory of the others can be measured for long."""
    away: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """Restart one of them after each pause."""
        began, number = time.monotonic(), 0
        turns: list[Instance | None] = [*self.instances, None]
        while not self.stop.wait(self.every / len(turns)):
            one, kill = turns[number % len(turns)], (number // len(turns)) % 2 == 1
            number += 1
            calm = time.monotonic() - began > self.calm_after
            if one is self.instances[0]:
                self.noted(one.restart(kill))
            elif not calm:
                self.restart_queue(kill) if one is None else self.noted(one.restart(kill))

    def restart_queue(self, kill: bool) -> None:
        """End the queue, whose children continue to run, and start it again at once."""
        absence = self.ledger.away("queue", "SIGKILL" if kill else "SIGTERM")
        self.queue.end(kill)
        self.queue.start()
        if not self.queue.ready.wait(120):
            self.ledger.fault("a queue did not start", "not ready after 120 s")
        self.ledger.back(absence)
        self.noted(absence)

    def noted(self, absence: Absence) -> None:
        """Record an absence for the report."""
        seconds = round((absence.ended or absence.began) - absence.began, 1)
        self.away.append({"of": absence.server, "by": absence.how, "seconds": seconds})


@dataclass
class Watch:
    """Measures memory, descriptors and threads of every process with an open platform, and reads /metrics."""

    instances: dict[str, tuple[Instance, str]]
    programs: list[Program]
    ledger: Ledger
    stop: threading.Event
    answers: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """Answers by status, as counted by the server processes themselves."""

    def run(self) -> None:
        """Measure every ten seconds."""
        while not self.stop.wait(SAMPLE):
            for instance, url in self.instances.values():
                if instance.process is not None:
                    sample(instance.lives[-1])
                    self.scrape(instance, url)
            for program in self.programs:
                if program.lives and program.process is not None:
                    sample(program.lives[-1])

    def scrape(self, instance: Instance, url: str) -> None:
        """Read /metrics like Prometheus."""
        began, pid = time.time(), instance.lives[-1].pid
        try:
            answer = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {SCRAPE_TOKEN}"}, timeout=30)
        except httpx.TransportError as error:
            self.ledger.failed("Prometheus", instance.name, "GET /metrics", began, type(error).__name__)
            return
        if answer.status_code != 200:
            self.ledger.failed("Prometheus", instance.name, "GET /metrics", began, str(answer.status_code))
            return
        self.ledger.called("Prometheus", "GET /metrics")
        if pid != instance.lives[-1].pid:
            return
        counts: dict[str, int] = {}
        for line in answer.text.splitlines():
            if line.startswith("must_http_request_seconds_count{"):
                status = line.split('status="')[1].split('"')[0]
                counts[status] = counts.get(status, 0) + int(line.rsplit(" ", 1)[1])
        for status, count in counts.items():
            self.answers[(instance.name, pid, status)] = count


def sample(life: Life) -> None:
    """Add a measurement of a process, if it runs."""
    try:
        status = Path(f"/proc/{life.pid}/status").read_text()
        descriptors = len(os.listdir(f"/proc/{life.pid}/fd"))
    except OSError:
        return
    values = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
    if "VmRSS" in values:
        resident, own = (int(values[name]) / 1024 for name in ("VmRSS", "RssAnon"))
        life.samples.append((time.time() - life.began, resident, own, descriptors, int(values["Threads"])))


def threads(*works: Callable[[], None]) -> list[threading.Thread]:
    """Start each function on its own thread."""
    started = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in started:
        thread.start()
    return started
