"""Measures the HTTP server under load, and a peer in FastAPI with SQLite under uvicorn, in the same run.

    python run.py MUST_PROGRAM PYTHON_OF_THE_PEER [--seconds 5] [--out ../results/http.json]

wrk calls both with one thread on the same machine, so it shares the processors with the servers. Each server is measured
alone, with data of its own, in the same folder.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEY = secrets.token_hex(16)
PICTURE = json.dumps({"model": "tiny-image", "prompt": "a large red circle on a white background", "seed": 7})
CONNECTIONS = (1, 10, 100, 1000)
STREAMS = 1000
GOALS = {
    "throughput_ratio_to_peer": 10,
    "submit_p99_ms_with_100_connections": 20,
    "status_p99_ms_while_generating": 10,
    "memory_mb_of_1000_event_streams": 100,
}


def call(url: str, body: str | None = None) -> dict[str, Any]:
    """Sends one request with the key and returns the answer."""
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    request = urllib.request.Request(url, body.encode() if body else None, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def resident_mb(process: subprocess.Popen[Any]) -> float:
    """Returns the memory of a process and of the processes that it started."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    family = {process.pid}
    for _ in range(3):
        family |= {pid for pid, parent, _ in rows if parent in family}
    return sum(rss for pid, _, rss in rows if pid in family) / 1024


@contextlib.contextmanager
def must(program: str, folder: Path, *, paused: bool) -> Iterator[tuple[str, subprocess.Popen[Any]]]:
    """Runs a MUST server."""
    config = folder / "settings.json"
    config.write_text(json.dumps({"paused": paused, "queue_depth": 100_000_000}))
    command = [program, "--json", "--data", str(folder / "must"), "serve", "--addr", "127.0.0.1:0", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "MUST_API_KEY": KEY})
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["listening"], process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


@contextlib.contextmanager
def peer(python: str, folder: Path, workers: int) -> Iterator[tuple[str, subprocess.Popen[Any]]]:
    """Runs a server of the peer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "uvicorn", "peer:app", "--port", str(port), "--workers", str(workers), "--log-level", "error"]
    environment = {**os.environ, "BENCH_KEY": KEY, "BENCH_DATABASE": str(folder / "peer.db")}
    process = subprocess.Popen([*command, "--loop", "uvloop", "--http", "httptools"], cwd=HERE, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                call(f"{url}/generate", PICTURE)
                break
            time.sleep(0.05)
        yield url, process
    finally:
        process.terminate()
        process.wait(60)


def load(url: str, connections: int, seconds: float, body: str = "", idempotency: str = "") -> dict[str, float]:
    """Runs wrk and returns its figures. `idempotency` says whether each request has a `new` key, all have the `same`, or none has one."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(HERE / "load.lua"), url]
    environment = {**os.environ, "BENCH_KEY": KEY, "BENCH_BODY": body, "BENCH_IDEMPOTENCY": idempotency}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found = json.loads(next(line for line in said.splitlines() if line.startswith("JSON ")).removeprefix("JSON "))
    return {
        "per_second": round(found["requests"] / found["seconds"], 1),
        "p50_ms": round(found["p50_ms"], 3),
        "p99_ms": round(found["p99_ms"], 3),
        "failed": found["failed"],
    }


def phases(url: str, process: subprocess.Popen[Any], seconds: float) -> dict[str, Any]:
    """Measures status reads and submissions with each number of connections, and the memory after the status reads."""
    task = call(f"{url}/generate", PICTURE)["task_id"]
    load(f"{url}/status/{task}", 10, 1)
    status = {str(count): load(f"{url}/status/{task}", count, seconds) for count in CONNECTIONS}
    memory = resident_mb(process)
    submit = {str(count): load(f"{url}/generate", count, seconds, PICTURE) for count in CONNECTIONS}
    return {"status": status, "submit": submit, "memory_mb_after_status": round(memory, 1)}


def while_generating(url: str, seconds: float) -> dict[str, float]:
    """Measures status reads while clips are generated without pauses."""
    clip = json.dumps({"model": "tiny-video", "prompt": "a red circle moving left", "steps": 50})
    tasks = [call(f"{url}/generate", clip)["task_id"] for _ in range(40)]
    while call(f"{url}/status/{tasks[0]}")["status"] == "pending":
        time.sleep(0.05)
    measured = load(f"{url}/status/{tasks[0]}", 1, seconds)
    running = [call(f"{url}/status/{task}")["status"] for task in tasks]
    assert running[-1] == "pending", "the clips ended before the reads did"
    return measured


def streams(url: str, process: subprocess.Popen[Any]) -> dict[str, float]:
    """Measures the memory of event streams of a task that stays pending."""
    host, port = url.removeprefix("http://").split(":")
    task = call(f"{url}/generate", PICTURE)["task_id"]
    before = resident_mb(process)
    request = f"GET /events/{task} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {KEY}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(STREAMS):
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(request)
            assert connection.recv(16) == b"HTTP/1.1 200 OK\r"
        time.sleep(1)
        return {"streams": STREAMS, "memory_mb": round(resident_mb(process) - before, 1)}


def machine() -> dict[str, Any]:
    """Describes the machine."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "cpu": cpu.split(":")[1].strip(),
        "kernel": platform.release(),
        "commit": commit.stdout.strip(),
        "load_average_at_start": os.getloadavg(),
    }


def main() -> None:
    """Runs everything and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("python")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--profile", default="release")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results/http.json")
    options = parser.parse_args()
    result: dict[str, Any] = {"name": "http", "machine": machine(), "profile": options.profile, "goals": GOALS}
    with tempfile.TemporaryDirectory(dir=options.out.parent) as text:
        folder = Path(text)
        measured: dict[str, Any] = {}
        with must(options.program, folder, paused=True) as (url, process):
            measured["must"] = phases(url, process, options.seconds)
        (folder / "streams").mkdir()
        with must(options.program, folder / "streams", paused=True) as (url, process):
            measured["event_streams"] = streams(url, process)
        (folder / "running").mkdir()
        with must(options.program, folder / "running", paused=False) as (url, _):
            measured["status_while_generating"] = while_generating(url, options.seconds)
        for workers in (1, os.cpu_count() or 1):
            (folder / f"peer{workers}").mkdir(exist_ok=True)
            with peer(options.python, folder / f"peer{workers}", workers) as (url, process):
                measured[f"peer_{workers}_workers"] = phases(url, process, options.seconds)
        peers = [value for name, value in measured.items() if name.startswith("peer_")]
        measured["ratio_to_the_better_peer"] = {
            what: {
                str(count): round(
                    measured["must"][what][str(count)]["per_second"]
                    / max(peer[what][str(count)]["per_second"] for peer in peers),
                    1,
                )
                for count in CONNECTIONS
            }
            for what in ("submit", "status")
        }
        result["measured"] = measured
    result["load_average_at_end"] = os.getloadavg()
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
