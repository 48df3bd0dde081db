"""The checks at the end of a run (every acknowledged task, the logs, memory over time) and the table of results."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from backups import listed, must
from ledger import Ledger
from servers import API_KEY, Instance, Life, Nginx

DRAIN = 300.0
"""Seconds within which every task has to end after the last submission."""

SETTLED = 120.0
"""Seconds after which the start phase of a process is over."""

LONG = 480.0
"""Minimum lifetime of a process in seconds for the check of its growth."""

GROWTH = 16.0
"""MiB by which the median of the last third of a process's lifetime may be above that of the first third."""

DESCRIPTORS = 8
"""The same limit for file descriptors."""

KINDS = ("resident_mb", "own_mb", "descriptors", "threads")
"""The measured values of a process. `own_mb` is memory without pages of files, such as those of the program itself."""

WORDS = re.compile(r"database is locked|SQLITE_BUSY|panicked|RUST_BACKTRACE|malformed", re.IGNORECASE)
"""Texts that no log may contain."""


def tasks_of_server(instance: Instance, url: str, ledger: Ledger) -> dict[str, Any]:
    """Wait for unfinished tasks; then check that every acknowledged task has ended and has an unchanged result."""
    until = time.monotonic() + DRAIN
    while True:
        there = {task["id"]: task for task in listed(instance.program, instance.data)}
        unfinished = [id for id, task in there.items() if task["status"] not in ("done", "failed")]
        if not unfinished or time.monotonic() > until:
            break
        time.sleep(1)
    for id in unfinished:
        ledger.fault("a task did not end", f"{instance.name} {id}: {there[id]}")

    states: Counter[str] = Counter()
    for id, task in there.items():
        code = (task.get("error") or {}).get("code", "")
        states[f"failed: {code}" if task["status"] == "failed" else task["status"]] += 1
        if task["status"] == "failed" and code != "cancelled":
            ledger.fault("a task failed", f"{instance.name} {id}: {task['error']}")
    # A caller that timed out and asked again with its key must have only one picture. Its prompt is unique.
    marked = Counter(
        task["prompt"] for task in there.values() if task["status"] == "done" and re.search("[0-9a-f]{8}-", task["prompt"])
    )
    for prompt, count in marked.items():
        if count > 1:
            ledger.fault("a key made two pictures", f"{instance.name}: {prompt}, {count}")

    compared = lost = 0
    known = [known for known in ledger.tasks.values() if known.server == instance.name]
    keys = Counter(one.key for one in known if one.key)
    with httpx.Client(base_url=url, headers={"X-API-Key": API_KEY}, timeout=60) as client:
        for one in known:
            now = there.get(one.id)
            if one.deleted:
                continue
            if now is None:
                lost += 1
                ledger.fault("an acknowledged task is lost", f"{instance.name} {one.id} of {one.caller}")
                continue
            if one.state is not None and one.state != now["status"]:
                ledger.fault("a task ended twice", f"{instance.name} {one.id}: {one.state}, then {now['status']}")
            if now["status"] == "failed" and not one.may_be_cancelled:
                ledger.fault("a task that nobody cancelled failed", f"{instance.name} {one.id} of {one.caller}: {now['error']}")
            if now["status"] == "done":
                result = client.get(f"/results/{one.id}")
                if result.status_code != 200 or not result.content:
                    ledger.fault("a result is lost", f"{instance.name} {one.id}: {result.status_code}")
                else:
                    ledger.result(one, None, hashlib.sha256(result.content).hexdigest())
                    compared += 1
    if keys and max(keys.values()) > 1:
        ledger.fault("a key stands for two tasks", f"{instance.name}: {keys.most_common(1)}")
    return {"in_the_database": dict(states), "acknowledged": len(known), "lost": lost, "results_fetched_at_the_end": compared}


def tasks_of_queue(program: str, folder: Path, ledger: Ledger, name: str) -> dict[str, Any]:
    """Compare the queue's own journal with the folder."""
    there = {task["id"]: task["status"] for task in listed(program, folder / "data")}
    lines = [line.split() for line in (folder / "journal").read_text().splitlines()]
    got = {line[1] for line in lines if line[0] == "got"}
    for id in sorted(got):
        if there.get(id) != "done":
            ledger.fault("a job of the queue is lost", f"{name} {id}: {there.get(id)}")
    if not must(program, folder / "data", "audit", "verify")["ok"]:
        ledger.fault("the audit log is not whole", name)
    return {"in_the_database": dict(Counter(there.values())), "acknowledged": len(got), "lost": len(got - there.keys())}


def closed(instance: Instance, ledger: Ledger) -> dict[str, Any]:
    """Check the audit log and the database of a folder that no process has open."""
    told = must(instance.program, instance.data, "audit", "verify")
    if not told["ok"]:
        ledger.fault("the audit log is not whole", f"{instance.name}: {told['fault']}")
    with sqlite3.connect(instance.data / "must.db") as database:
        (said,) = database.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        ledger.fault("a database is damaged", f"{instance.name}: {said}")
    return {
        "audit_events": told["size"],
        "audit_checkpoints": told["checkpoints"],
        "audit_ok": told["ok"],
        "integrity_check": said,
    }


def answers(nginx: Nginx, ledger: Ledger) -> dict[str, Any]:
    """Check every answer of nginx: those with status 500 or above must be within an absence of their server."""
    counts: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for at, server, what, status in nginx.answers():
        counts[str(status)] += 1
        if status >= 500:
            # nginx logs whole seconds, rounded down.
            if ledger.explained(server, at, at + 1):
                within[str(status)] += 1
            else:
                shown = f"{server} {time.strftime('%H:%M:%S', time.localtime(at))} {what} {status}"
                ledger.fault("a 5xx while its server was there", shown)
    return {"by_status": dict(sorted(counts.items())), "of_these_5xx_in_restarts": dict(within)}


def logs(files: list[Path], nginx: Nginx, ledger: Ledger) -> dict[str, int]:
    """Count forbidden texts in all logs, and the messages of nginx about the servers."""
    for file in files:
        for line in file.read_text(errors="replace").splitlines() if file.exists() else []:
            if WORDS.search(line):
                ledger.fault("a log tells of a fault", f"{file.name}: {line[:200]}")
    told: Counter[str] = Counter()
    with (nginx.folder / "error.log").open(errors="replace") as lines:
        for line in lines:
            match = re.match(r"(\S+ \S+) \[(\w+)\] [^*]*(?:\*\d+ )?(.*?)(?:, client:|$)", line)
            if match is None or match[2] in ("notice", "info", "warn"):
                continue
            at = time.mktime(time.strptime(match[1], "%Y/%m/%d %H:%M:%S"))
            server = "second" if f":{nginx.second}/" in line else "first"
            reason = match[3][:90]
            told[reason] += 1
            if "too large body" not in reason and not ledger.explained(server, at, at + 1):
                ledger.fault("nginx tells of a fault", f"{server} {line.strip()[:300]}")
    return dict(told)


def memory(lives: list[Life], ledger: Ledger) -> list[dict[str, Any]]:
    """Check the memory of each process over time. A long-running process must not grow."""
    told = []
    for life in lives:
        settled = [sample for sample in life.samples if sample[0] >= SETTLED]
        most = [max((sample[of] for sample in life.samples), default=0) for of in range(1, 5)]
        row: dict[str, Any] = {
            "process": life.server,
            "seconds": round((life.ended or time.time()) - life.began),
            "ended_by": life.end,
            "most": {name: round(value, 1) for name, value in zip(KINDS, most, strict=True)},
        }
        third = len(settled) // 3
        if third >= 3 and settled[-1][0] >= LONG:
            thirds = {
                name: [round(statistics.median(sample[of] for sample in part), 1) for part in (settled[:third], settled[-third:])]
                for of, name in enumerate(KINDS, 1)
            }
            row["first_and_last_third"] = thirds
            row["own_mb_each_minute"] = [round(sample[2], 1) for sample in life.samples[::6]]
            for name, most_growth in (("own_mb", GROWTH), ("descriptors", DESCRIPTORS)):
                first, last = thirds[name]
                if last - first > most_growth:
                    ledger.fault(f"{name} grew", f"{life.server}, {row['seconds']} s: {first}, {last}")
        told.append(row)
    return told


def table(report: dict[str, Any]) -> str:
    """The report as a table for people."""
    rows: list[tuple[str, object]] = [("minutes", report["minutes"])]
    for name, tasks in report["tasks"].items():
        rows.append((f"tasks, {name}", f"{tasks['acknowledged']} acknowledged, {tasks['lost']} lost; {tasks['in_the_database']}"))
    rows.append(("answers by nginx", report["http"]["by_status"]))
    rows.append(("  5xx within restarts", report["http"]["of_these_5xx_in_restarts"]))
    rows.append(("restarts", Counter(f"{one['of']} {one['by']}" for one in report["restarts"])))
    for name, streams in report["streams"].items():
        rows.append((f"streams, {name}", streams))
    rows.append(("backups restored", len(report["backups"])))
    for row in report["memory"]:
        if "first_and_last_third" in row:
            rows.append((f"memory, {row['process']}, {row['seconds']} s", row["first_and_last_third"]))
    rows += [(f"  {what}", count) for what, count in report["notes"].items()]
    rows.append(("faults", sum(report["fault_counts"].values())))
    lines = [f"{name:<44} {dict(value) if isinstance(value, Counter) else value}" for name, value in rows]
    for kind, told in report["faults"].items():
        lines.append(f"FAULT {kind} ({report['fault_counts'][kind]})")
        lines += [f"      {one}" for one in told[:8]]
    return "\n".join(lines)
