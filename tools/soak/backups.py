"""Backups that are made while a platform works, restored, and compared with the tasks that were acknowledged before."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ledger import Ledger
from servers import API_KEY, bare_environment

COMPARED = 10
"""Number of results of a restored backup that are compared."""


@dataclass
class Backups:
    """Backs up every data folder in turn; each backup is restored and compared with the tasks acknowledged before."""

    program: str
    folders: dict[str, Path]
    keep: Path
    ledger: Ledger
    stop: threading.Event
    pause: float
    made: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """Make one backup after another."""
        number = 0
        while not self.stop.wait(self.pause):
            name = list(self.folders)[number % len(self.folders)]
            number += 1
            try:
                self.back_up(name, self.keep / f"{name}-{number}")
            except Exception as error:
                self.ledger.fault("a backup failed", f"{name}: {error!r}")

    def back_up(self, name: str, place: Path) -> None:
        """Make a backup, restore it, and delete it."""
        while True:
            known, began = self.known(name), time.time()
            try:
                told = must(self.program, self.folders[name], "backup", str(place))
                break
            except RuntimeError as error:
                # If the server ends meanwhile, the backup fails, and there must be no folder with its name.
                if not self.ledger.failed("backups", name, "backup", began, str(error)) or place.exists():
                    raise
                time.sleep(3)
        seconds = time.time() - began
        if not told["audit_ok"] or told["missing_files"]:
            self.ledger.fault("a backup is not whole", f"{name}: {told}")
        compared = self.restore(name, place, known)
        self.ledger.called("backups", "made and restored")
        size = told["database_bytes"] + told["file_bytes"]
        made = {"of": name, "seconds": round(seconds, 2), "megabytes": round(size / 1e6, 1), "results_compared": compared}
        self.made.append({**made, "tasks": told["tasks"], "files": told["files"], "audit_events": told["audit_events"]})
        shutil.rmtree(place)

    def known(self, name: str) -> dict[str, str | None]:
        """The ids of acknowledged tasks, each with the hash of its result if it was fetched."""
        journal = self.folders[name].parent / "journal"
        if journal.exists():
            words = [line.split() for line in journal.read_text().splitlines()]
            return {word[1]: word[2] if len(word) > 2 else None for word in words}
        tasks = list(self.ledger.tasks.values())
        return {task.id: task.sha256 for task in tasks if task.server == name and not task.deleted}

    def restore(self, name: str, place: Path, known: dict[str, str | None]) -> int:
        """Serve it with its keys, and check that it has every known task and result, and that its audit log is whole."""
        shutil.copytree(self.folders[name] / "keys", place / "keys", dirs_exist_ok=True)
        settings = place.with_suffix(".json")
        settings.write_text(json.dumps({"paused": True}))
        command = [self.program, "--json", "--data", str(place), "serve", "--addr", "127.0.0.1:0", "--config", str(settings)]
        environment = {**bare_environment(), "MUST_API_KEY": API_KEY}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["listening"]
            there = {task["id"] for task in listed(self.program, place)}
            deleted = {task.id for task in list(self.ledger.tasks.values()) if task.server == name and task.deleted}
            lost = sorted(known.keys() - there - deleted)
            if lost:
                self.ledger.fault("a backup lacks what was acknowledged before it", f"{name}: {len(lost)}, {lost[:5]}")
            shown = sorted(id for id, sha256 in known.items() if sha256 and sha256 != "failed" and id in there)
            looked_at = random.sample(shown, min(COMPARED, len(shown)))
            for id in looked_at:
                result = httpx.get(f"{url}/results/{id}", headers={"X-API-Key": API_KEY}, timeout=60)
                if hashlib.sha256(result.content).hexdigest() != known[id] and id not in deleted:
                    self.ledger.fault("a backup has another result", f"{name} {id}: {result.status_code}")
            if not must(self.program, place, "audit", "verify")["ok"]:
                self.ledger.fault("the audit log of a backup is not whole", name)
            return len(looked_at)
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def must(program: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command on a folder, which another process may have open."""
    command = [program, "--json", "--data", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=bare_environment(), timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode} {code_of(done.stderr)} {done.stdout[:300]}")
    return dict(json.loads(done.stdout))


def listed(program: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Every task of a folder."""
    page = 0
    while True:
        page += 1
        told = must(program, folder, "tasks", "list", "--per-page", "100", "--page", str(page))
        yield from told["items"]
        if not told["has_more"]:
            return


def code_of(text: str) -> str:
    """The code and the detail of an error on standard error, in one line."""
    try:
        told = json.loads(text.strip().splitlines()[-1])
        return f"{told['code']}: {told['detail']}"
    except (ValueError, KeyError, IndexError):
        return text.strip()[-200:]
