"""The Python caller of `must-benches overhead`; see `benches/src/calls.rs` for what it does.

python calls.py DATA_DIR BATCHES STATUSES SUBMITS
"""

import json
import platform as machine
import sys
from collections.abc import Callable
from time import perf_counter_ns

import must

PROMPT = "a red circle on a white background"


def timed(batches: int, calls: int, call: Callable[[int], object]) -> list[float]:
    """Returns the nanoseconds for each call, one number for each batch. The first batch is not counted."""
    times = []
    for batch in range(batches + 1):
        began = perf_counter_ns()
        for n in range(calls):
            call(n)
        if batch > 0:
            times.append((perf_counter_ns() - began) / calls)
    return times


def main(data_dir: str, batches: int, statuses: int, submits: int) -> None:
    """Opens a paused platform and times calls."""
    with must.Platform(data_dir, paused=True, queue_depth=10_000_000) as platform:
        submit = timed(batches, submits, lambda n: platform.submit("tiny-image", PROMPT, seed=n))
        pending = platform.submit("tiny-image", PROMPT, seed=0)
        ended = platform.submit("tiny-image", PROMPT, seed=0)
        ended.cancel()
        status = timed(batches, statuses, lambda _: pending.status().status)
        status_ended = timed(batches, statuses, lambda _: ended.status().status)
    version = f"{machine.python_implementation()} {machine.python_version()}"
    print(json.dumps({"version": version, "submit": submit, "status": status, "status_ended": status_ended}))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1], *(int(count) for count in sys.argv[2:]))
