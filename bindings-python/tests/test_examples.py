"""The examples in the module's docstrings give the results that they show."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import must

pytest.importorskip("fastapi")
pytest.importorskip("numpy")
pytest.importorskip("PIL")

BEGUN_WITH = {
    "must",
    "must._aio.AsyncPlatform",
    "must._exceptions.MustError",
    "must._facts.RequestFacts.from_headers",
    "must._host.Host",
    "must._host.ManualClock",
    "must._http.Response",
    "must._http.Server",
    "must._media.Media",
    "must._sync.Platform",
    "must._sync.Platform.accounts",
    "must._sync.Platform.admin",
    "must._sync.Platform.audit",
    "must._sync.Platform.auth",
    "must._sync.Platform.submit",
    "must._sync.Platform.secrets",
    "must._sync.Task",
    "must._tasks.TaskPage.__iter__",
    "must.asgi",
}
"""The main entry points, which must have an example."""


def found() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder()
    names = [module.name for module in pkgutil.iter_modules(must.__path__, "must.") if module.name != "must._must"]
    for name in ["must", *names]:
        yield from finder.find(importlib.import_module(name), name, globs={"must": must})


EXAMPLES = {example.name: example for example in found() if example.examples}


def test_the_entry_points_have_examples() -> None:
    assert set(EXAMPLES) >= BEGUN_WITH


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_gives_its_result(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    with must.Platform("platform", device="cpu", admin_key="a key of 16 letters or more") as platform:
        example = EXAMPLES[name]
        example.globs["platform"] = platform
        outcome = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert outcome.attempted > 0
    assert outcome.failed == 0, "".join(said)
