"""Callers in separate processes: OpenAI's Node client, the browser, the job queues. Their output goes to the ledger."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ledger import Ledger
from servers import Life, bare_environment

HERE = Path(__file__).resolve().parent


@dataclass
class Program:
    """One caller. It ends when its standard input ends, or by a signal."""

    caller: str
    command: list[str]
    ledger: Ledger
    log: Path
    lives: list[Life] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    process: subprocess.Popen[str] | None = None
    wanted: bool = False
    """Whether it would be a fault if the process ended now."""

    def start(self) -> None:
        """Start it in its own process group, so that its children can be ended too."""
        self.ready.clear()
        self.wanted = True
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("a"),
            text=True,
            env=bare_environment(),
            start_new_session=True,
        )
        self.lives.append(Life(self.caller, self.process.pid, time.time()))
        assert self.process.stdout is not None
        threading.Thread(target=self._read, args=(self.process, self.process.stdout), daemon=True).start()

    def _read(self, process: subprocess.Popen[str], lines: IO[str]) -> None:
        for line in lines:
            try:
                told: dict[str, Any] = json.loads(line)
            except ValueError:
                self.ledger.fault("a caller printed what is no JSON", f"{self.caller}: {line[:200]}")
                continue
            if told.get("kind") == "ready":
                self.ready.set()
                if told["seconds"] > 0:
                    self.ledger.note(f"{self.caller}: whole seconds from starts to all jobs of before", round(told["seconds"]))
            else:
                self.ledger.told(self.caller, told)
        code = process.wait()
        if self.wanted and process is self.process:
            self.ledger.fault("a caller ended", f"{self.caller}: exit {code}; see {self.log}")

    def end(self, kill: bool) -> None:
        """End only this process; its forked children continue to run."""
        process, self.process, self.wanted = self.process, None, False
        assert process is not None
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            self.ledger.fault("a caller did not end", f"{self.caller}: SIGTERM")
            process.kill()
        self.lives[-1].ended, self.lives[-1].end = time.time(), "SIGKILL" if kill else "SIGTERM"

    def stop(self, seconds: float = 300) -> None:
        """Tell it to end, and then end the rest of its process group."""
        process = self.process
        if process is None:
            return
        self.wanted = False
        if process.poll() is None:
            if self.command[0] == sys.executable:
                process.send_signal(signal.SIGTERM)
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.ledger.fault("a caller did not end", self.caller)
        self.sweep()

    def sweep(self) -> None:
        """End the rest of every process group that was started here."""
        for life in self.lives:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(life.pid, signal.SIGKILL)


def node(caller: str, script: str, given: dict[str, Any], ledger: Ledger, folder: Path) -> Program:
    """A Node script beside this file."""
    return Program(caller, ["node", str(HERE / script), json.dumps(given)], ledger, folder / f"{Path(script).stem}.log")


def queue(caller: str, folder: Path, ledger: Ledger, *options: str) -> Program:
    """A job queue on its own data folder."""
    folder.mkdir(parents=True)
    given = [str(folder / "data"), str(folder / "journal"), *options]
    return Program(caller, [sys.executable, str(HERE / "job_queue.py"), *given], ledger, folder / "stderr.log")
