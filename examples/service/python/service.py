"""A generation service.

python service.py DATA_FOLDER ADDRESS
"""

import os
import signal
import sys
import threading

import must


def log(record: must.LogRecord) -> None:
    """Print a log record of the platform to standard error."""
    print(record.time, record.level, record.message, file=sys.stderr)


def main(data: str, address: str) -> None:
    """Serve until Ctrl-C or `kill`."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    with must.Platform(
        data,
        log=log,
        queue_depth=100,
        image_limit_seconds=60,
        admin_key=os.environ.get("ADMIN_KEY", ""),
    ) as platform:
        operator = must.Caller("operator", "service")
        if not any(key.status == "active" for key in platform.auth.keys()):
            issued = platform.auth.issue_key("first", caller=operator)
            print("key", issued.secret, flush=True)

        with platform.serve(address) as server:
            print("serving", server.url, flush=True)
            stop.wait()

        for event in platform.audit.list(limit=5, caller=operator):
            print(event.timestamp, event.actor, event.action, event.target)
        print("audit log intact:", platform.audit.verify().ok)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
