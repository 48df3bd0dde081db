"""Compares two builds of `must` in turns: the rate and the times of submissions over HTTP.

    python turns.py BEFORE=PROGRAM AFTER=PROGRAM [--turns 7] [--seconds 3] [--kinds submit] [--connections 100] [--out FILE]

BEFORE and AFTER are names for the builds, such as their commits. Each turn measures each kind of submission with each number of
connections, once with each build, and the next turn has the builds in the other order. Each measurement has a new data folder.
The results are medians, and the ratio of AFTER to BEFORE.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import run

CONNECTIONS = (1, 10, 100)
REFUSED = json.dumps({"model": "tiny-image", "prompt": "a large red circle on a white background", "steps": -1})
FIGURES = ("per_second", "p50_ms", "p99_ms", "processor_us")
KINDS = {
    "submit": {"body": run.PICTURE},
    "submit_with_new_idempotency_key": {"body": run.PICTURE, "idempotency": "new"},
    "submit_with_same_idempotency_key": {"body": run.PICTURE, "idempotency": "same"},
    "refused": {"body": REFUSED, "is_refused": True},
}


def processor_seconds(process: int) -> float:
    """Returns the processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(program: str, kind: dict[str, Any], connections: int, seconds: float, folder: Path) -> dict[str, float]:
    """Measures one kind of submission with a new platform that runs no tasks."""
    with tempfile.TemporaryDirectory(dir=folder) as data, run.must(program, Path(data), paused=True) as (url, process):
        before = processor_seconds(process.pid)
        found = run.load(f"{url}/generate", connections, seconds, kind["body"], kind.get("idempotency", ""))
        used = processor_seconds(process.pid) - before
    found["processor_us"] = used / (found["per_second"] * seconds) * 1e6
    if bool(found["failed"]) != kind.get("is_refused", False):
        raise SystemExit(f"{found['failed']} answers were errors, and {kind} expects otherwise")
    return found


def median(samples: list[dict[str, float]]) -> dict[str, float]:
    """Returns the median of each figure."""
    return {name: statistics.median(one[name] for one in samples) for name in FIGURES}


def main() -> None:
    """Runs everything and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="BEFORE=PROGRAM")
    parser.add_argument("after", metavar="AFTER=PROGRAM")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--connections", nargs="+", type=int, default=list(CONNECTIONS))
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=run.HERE.parent / "results/turns.json")
    options = parser.parse_args()
    if not all("=" in build for build in (options.before, options.after)):
        parser.error("give NAME=PROGRAM twice")
    builds = dict(build.split("=", 1) for build in (options.before, options.after))
    if len(builds) != 2:
        parser.error("the two names must differ")
    before, after = builds
    samples: dict[tuple[str, int, str], list[dict[str, float]]] = {}
    machine = run.machine()
    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        for turn in range(options.turns):
            for name in options.kinds:
                for connections in options.connections:
                    for build in (before, after) if turn % 2 == 0 else (after, before):
                        found = measure(builds[build], KINDS[name], connections, options.seconds, Path(folder))
                        samples.setdefault((name, connections, build), []).append(found)
    measured: dict[str, Any] = {}
    for name in options.kinds:
        for connections in options.connections:
            both = {build: median(samples[name, connections, build]) for build in builds}
            ratios = {figure: round(both[after][figure] / both[before][figure], 3) for figure in both[after]}
            p99 = {build: [round(one["p99_ms"], 1) for one in samples[name, connections, build]] for build in builds}
            measured.setdefault(name, {})[str(connections)] = {**both, "ratio": ratios, "p99_ms_of_each_turn": p99}
            print(name, connections, json.dumps(ratios), flush=True)
    result = {
        "name": "turns",
        "machine": machine,
        "before": before,
        "after": after,
        "turns": options.turns,
        "seconds": options.seconds,
        "goals": {"ratio_of_the_rate_with_100_connections": 0.9, "ratio_of_p99_with_100_connections": 1.0},
        "measured": measured,
        "load_average_at_end": os.getloadavg(),
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
