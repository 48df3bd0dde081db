"""The two servers, restarted as by a service manager, with an environment as from compose, and nginx in front of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ledger import Absence, Ledger

ROOT = Path(__file__).resolve().parents[2]
API_KEY = "the-api-key-of-a-small-company"
ADMIN_KEY = "the-admin-key-of-a-small-company"
SCRAPE_TOKEN = "the-scrape-token-of-a-small-company"

START = 60.0
"""Seconds within which a server has to listen, and within which it has to end after a signal."""

RESTART = 2.0
"""Seconds after which a service manager restarts a service that has ended (`RestartSec` in deploy/must.service)."""

# `gzip on` and the access log are in Debian's own nginx.conf; the other lines set the places of files. Locations have no settings.
CONFIGURATION = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{first};
        }}
        location /second/ {{
            proxy_pass http://127.0.0.1:{second}/;
        }}
    }}
}}
"""


def free_port() -> int:
    """A port that is not in use."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def bare_environment() -> dict[str, str]:
    """This process's environment without MUST's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MUST_")}


def composed(values: dict[str, str]) -> dict[str, str]:
    """The environment from compose with `NAME: ${NAME:-}` for every variable of .env.example, and an .env file with these values."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [line.strip("#").split("=")[0] for line in lines if line.startswith("#MUST_")]
    unknown = values.keys() - set(names)
    assert not unknown, unknown
    return {name: values.get(name, "") for name in names}


@dataclass
class Life:
    """One process of a server, with its measurements."""

    server: str
    pid: int
    began: float
    ended: float | None = None
    end: str = "the end of the run"
    samples: list[tuple[float, float, float, int, int]] = field(default_factory=list)
    """Seconds since its start, resident MiB, resident MiB without pages of files, open descriptors, threads."""


@dataclass
class Instance:
    """A `must serve` with an environment as in a container."""

    name: str
    program: str
    folder: Path
    values: dict[str, str]
    ledger: Ledger
    port: int = field(default_factory=free_port)
    lives: list[Life] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    _said: IO[str] | None = None

    @property
    def data(self) -> Path:
        """The default data folder, which is used because the variables are empty."""
        return self.folder / "must"

    @property
    def log(self) -> Path:
        """The file with its standard error."""
        return self.folder / "stderr.log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in the container: empty variables, and the variables of the image."""
        return {**bare_environment(), "XDG_DATA_HOME": str(self.folder), **composed(self.values)}

    def start(self) -> None:
        """Start it like a service manager: try again until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + START
        while not self._start():
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not start; see {self.log}")
            time.sleep(RESTART)

    def _start(self) -> bool:
        self._said = self.log.open("a")
        command = [self.program, "--json", "serve", "--addr", f"127.0.0.1:{self.port}"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._said, text=True, env=self.environment, cwd=self.folder
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            code = process.wait(START)
            self._said.close()
            last = self.log.read_text().strip().splitlines()[-1:]
            # A command may have the folder open for a moment; the service manager tries again.
            if any("data_dir_locked" in text for text in last):
                self.ledger.note(f"{self.name}: a start met a command that had the folder open")
            else:
                self.ledger.fault("a server did not start", f"{self.name}: exit {code}, {last}")
            return False
        assert json.loads(line)["listening"].endswith(str(self.port)), line
        self.process = process
        self.lives.append(Life(self.name, process.pid, time.time()))
        return True

    def end(self, kill: bool) -> None:
        """End it, by SIGKILL or by SIGTERM. It has to end on SIGTERM."""
        process, life = self.process, self.lives[-1]
        assert process is not None
        assert process.stdout is not None
        if process.poll() is not None:
            self.ledger.fault("a server ended by itself", f"{self.name}: {process.returncode}")
        began = time.monotonic()
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            code = process.wait(START)
        except subprocess.TimeoutExpired:
            self.ledger.fault("a server did not obey SIGTERM", f"{self.name}: {START} s")
            process.kill()
            code = process.wait()
        else:
            if not kill and code != 0:
                self.ledger.fault("a server did not end in order", f"{self.name}: exit {code}")
        life.ended, life.end = time.time(), "SIGKILL" if kill else f"SIGTERM, {time.monotonic() - began:.1f} s"
        process.stdout.close()
        if self._said is not None:
            self._said.close()
        self.process = None

    def restart(self, kill: bool) -> Absence:
        """End it and start it again."""
        absence = self.ledger.away(self.name, "SIGKILL" if kill else "SIGTERM")
        self.end(kill)
        time.sleep(RESTART)
        self.start()
        self.ledger.back(absence)
        return absence

    def command(self, *arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of the program in the same environment, like `podman exec`."""
        where = ["--url", url] if url else []
        return subprocess.run(
            [self.program, "--json", *where, *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@dataclass
class Nginx:
    """nginx with only `proxy_pass`."""

    folder: Path
    first: int
    second: int
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.folder.mkdir(parents=True)
        user = "user root;" if os.geteuid() == 0 else ""
        filled = CONFIGURATION.format(folder=self.folder, port=self.port, first=self.first, second=self.second, user=user)
        (self.folder / "nginx.conf").write_text(filled)
        command = ["nginx", "-e", str(self.folder / "error.log"), "-p", str(self.folder), "-c", "nginx.conf"]
        self.process = subprocess.Popen([*command[:-1], str(self.folder / "nginx.conf")])
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"nginx does not listen; see {self.folder}/error.log")

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def answers(self) -> list[tuple[float, str, str, int]]:
        """Every answer in its access log: the time, the server, the request and the status."""
        pattern = re.compile(r'\[([^\]]+)\] "(\S+) (\S+)[^"]*" (\d+)')
        found = []
        with (self.folder / "access.log").open(errors="replace") as lines:
            for line in lines:
                if match := pattern.search(line):
                    at = time.mktime(time.strptime(match[1].split(" ")[0], "%d/%b/%Y:%H:%M:%S"))
                    server = "second" if match[3].startswith("/second/") else "first"
                    found.append((at, server, f"{match[2]} {shape(match[3])}", int(match[4])))
        return found


def shape(path: str) -> str:
    """A path without its query and without ids in it."""
    path = path.split("?")[0].removeprefix("/second")
    return re.sub(r"/[0-9a-f]{8}-[0-9a-f-]{27}", "/{id}", path)


def missing_tools() -> list[str]:
    """Programs that a run needs and that are missing."""
    chromium = os.environ.get("CHROMIUM", "chromium")
    return [name for name in ("nginx", "node", "npm", chromium) if shutil.which(name) is None]
