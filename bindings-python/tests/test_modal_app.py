"""The worker for Modal, as far as it can be tested without Modal."""

import importlib.util
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest

import must

APP = Path(__file__).parents[2] / "deploy" / "modal" / "must_app.py"


class Shared:
    """The methods of `modal.Dict` that the app uses."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def put(self, key: str, value: object, *, skip_if_exists: bool = False) -> bool:
        return self.entries.setdefault(key, value) is value if skip_if_exists else not self.entries.update({key: value})

    def get(self, key: str, default: object = None) -> Any:
        return self.entries.get(key, default)

    def pop(self, key: str, default: object = None) -> Any:
        return self.entries.pop(key, default)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "modal", MagicMock())
    monkeypatch.delenv("MUST_GPU", raising=False)
    return loaded()


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("must_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_settings_are_valid(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(app.SECRETS.values()) <= set(must.Settings.__annotations__)
    assert (app.SOURCE / "bindings-python" / "pyproject.toml").is_file()
    assert app.GPU in app.GPUS
    monkeypatch.setenv("MUST_GPU", "abacus")
    with pytest.raises(ValueError, match="MUST_GPU must be one of"):
        loaded()


def test_only_one_container_at_a_time_has_the_data_folder(app: ModuleType) -> None:
    shared = Shared()
    first, second = app.Lease(shared), app.Lease(shared)
    first.take()
    waiting = threading.Thread(target=second.take, args=(0.01,))
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    first.give_back()
    waiting.join(10)
    assert not waiting.is_alive()
    first.give_back()
    assert shared.entries, "a container that no longer has the folder gives nothing back"
    second.give_back()
    assert "owner" not in shared.entries


def test_a_container_takes_the_folder_of_a_dead_owner(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared()
    monkeypatch.setattr(app.Lease, "LIFE", 0.3)
    lease = app.Lease(shared)
    began = time.monotonic()
    shared.put("owner", ("somebody who is gone", time.time()))
    lease.take(0.01)
    assert time.monotonic() - began > 0.25
    _, heard = shared.entries["owner"]
    time.sleep(0.2)
    assert shared.entries["owner"][1] > heard, "it says that it is still there"
    lease.give_back()


def test_only_one_of_many_containers_takes_the_folder_of_a_dead_owner(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared()
    monkeypatch.setattr(app.Lease, "LIFE", 3)
    shared.put("owner", ("somebody who is gone", 0.0))
    leases = [app.Lease(shared) for _ in range(8)]
    took: list[Any] = []

    def take(lease: Any) -> None:
        lease.take(0.05)
        took.append(lease)

    threads = [threading.Thread(target=take, args=(lease,), daemon=True) for lease in leases]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    assert len(took) == 1, "the others see that it is there"
    for count in range(2, 9):
        took[-1].give_back()
        deadline = time.monotonic() + 20
        while len(took) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(took) == count
    took[-1].give_back()


def test_a_container_that_lost_the_folder_stops(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, lost = Shared(), threading.Event()
    monkeypatch.setattr(app.Lease, "LIFE", 0.3)
    lease = app.Lease(shared, lost=lost.set)
    lease.take(0.01)
    shared.put("owner", ("somebody else", time.time()))
    assert lost.wait(5)
    lease.give_back()
    assert shared.entries["owner"][0] == "somebody else"

    lost.clear()
    deaf = app.Lease(shared := Shared(), lost=lost.set)
    deaf.take(0.01)
    monkeypatch.setattr(shared, "put", MagicMock(side_effect=OSError("the dictionary is away")))
    assert lost.wait(5)
    deaf.give_back()

    # A call that hangs does not hide the loss.
    lost.clear()
    hung, go_on = app.Lease(shared := Shared(), lost=lost.set), threading.Event()
    hung.take(0.01)
    monkeypatch.setattr(shared, "get", lambda *_: go_on.wait(10) and ("", 0.0))
    assert lost.wait(5)
    go_on.set()
