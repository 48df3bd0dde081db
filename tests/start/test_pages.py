"""The pages of docs/start: every block of code is quoted from a program, and every program works as its page says.

`MUST_TARGET` is cargo's target folder, where `cargo xtask test examples` builds the programs of Rust, C and C++.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("MUST_TARGET", ROOT / "target"))
SERVICE = ROOT / "examples" / "service"
PATIENCE = 120.0


@dataclass(frozen=True)
class Language:
    """A page: the marker of its code blocks, the quoted files, and the commands of its two programs."""

    fence: str
    sources: tuple[str, ...]
    first: tuple[str | Path, ...]
    service: tuple[str | Path, ...]


LANGUAGES = {
    "rust": Language(
        "rust",
        ("service/rust/first.rs", "service/rust/service.rs", "mount/axum/src/main.rs"),
        (TARGET / "debug" / "must-first",),
        (TARGET / "debug" / "must-service",),
    ),
    "python": Language(
        "python",
        ("service/python/first.py", "service/python/service.py", "mount/fastapi/app.py"),
        (sys.executable, SERVICE / "python" / "first.py"),
        (sys.executable, SERVICE / "python" / "service.py"),
    ),
    "node": Language(
        "js",
        ("service/node/first.mjs", "service/node/service.mjs", "mount/express/app.mjs"),
        ("node", SERVICE / "node" / "first.mjs"),
        ("node", SERVICE / "node" / "service.mjs"),
    ),
    "c": Language(
        "c",
        ("service/c/first.c", "service/c/service.c"),
        (TARGET / "examples" / "service-c" / "first",),
        (TARGET / "examples" / "service-c" / "service",),
    ),
    "cpp": Language(
        "cpp",
        ("service/cpp/first.cpp", "service/cpp/service.cpp"),
        (TARGET / "examples" / "service-cpp" / "first",),
        (TARGET / "examples" / "service-cpp" / "service",),
    ),
}

each_language = pytest.mark.parametrize("name", LANGUAGES)


def page(name: str) -> str:
    return (ROOT / "docs" / "start" / f"{name}.md").read_text()


def blocks(text: str) -> list[tuple[str, str]]:
    """The language and the text of every block of code."""
    return re.findall(r"^```(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def is_quoted(block: str, source: str) -> bool:
    """Whether `source` has the lines of `block` in sequence, all with the same additional indentation."""
    lines, wanted = source.split("\n"), block.rstrip("\n").split("\n")
    for start in range(len(lines) - len(wanted) + 1):
        margin = lines[start].removesuffix(wanted[0])
        if margin.strip() == "" and lines[start : start + len(wanted)] == [(margin + line).rstrip() for line in wanted]:
            return True
    return False


@each_language
def test_every_block_is_quoted_from_a_program(name: str) -> None:
    language = LANGUAGES[name]
    sources = [(ROOT / "examples" / path).read_text() for path in language.sources]
    found = blocks(page(name))
    code = [block for fence, block in found if fence == language.fence]
    assert len(code) >= 7
    for block in code:
        assert any(is_quoted(block, source) for source in sources), f"this is in no program:\n{block}"
    # Other blocks may only be shell commands or a Cargo dependency, so that all code is checked.
    assert {fence for fence, _ in found} <= {language.fence, "sh", "toml"}


def test_the_readme_of_the_crate_quotes_the_first_program() -> None:
    program = dict(blocks((ROOT / "core" / "README.md").read_text()))["rust,no_run"]
    assert is_quoted(program, (SERVICE / "rust" / "first.rs").read_text())


def test_the_readme_of_the_crate_and_the_page_name_one_dependency() -> None:
    assert dict(blocks((ROOT / "core" / "README.md").read_text()))["toml"] == dict(blocks(page("rust")))["toml"]


PICTURES: set[bytes] = set()


@each_language
def test_the_first_program_makes_the_same_picture_in_every_language(name: str, tmp_path: Path) -> None:
    subprocess.run(LANGUAGES[name].first, cwd=tmp_path, check=True, timeout=PATIENCE)
    picture = (tmp_path / "circle.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    PICTURES.add(picture)
    assert len(PICTURES) == 1, "one seed gives one picture in every language"


@contextmanager
def running(command: tuple[str | Path, ...], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the service on a free port. It is ended when the test takes too long."""
    environment = {**os.environ, "ADMIN_KEY": "a key of 16 letters or more"}
    with subprocess.Popen(
        [*command, "data", "127.0.0.1:0"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            process.kill()


def said(process: subprocess.Popen[str], word: str) -> str:
    """The rest of the next line, after `word`."""
    assert process.stdout is not None
    line = process.stdout.readline().rstrip("\n")
    assert line.startswith(f"{word} "), line
    return line.removeprefix(f"{word} ")


def stopped(process: subprocess.Popen[str]) -> str:
    """Stop the service and return its remaining output."""
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, rest
    return rest


@each_language
def test_the_service_works_as_its_page_says(name: str, tmp_path: Path) -> None:
    (calls,) = [block for fence, block in blocks(page(name)) if fence == "sh" and "$URL" in block]
    with running(LANGUAGES[name].service, tmp_path) as process:
        key, url = said(process, "key"), said(process, "serving")
        environment = {**os.environ, "KEY": key, "URL": url}
        done = subprocess.run(
            ["sh", "-eu", "-c", calls],
            cwd=tmp_path,
            env=environment,
            check=True,
            timeout=PATIENCE,
            capture_output=True,
            text=True,
        )
        assert '"status":"done"' in done.stdout
        assert (tmp_path / "circle.png").read_bytes().startswith(b"\x89PNG")
        environment["KEY"] = "another"
        refused = subprocess.run(
            ["sh", "-c", 'curl -s "$URL/gallery" -H "X-API-Key: $KEY"'],
            env=environment,
            check=True,
            timeout=PATIENCE,
            capture_output=True,
            text=True,
        )
        assert '"code":"invalid_api_key"' in refused.stdout
        rest = stopped(process)
        assert "denied_invalid_api_key" in rest
        assert "audit log intact: true" in rest.lower()
    # When there is an active key, no other is issued.
    with running(LANGUAGES[name].service, tmp_path) as process:
        said(process, "serving")
        assert "audit log intact: true" in stopped(process).lower()
