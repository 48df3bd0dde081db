"""The snippets of the README and the example programs work, and mypy accepts the package."""

import json
import re
import subprocess
import sys
from pathlib import Path

from support import run_script

ROOT = Path(__file__).parents[2]
README = ROOT / "bindings-python" / "README.md"
EXAMPLES = ROOT / "examples" / "generate" / "python"


def test_the_snippets_of_the_readme_run_in_order(tmp_path: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(snippets) == 9
    run_script("import os, sys\nos.chdir(sys.argv[1])\n" + "\n".join(snippets), tmp_path, timeout=300)
    assert (tmp_path / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / "square.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_makes_a_clip(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    done = run_script((EXAMPLES / "main.py").read_text(), tmp_path / "data", clip, timeout=300)
    assert json.loads(done.stdout) == {
        "status": "done",
        "model": "tiny-video",
        "seed": 7,
        "bytes": clip.stat().st_size,
    }
    assert done.stdout.count("\n") == 1
    assert "refused: validation_error" in done.stderr
    assert "second: cancelled" in done.stderr
    assert (tmp_path / "clip.preview.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_the_asyncio_example_makes_pictures(tmp_path: Path) -> None:
    run_script((EXAMPLES / "asynchronous.py").read_text(), tmp_path / "data", tmp_path, timeout=300)
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_the_package_passes_mypy_strict() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "-p", "must"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=README.parent)
    assert found.returncode == 0, found.stdout
