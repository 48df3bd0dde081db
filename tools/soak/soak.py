"""A load test of an hour that simulates the use by a small company. It counts events and reports faults.

    python soak.py --program target/debug/must --minutes 60 --out benches/results/soak.json

It runs two `must serve`, with empty variables as from compose, behind one nginx with only `proxy_pass`. Their clients are programs
over HTTP, OpenAI's clients for Python and Node, pages of other origins and the web UI in Chromium. Two job queues in Python fork. There
are commands, backups that are restored, and restarts of everything. README.md says more. Exit codes: 0 no fault, 1 faults.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import openai

import verdict
from backups import Backups
from ledger import Ledger
from openai_python import OpenAIPython
from plain import PATIENCE, Plain
from programs import node, queue
from servers import ADMIN_KEY, API_KEY, ROOT, SCRAPE_TOKEN, Instance, Nginx, free_port, missing_tools
from upkeep import Commands, Restarts, Watch, threads


class Run:
    """One run in a folder."""

    def __init__(self, program: Path, folder: Path, minutes: float) -> None:
        self.program, self.folder, self.minutes = str(program.resolve()), folder, minutes
        self.ledger, self.stop, self.done = Ledger(), threading.Event(), threading.Event()
        pages = {name: free_port() for name in ("first", "second")}
        # A page of the same site, and one of another site, which needs cookies with SameSite=None.
        hosts = {"first": "127.0.0.1", "second": "localhost"}
        port = free_port()
        urls = {"first": f"http://127.0.0.1:{port}", "second": f"http://127.0.0.1:{port}/second"}
        settings = folder / "second.json"
        settings.write_text(json.dumps({"http": {"session_cookie_same_site": "none"}}))
        keys = {"MUST_API_KEY": API_KEY, "MUST_ADMIN_KEY": ADMIN_KEY, "MUST_SCRAPE_TOKEN": SCRAPE_TOKEN}
        more = {"first": {}, "second": {"MUST_SESSION_COOKIE_PATH": "/second", "MUST_CONFIG": str(settings)}}
        instances = [
            Instance(
                name,
                self.program,
                folder / name,
                {**keys, **more[name], "MUST_PUBLIC_URL": url, "MUST_FRONTEND_ORIGINS": f"http://{hosts[name]}:{pages[name]}"},
                self.ledger,
            )
            for name, url in urls.items()
        ]
        self.instances = {instance.name: (instance, urls[instance.name]) for instance in instances}
        self.nginx = Nginx(folder / "nginx", instances[0].port, instances[1].port, port)
        given = {"servers": urls, "key": API_KEY, "pause": 4}
        pages_given = {"servers": urls, "ports": pages, "hosts": hosts, "pause": 6}
        self.queue = queue("queue", folder / "queue", self.ledger)
        self.horses = queue("horses", folder / "horses", self.ledger, "--horses")
        self.programs = [
            node("OpenAI, Node", "openai_node.mjs", given, self.ledger, folder),
            node("browser", "browser.mjs", pages_given, self.ledger, folder),
            self.queue,
            self.horses,
        ]
        spread = minutes * 60
        self.callers: list[Plain | OpenAIPython] = []
        for name, url in urls.items():
            self.callers += [Plain(name, url, self.ledger, self.stop, number, 2) for number in range(2)]
            self.callers.append(OpenAIPython(name, url, self.ledger, self.stop, 3))
        folders = {**{one.name: one.data for one in instances}, "queue": folder / "queue" / "data"}
        self.backups = Backups(self.program, folders, folder / "backups", self.ledger, self.stop, limited(spread / 20, 15, 180))
        exports = folder / "exports"
        self.commands = Commands(self.instances, folders["queue"], self.program, exports, self.ledger, self.stop, 10)
        self.restarts = Restarts(instances, self.queue, self.ledger, self.stop, limited(spread / 4, 45, 300), spread * 0.45)
        self.watch = Watch(self.instances, [self.queue], self.ledger, self.done)
        for made in (self.backups.keep, exports):
            made.mkdir()

    def run(self) -> dict[str, Any]:
        """Run everything and return the report."""
        began, load = time.time(), os.getloadavg()
        try:
            for instance, _ in self.instances.values():
                instance.start()
            self.nginx.start()
            for program in self.programs:
                program.start()
            watching = threads(self.watch.run)
            keepers = threads(self.backups.run, self.commands.run, self.restarts.run)
            working = threads(*(caller.run for caller in self.callers))
            self.wait(began + self.minutes * 60)
            self.stop.set()
            for thread in keepers:
                thread.join(PATIENCE)
            for thread in working:
                thread.join(PATIENCE + 60)
            for program in self.programs:
                program.stop()
            tasks = {name: verdict.tasks_of_server(instance, url, self.ledger) for name, (instance, url) in self.instances.items()}
            self.done.set()
            for thread in watching:
                thread.join(60)
            for instance, _ in self.instances.values():
                instance.end(kill=False)
                tasks[instance.name] |= verdict.closed(instance, self.ledger)
            for one in (self.queue, self.horses):
                tasks[one.caller] = verdict.tasks_of_queue(self.program, self.folder / one.caller, self.ledger, one.caller)
        finally:
            self.stop.set()
            self.done.set()
            for program in self.programs:
                program.sweep()
            for instance, _ in self.instances.values():
                if instance.process is not None:
                    instance.process.kill()
            self.nginx.stop()
        return self.report(began, load, tasks)

    def wait(self, until: float) -> None:
        """Wait for the time of the run, and print a line every minute."""
        while (left := until - time.time()) > 0:
            time.sleep(min(60, left))
            tasks, faults = len(self.ledger.tasks), sum(self.ledger.fault_counts.values())
            said = f"{time.strftime('%H:%M:%S')} {max(until - time.time(), 0) / 60:5.1f} min left, {tasks} tasks, {faults} faults"
            print(said, *self.ledger.fault_counts.items(), flush=True)

    def report(self, began: float, load: tuple[float, float, float], tasks: dict[str, Any]) -> dict[str, Any]:
        """The report with all counts."""
        lives = [life for instance, _ in self.instances.values() for life in instance.lives] + self.queue.lives
        files = [instance.log for instance, _ in self.instances.values()]
        files += [program.log for program in self.programs]
        calls: dict[str, dict[str, int]] = {}
        for (caller, what), count in sorted(self.ledger.calls.items()):
            calls.setdefault(caller, {})[what] = count
        unmet: dict[str, dict[str, int]] = {}
        for (caller, what), count in sorted(self.ledger.unmet.items()):
            unmet.setdefault(caller, {})[what] = count
        own: dict[str, dict[str, int]] = {}
        for (name, _, status), count in sorted(self.watch.answers.items()):
            statuses = own.setdefault(name, {})
            statuses[status] = statuses.get(status, 0) + count
        http = verdict.answers(self.nginx, self.ledger)
        nginx_told = verdict.logs(files, self.nginx, self.ledger)
        kept = verdict.memory(lives, self.ledger)
        return {
            "name": "soak",
            "minutes": round(self.minutes, 1),
            "seconds_with_the_end": round(time.time() - began),
            "machine": machine(self.program, load),
            "tasks": tasks,
            "calls": calls,
            "calls_that_met_a_restart": unmet,
            "http": {**http, "counted_by_the_servers": own, "errors_that_nginx_noted": nginx_told},
            "streams": {name: asdict(streams) for name, streams in sorted(self.ledger.streams.items())},
            "restarts": self.restarts.away,
            "backups": self.backups.made,
            "memory": kept,
            "notes": dict(sorted(self.ledger.notes.items())),
            "fault_counts": dict(self.ledger.fault_counts),
            "faults": self.ledger.faults,
        }


def limited(value: float, least: float, most: float) -> float:
    """A value within bounds."""
    return max(least, min(value, most))


def machine(program: str, load: tuple[float, float, float]) -> dict[str, Any]:
    """A description of the machine and the program."""
    said = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "cpu": said[0] if said else "",
        "kernel": platform.release(),
        "commit": commit.stdout.strip(),
        "profile": Path(program).parent.name,
        "nginx": nginx.stderr.strip().split("/")[-1],
        "openai_python": openai.__version__,
        "load_average_at_start": [round(value, 2) for value in load],
        "load_average_at_end": [round(value, 2) for value in os.getloadavg()],
    }


def main() -> int:
    """Read the arguments, run, and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--program", type=Path, default=ROOT / "target/debug/must", help="the program must")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, help="file of the report, in JSON")
    parser.add_argument("--folder", type=Path, help="a new folder for everything; a temporary one otherwise")
    given = parser.parse_args()
    if missing := missing_tools():
        parser.error(f"not on the path: {', '.join(missing)}")
    client = ROOT / "tests/http/openai_node"
    if not (client / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=client, check=True)
    folder = given.folder or Path(tempfile.gettempdir()) / f"must-soak-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    print(f"everything is in {folder}", flush=True)
    report = Run(given.program, folder.resolve(), given.minutes).run()
    if given.out:
        given.out.write_text(json.dumps(report, indent=2) + "\n")
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(verdict.table(report))
    return 1 if report["fault_counts"] else 0


if __name__ == "__main__":
    sys.exit(main())
