"""Shared by several test files: pictures, scripts in a separate process, memory use of this process."""

import base64
import os
import signal
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

QUICK: dict[str, Any] = {"steps": 4}
"""The smallest number of steps, because the quality of the result does not matter."""

LONG: dict[str, Any] = {"steps": 50}
"""Enough steps that a task still runs when the test looks at it."""

QUICK_CLIP: dict[str, Any] = {"steps": 4, "num_frames": 5}


def png(width: int = 64, height: int = 64, color: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    """A PNG of one colour."""
    row = b"\0" + bytes(color) * width
    return _png(width, height, zlib.compress(row * height))


def bomb() -> bytes:
    """A small PNG whose header claims more pixels than fit into any memory."""
    return _png(60_000, 60_000, zlib.compress(b"\0" * 1_000_000))


def data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _restore_interrupts() -> None:
    """Restore SIGINT: shells ignore it for background programs, and Python then does not handle Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_script(
    code: str, *arguments: str | Path, timeout: float = 90.0, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `code` in a separate interpreter. Fails with its output when it fails or hangs."""
    command = [*before, sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment,
            preexec_fn=_restore_interrupts,
        )
    except subprocess.TimeoutExpired as hung:
        raise AssertionError(f"the script hung; it had said {hung.stdout!r} {hung.stderr!r}") from None
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
