"""Platforms for the tests: a shared one, and a new one for tests that close it, fill it or count its tasks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import must


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[must.Platform]:
    with must.Platform(tmp_path_factory.mktemp("shared"), device="cpu") as platform:
        yield platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[must.Platform]:
    with must.Platform(tmp_path / "data", device="cpu") as platform:
        yield platform


@pytest.fixture(scope="session")
def picture(shared: must.Platform) -> must.Task:
    """A finished picture."""
    task = shared.submit("tiny-image", "a red circle", seed=7, steps=4)
    task.wait()
    return task


@pytest.fixture(scope="session")
def clip(shared: must.Platform) -> must.Task:
    """A finished clip."""
    task = shared.submit("tiny-video", "a red circle moving left", seed=7, steps=4, num_frames=5)
    task.wait()
    return task
