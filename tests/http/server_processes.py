"""Server processes that tests can freeze, kill and start again, and settings of gateways."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from conftest import ADMIN_KEY, API_KEY, SCRAPE_TOKEN

TOKENS = {"token_id": "canary-token-id", "token_secret": "canary-token-secret"}
WORKERS = {
    "networks": ["127.0.0.0/8"],
    "api_key": API_KEY,
    "poll_interval_seconds": 0.1,
    "answer_timeout_seconds": 5,
    "recheck_interval_seconds": 0.3,
    "deploy_command": ["true"],
    "health_pause_seconds": 0.1,
}


class ServerProcess:
    """A server process with its own port, which can be killed and started again on the same folder."""

    def __init__(self, data: Path, settings: dict[str, Any]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = data
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, headers={"X-API-Key": API_KEY}, timeout=60)
        self.locks: list[sqlite3.Connection] = []
        self.config = data.with_suffix(".json")
        self.configure(settings)
        address = f"127.0.0.1:{self.port}"
        program = os.environ["MUST_PROGRAM"]
        self.command = [
            program,
            "--json",
            "--data",
            str(data),
            "serve",
            "--addr",
            address,
            "--config",
            str(self.config),
        ]
        self.start()

    def configure(self, settings: dict[str, Any]) -> None:
        """Write the settings for the next start."""
        self.config.write_text(json.dumps({"threads": 1, "queue_depth": 1000, **settings}))

    def start(self) -> None:
        # A gateway must connect to the registered address of a worker and ignore the proxies of the environment.
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
        keys = {"MUST_API_KEY": API_KEY, "MUST_ADMIN_KEY": ADMIN_KEY, "MUST_SCRAPE_TOKEN": SCRAPE_TOKEN}
        environment = {**os.environ, **proxies, **keys}
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        assert "listening" in self.process.stdout.readline()
        # Not earlier, because closing the last connection cleans up the files of the killed process.
        while self.locks:
            self.locks.pop().close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def restart(self, pause: float) -> None:
        self.kill()
        time.sleep(pause)
        self.start()

    def freeze(self) -> None:
        """Stop the process at its present point. All its threads are stopped when this returns."""
        os.kill(self.process.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def writes_held(self) -> Iterator[None]:
        """Block all writes to the database during the block, because another process holds the lock."""
        held = sqlite3.connect(self.data / "must.db", isolation_level=None, timeout=5)
        held.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            held.execute("ROLLBACK")
            self.locks.append(held)

    def admin(self) -> httpx.Client:
        answer = self.client.post("/admin/session", headers={"X-Admin-Key": ADMIN_KEY})
        cookie = answer.headers["set-cookie"].split(";")[0]
        return httpx.Client(base_url=self.url, headers={"Cookie": cookie}, timeout=60)

    def finished(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            query = {"per_page": 100, "page": len(items) // 100 + 1}
            page = self.client.get("/gallery", params=query).json()
            items += page["items"]
            if not page["has_more"]:
                return items

    def unfinished(self) -> int:
        """The number of unfinished tasks, including tasks whose id no caller got."""
        text = self.client.get("/metrics", headers={"Authorization": f"Bearer {SCRAPE_TOKEN}"}).text
        counts = re.findall(r'^must_tasks\{[^}]*status="(?:pending|processing)"[^}]*\} (\d+)$', text, re.MULTILINE)
        return sum(int(count) for count in counts)


@contextlib.contextmanager
def server_processes(folder: Path, **settings: dict[str, Any]) -> Iterator[list[ServerProcess]]:
    running: list[ServerProcess] = []
    try:
        for name, given in settings.items():
            running.append(ServerProcess(folder / name, given))
        yield running
    finally:
        for one in running:
            one.kill()
            one.client.close()
